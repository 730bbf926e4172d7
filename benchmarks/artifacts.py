"""Speed and memory of every artifact on 320 x 320 slices, beside TorchIO, MONAI and its floor.

    python benchmarks/artifacts.py [--threads N] [--batch B] [--rounds R] [--device cuda]

On a CPU, milliseconds per slice: `sample` draws, and `apply` damages, a batch of magnitude images
at physical level 3. TorchIO and MONAI damage one slice per call, with fixed parameters, by what
they have of the same kind; the speed-up is over the faster one. `floor` is the work that the
formula cannot do without. All of a row are timed in turn, round by round, so that a busy machine
slows all of them; medians are shown, and their ratios are what to watch. `memory` is the peak that
a batch of 32 takes, the result included, in units of that batch.

Around its floor every artifact has costs that are not its own, some 0.1 ms per slice: no cache
holds a batch, so that the image comes from memory twice, to be checked and to be damaged, and goes
there once; and calls and parameters take 0.2 ms or more per chunk of four slices. That exceeds the
arithmetic of spike, bias, Nyquist ghost, zipper, anisotropy, fat shift and wrap, whose ratios are
above 1.6 for it. Some have more to do: bias finds the foreground, elastic sums splines, anisotropy
may go across columns, contrast and fat shift look at the slice's intensities, and zipper draws a
phase for every line.

On a GPU, slices per second, and the share of the copy bandwidth at which the bytes move that a
kernel of its own would read and write.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from artifact_floors import floors
from artifact_libraries import library_calls
from artifact_measurements import CHUNK, SIZE, OnCpu, OnGpu, copy_bytes_per_s, on_cpu, on_gpu
from results import Record

import artifacts_sim

RATIO_GOAL, MEMORY_GOAL = 1.6, 6.0
LIBRARIES = ("TorchIO", "MONAI")


def cell(value: float | None, width: int, digits: int) -> str:
    """Right-align a number, or a dash."""
    return f"{'-' if value is None else format(value, f'.{digits}f'):>{width}}"


def cpu_line(row: OnCpu, floor_is: str) -> str:
    """Write a row of the CPU's table."""
    times = cell(row.sample, 8, 4) + cell(row.apply, 8, 3)
    libraries = "".join(cell(row.libraries.get(library), 9, 2) for library in LIBRARIES)
    ratios = cell(row.speed_up, 10, 1) + cell(row.floor, 8, 3) + cell(row.ratio, 7, 2)
    return f"{row.name:<16}{times}{libraries}{ratios}{cell(row.memory, 8, 2)}  {floor_is}"


def gpu_line(row: OnGpu, copy: float) -> str:
    """Write a row of the GPU's table."""
    share = 100 * row.bytes_per_s / copy
    return f"{row.name:<16}{row.slices_per_s:>12.0f}{share:>9.1f}{cell(row.memory, 8, 2)}"


def summary(rows: Sequence[OnCpu]) -> str:
    """Say how it compares as a whole, and what misses a goal."""
    lines = [
        mean_line(
            library,
            [row.libraries[library] / row.apply for row in rows if library in row.libraries],
        )
        for library in LIBRARIES
    ]
    firsts = [first_library(row) / row.apply for row in rows if row.libraries]
    lines.append(mean_line("TorchIO, or MONAI where TorchIO has none", firsts))
    over = {row.name: row.speed_up for row in rows if row.speed_up is not None}
    lines.append(mean_line("the faster of both", list(over.values())))
    missed = {
        "slower than a library": {name: x for name, x in over.items() if x < 1},
        f"above {RATIO_GOAL} x floor": {r.name: r.ratio for r in rows if r.ratio > RATIO_GOAL},
        f"above {MEMORY_GOAL:g} x batch": {
            row.name: row.memory for row in rows if (row.memory or 0) > MEMORY_GOAL
        },
    }
    for what, which in missed.items():
        lines.append(f"{what}: {', '.join(f'{n} ({x:.1f})' for n, x in which.items()) or 'none'}")
    return "\n".join(lines)


def first_library(row: OnCpu) -> float:
    """Milliseconds of TorchIO, or of MONAI where TorchIO has nothing of the kind."""
    return next(row.libraries[library] for library in LIBRARIES if library in row.libraries)


def mean_line(other: str, speed_ups: Sequence[float]) -> str:
    """Write a geometric mean."""
    mean = statistics.geometric_mean(speed_ups) if speed_ups else None
    return f"speed-up over {other}, geometric mean of {len(speed_ups)}:{cell(mean, 5, 1)}"


def settle_allocator() -> None:
    """Let glibc keep what is freed, as it does in any process that once freed a large buffer.

    It raises its limits to the size of the largest buffer freed so far, 32 MiB at most. Until
    then it may return freed memory to the system, and each call pays for it again, page by page:
    up to 0.15 ms per slice.
    """
    torch.empty(31 * 2**18)


def print_cpu_table(args: argparse.Namespace) -> None:
    """Measure every registered artifact on the CPU."""
    torch.set_num_threads(args.threads)
    settle_allocator()
    least, calls = floors(CHUNK, SIZE), library_calls(SIZE, args.threads)
    print(
        f"torch {torch.__version__}, {args.threads} thread(s), {SIZE} x {SIZE} float32, batch "
        f"{args.batch}, ms per slice, medians of {args.rounds} rounds"
    )
    heads = f"{'sample':>8}{'apply':>8}{'TorchIO':>9}{'MONAI':>9}{'speed-up':>10}{'floor':>8}"
    print(f"{'artifact':<16}{heads}{'ratio':>7}{'memory':>8}  floor is")
    rows = []
    for name in artifacts_sim.names():
        rows.append(on_cpu(name, least[name], calls.get(name, {}), args.batch, args.rounds))
        print(cpu_line(rows[-1], least[name].what), flush=True)
    print(summary(rows))
    if args.save:
        print(f"written to {saved(rows, {name: least[name].what for name in least})}")


def saved(rows: Sequence[OnCpu], floor_is: Mapping[str, str]) -> Path:
    """Write the figures of the CPU's table as JSON."""
    record = Record("artifacts")
    for row in rows:
        record.add("artifact", row.name, "ms a slice", row.apply)
        for library in LIBRARIES:
            record.add("artifact", row.name, library, row.libraries.get(library, ""))
        record.add("artifact", row.name, "of its floor", f"{row.ratio:.2g} x {floor_is[row.name]}")
    return record.save()


def print_gpu_table(args: argparse.Namespace, device: torch.device) -> None:
    """Measure every registered artifact on a device."""
    least, copy = floors(CHUNK, SIZE), copy_bytes_per_s(device, args.rounds)
    print(
        f"torch {torch.__version__}, {device}, {SIZE} x {SIZE} float32, batch {args.batch}, "
        f"copy {copy / 1e9:.0f} GB/s, medians of {args.rounds} rounds"
    )
    print(f"{'artifact':<16}{'slices/s':>12}{'share %':>9}{'memory':>8}")
    for name in artifacts_sim.names():
        row = on_gpu(name, least[name], args.batch, args.rounds, device)
        print(gpu_line(row, copy), flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--batch", type=int, help="slices: 16, or 256 on a GPU")
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each number")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--save", action="store_true", help="write the figures as JSON")
    args = parser.parse_args(arguments)
    args.batch = args.batch or (16 if args.device == "cpu" else 256)
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 without the device that is asked for."""
    args = parse(arguments)
    if args.device == "cpu":
        print_cpu_table(args)
        return 0
    if not torch.cuda.is_available():
        print("no CUDA device: leave out --device cuda to measure the CPU", file=sys.stderr)
        return 2
    print_gpu_table(args, torch.device("cuda"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

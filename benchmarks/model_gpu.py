"""Training speed of the study's network on a CUDA device, per norm and batch size.

    python benchmarks/model_gpu.py --peak-tflops 989

One training step is forward, loss, backward and AdamW on images that already lie on the device, in
bfloat16 autocast and channels_last. Floating-point operations (a multiply-add is two) are counted
by torch, convolutions and matrix products only; their rate over the peak is the share. Give as
peak the device's dense bfloat16 rate, from its data sheet or from a measured matrix product.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from results import Record
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

import mrimodels

LABELS = 4
Step = Callable[[], None]


@dataclass(frozen=True)
class Result:
    """One line of the table: median and extremes of images per second, and where they come from."""

    images_per_s: float
    slowest: float
    fastest: float
    tflops: float
    memory_gib: float


def training_step(norm: str, batch: int, size: int, device: torch.device) -> Step:
    """Return a function that trains the study's network by one step on one fixed batch."""
    spec = mrimodels.ModelSpec(
        arch="preact_resnet18", norm=norm, n_outputs=LABELS, width=64, stem_stride=1, head="pool10"
    )
    model = mrimodels.build(spec).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    key = torch.Generator(device).manual_seed(0)
    images = torch.randn(batch, 1, size, size, device=device, generator=key)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.rand(batch, LABELS, device=device, generator=key).round()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(images)
        binary_cross_entropy_with_logits(logits, targets).backward()
        optimizer.step()

    return step


def operations(step: Step) -> int:
    """Count the floating-point operations of one step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def seconds_per_step(step: Step, steps: int) -> float:
    """Time `steps` steps between two synchronisations."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def measure(norm: str, batch: int, args: argparse.Namespace) -> Result:
    """Warm up, then time `args.repeats` blocks of `args.steps` steps."""
    step = training_step(norm, batch, args.size, torch.device("cuda"))
    count = operations(step)
    seconds_per_step(step, args.warmup)
    torch.cuda.reset_peak_memory_stats()  # without the workspaces that cuDNN tried in the warm-up
    times = sorted(seconds_per_step(step, args.steps) for _ in range(args.repeats))
    median = statistics.median(times)
    return Result(
        images_per_s=batch / median,
        slowest=batch / times[-1],
        fastest=batch / times[0],
        tflops=count / median / 1e12,
        memory_gib=torch.cuda.max_memory_allocated() / 2**30,
    )


def report(norm: str, batch: int, args: argparse.Namespace) -> str:
    """Measure one norm at one batch size and format its line."""
    try:
        result = measure(norm, batch, args)
    except torch.cuda.OutOfMemoryError:
        return f"{norm:<10}{batch:>6}  out of memory"
    finally:
        torch.cuda.empty_cache()
    row = f"{norm}, batch {batch}"
    args.record.add("network on a GPU", row, "images a second", result.images_per_s)
    args.record.add("network on a GPU", row, "TFLOP/s", result.tflops)
    args.record.add("network on a GPU", row, "GiB", result.memory_gib)
    extremes = f"{result.slowest:.0f}..{result.fastest:.0f}"
    return (
        f"{norm:<10}{batch:>6}{result.images_per_s:>10.0f}{extremes:>16}"
        f"{result.tflops:>10.1f}{result.tflops / args.peak_tflops:>9.1%}{result.memory_gib:>9.1f}"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peak-tflops", type=float, required=True, help="dense bfloat16 TFLOP/s")
    parser.add_argument("--norms", nargs="+", default=["batch", "group", "layer"])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 64, 128])
    parser.add_argument("--size", type=int, default=320, help="side of an image, pixels")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the first block")
    parser.add_argument("--steps", type=int, default=10, help="steps in a timed block")
    parser.add_argument("--repeats", type=int, default=7, help="timed blocks")
    parser.add_argument("--save", action="store_true", help="write the figures as JSON")
    args = parser.parse_args(arguments)
    args.record = Record("model_gpu")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 without a CUDA device."""
    args = parse(arguments)
    if not torch.cuda.is_available():
        print("no CUDA device: this benchmark measures one and has no CPU mode", file=sys.stderr)
        return 2
    torch.backends.cudnn.benchmark = True
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {args.size}x{args.size}, "
        f"peak {args.peak_tflops:g} TFLOP/s"
    )
    print(
        f"{'norm':<10}{'batch':>6}{'images/s':>10}{'range':>16}{'TFLOP/s':>10}{'share':>9}{'GiB':>9}"
    )
    for norm in args.norms:
        for batch in args.batches:
            print(report(norm, batch, args), flush=True)
    if args.save:
        print(f"written to {args.record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What loading costs: batches beside a bare map, opening, memory of two readers, reading ahead.

    python benchmarks/loading.py [--gigabytes G] [--batch B] [--rounds R] [--device cuda]

Artificial stores in a temporary folder, in the page cache and with glibc set as in the workers of a
sweep; the numbers of a line are measured in turn, round by round, and medians and their ratios are
shown.

- Random batches through `gather` on the CPU, one thread, beside `numpy.memmap(...)[rows]` on the
  same file: float32 images; float16 images, which `gather` widens and scales as well; k-space, in
  which it also looks for values that are not finite. 320 x 320 pixels; 4 coils x 640 x 372 samples.
- Opening a store of 10 GB, a sparse file.
- Proportional set size of two processes that have touched every page of the same store, beside
  that of one: the interpreter and its libraries included.
- A loop of loading and computing, with a thread that reads ahead beside without. On a GPU that
  thread copies through pinned memory in a stream of its own, as training does; on a CPU training
  has no such thread, and this line says why.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import torch
from results import Record

from sweep.cluster.session import WORKER_ENV
from sweep.learn.inputs import Batch, gather
from sweep.learn.loading import DEPTH, ahead, prefetched
from sweep.store import Store
from sweep.store.geometry import Frame, Geometry, Sampling
from sweep.store.layout import KSPACE, Form, PixelType, chunk_offsets, create, offset_of
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter

SIZE = 320
FRAME = Frame(4, 640, 372)
SPARSE_BYTES = 10e9
STEPS = 12  # batches of a loop
READER = """
import sys
from sweep.store import Store
store = Store.open(sys.argv[1])
print(int(store.images.reshape(-1)[:: 4096 // store.images.itemsize].sum(dtype="f8")), flush=True)
sys.stdin.read()
"""


def make_store(
    path: Path, count: int, pixels: PixelType = "float32", frame: Frame | None = None
) -> Store:
    """A store whose values are nowhere written: a hole in the file, which reads as zeros."""
    sampling = Sampling(*frame, (0, frame.columns)) if frame else None
    slices = [
        Slice(f"p{n}/0", f"p{n}", "1", frozenset("a"), "", geometry=Geometry(sampling=sampling))
        for n in range(count)
    ]
    create(path, slices, Form((SIZE, SIZE), ("a",), "multiclass", {}, pixels, frame))
    with StoreWriter.open(path) as draft:
        draft.finish("0" * 64)
    return Store.open(path)


def fill(path: Path, name: str) -> None:
    """Write noise over the values of a dataset, and ones over the scale."""
    with h5py.File(path, "r") as file:
        shape, kind = file[name].shape, file[name].dtype
        start = first_byte(file[name])
        scale = offset_of(file["scale"])
    np.memmap(path, np.float32, "r+", scale, shape[:1])[:] = 1
    noise = np.random.default_rng(0).random(shape[1:], np.float32).astype(kind)
    for row in np.memmap(path, kind, "r+", start, shape):
        row[...] = noise


def first_byte(dataset: h5py.Dataset) -> int:
    """Where the values begin; chunks must lie one after the other for a bare map to find them."""
    if dataset.chunks is None:
        return offset_of(dataset)
    offsets = chunk_offsets(dataset)
    if len(set(np.diff(offsets).tolist())) > 1:
        raise SystemExit("the k-space of this store is not one block: nothing to compare with")
    return int(offsets[0])


def bare_map(store: Store, name: str) -> np.memmap:
    """The dataset as numpy alone would map it."""
    with h5py.File(store.path, "r") as file:
        kind = KSPACE if name == "kspace" else file[name].dtype
        return np.memmap(store.path, kind, "r", first_byte(file[name]), file[name].shape)


def medians_ms(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, measured in turn after a round that warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def line(what: str, ours: float, floor: float, unit: str, floor_is: str) -> str:
    """Write two numbers and their ratio."""
    ratio = f"ratio {ours / floor:5.2f}"
    return f"{what:<36}{ours:9.2f} {unit}   {floor_is:<24}{floor:9.2f} {unit}   {ratio}"


def batches(folder: Path, args: argparse.Namespace) -> None:
    """Print what a random batch costs beside a bare map."""
    kinds: dict[str, tuple[str, PixelType, Frame | None, float]] = {
        "float32 images": ("images", "float32", None, 4 * SIZE**2),
        "float16 images": ("images", "float16", None, 2 * SIZE**2),
        "k-space": ("kspace", "float32", FRAME, 8 * float(np.prod(FRAME))),
    }
    for what, (name, pixels, frame, slice_bytes) in kinds.items():
        count = max(2 * args.batch, int(args.gigabytes * 1e9 / slice_bytes))
        store = make_store(folder / "batches.h5", count, pixels, frame)
        fill(store.path, name)
        signal = "kspace" if frame else "images"
        batch_line(f"{what}, {count} slices", store, name, signal, args)
        store.path.unlink()


def batch_line(what: str, store: Store, name: str, signal: str, args: argparse.Namespace) -> None:
    """Print one store's line, with both maps warm: no page is touched for the first time."""
    generator, bare, cpu = np.random.default_rng(0), bare_map(store, name), torch.device("cpu")
    for row in range(len(store)):
        for mapped in (bare[row], store.kspace(row) if signal == "kspace" else store.images[row]):
            mapped.sum()

    def rows() -> np.ndarray:
        return generator.integers(0, len(store), args.batch)

    works = {"ours": lambda: gather(store, rows(), cpu, signal), "bare": lambda: bare[rows()]}
    found = medians_ms(works, args.rounds)
    share = f"{found['bare'] / found['ours']:.2f} of its bandwidth"
    print(f"{line(what, found['ours'], found['bare'], 'ms', 'bare map')}, {share}", flush=True)
    args.record.add("loading", f"random batches, {what}", "measured", share)


def opening(folder: Path, args: argparse.Namespace) -> None:
    """Print how long it takes to open a large store, beside a small one."""
    large = make_store(folder / "large.h5", int(SPARSE_BYTES / (4 * SIZE**2))).path
    small = make_store(folder / "small.h5", 10).path
    works = {"large": lambda: Store.open(large), "small": lambda: Store.open(small)}
    found = medians_ms(works, args.rounds)
    size = f"opening {large.stat().st_size / 1e9:.0f} GB"
    print(line(size, found["large"], found["small"], "ms", "a store of 4 MB"), flush=True)
    args.record.add("loading", size, "measured", f"{found['large']:.1f} ms")


def memory(folder: Path, args: argparse.Namespace) -> None:
    """Print what two readers of every page take together, beside one."""
    count = int(args.gigabytes * 1e9 / (4 * SIZE**2))
    path = make_store(folder / "shared.h5", count).path
    fill(path, "images")
    readers: list[subprocess.Popen[str]] = []
    together = []
    for _ in range(2):
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        readers.append(reader)
        assert reader.stdout is not None
        reader.stdout.readline()
        together.append(sum(proportional_mb(one.pid) for one in readers))
    for reader in readers:
        reader.communicate()
    size = f"two readers of {path.stat().st_size / 1e6:.0f} MB"
    print(line(size, together[1], together[0], "MB", "one reader"), flush=True)
    args.record.add("loading", size, "measured", f"{together[1] / together[0]:.2f} of one")


def proportional_mb(pid: int) -> float:
    """Memory of a process, each shared page divided among those that map it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = next(one for one in lines if one.startswith("Pss:"))
    return int(found.split()[1]) * 1024 / 1e6


def reading_ahead(folder: Path, args: argparse.Namespace) -> None:
    """Print a loop's time for a batch with and without a thread that reads ahead."""
    device = torch.device(args.device)
    store = make_store(folder / "loop.h5", int(args.gigabytes * 1e9 / (4 * SIZE**2)))
    fill(store.path, "images")
    net = network(16 if device.type == "cpu" else 256).to(device)
    generator = np.random.default_rng(0)
    rows = [generator.integers(0, len(store), args.batch) for _ in range(STEPS)]

    def load(of: np.ndarray) -> Batch:
        return gather(store, of, device)

    def with_thread() -> None:
        cuda = device.type == "cuda"
        loaded = prefetched(load, rows, device) if cuda else ahead(load, rows, DEPTH)
        with closing(loaded) as arriving:
            for batch in arriving:
                step(net, batch.signals.clean())
        finish(device)

    def without() -> None:
        for of in rows:
            step(net, load(of).signals.clean())
        finish(device)

    resident = load(rows[0]).signals.clean()

    def computing() -> None:
        for _ in rows:
            step(net, resident)
        finish(device)

    works = {"ahead": with_thread, "in turn": without, "computing": computing}
    found = {name: ms / STEPS for name, ms in medians_ms(works, args.rounds).items()}
    floor = found.pop("computing")
    for name, ms in found.items():
        what = f"step, loading {name}, {args.device}"
        print(line(what, ms, floor, "ms", "computing alone"))
        args.record.add("loading", what, "measured", f"{ms / floor:.2f} of computing alone")


def network(width: int) -> torch.nn.Module:
    """Two strided convolutions: work enough for the loading to hide behind."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, width, 3, stride=2), torch.nn.Conv2d(width, width, 3, stride=2)
    )


def step(net: torch.nn.Module, images: torch.Tensor) -> None:
    """Forward and backward."""
    net.zero_grad(set_to_none=True)
    net(images[:, None]).square().mean().backward()


def finish(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the lines; 2 without the device that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=0.5, help="of each store, about")
    parser.add_argument("--batch", type=int, default=32, help="slices")
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each number")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the loop")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/loading.json")
    args = parser.parse_args(arguments)
    args.record = Record("loading")
    if args.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device: leave out --device cuda", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, batches of {args.batch}, medians of {args.rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        for part in (batches, opening, memory, reading_ahead):
            part(Path(scratch), args)
    if args.save:
        print(f"written to {args.record.save()}")
    return 0


if __name__ == "__main__":
    if not WORKER_ENV.items() <= os.environ.items():  # glibc reads it as a process begins
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | WORKER_ENV)
    sys.exit(main())

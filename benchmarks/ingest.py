"""How fast fastMRI volumes become a store, against h5py's reading and NumPy's FFTs alone.

Volumes of noise in fastMRI's layout, all in the page cache. Each round runs every case once, as
one process with one thread; ingest puts a slice into the store with a second one while it reads:

- *recipe*: h5py reads each slice, then ``ifftshift``, ``ifft2``, ``fftshift``, crop, magnitude and
  root-sum-of-squares as NumPy writes them: what a script of one's own does, writing nothing;
- *ifft2*: h5py reads each slice, then ``ifft2`` of the whole matrix and nothing else;
- *floor*: h5py reads each slice, then only the two transforms that an image cannot do without (all
  columns along the readout, the kept rows along phase encoding);
- *h5py writes*: as *ifft2*, and h5py writes into one file what the store keeps (of the right size:
  a crop of the image, the k-space if asked for), then waits for the disk;
- *ingest*: all of ``plan_fastmri`` and ``ingest``: headers, labels, the same reading, images,
  checks, digests, perceptual hashes, the store written and on disk.

Printed are the medians, and their ratios to ingest: the share of the bandwidth that it reaches.
Where stored reconstructions are copied there is nothing to transform, and the comparison is with
reading alone. With ``--workers N`` the same ingest by N
processes is timed, too.

Three more, where they are asked for:

- ``--manifest M.csv --images DIR``: CPU time of ``mrisweep ingest images --size 96`` by 1 and by 2
  workers, whole processes, beside that of decoding the pictures alone; ``--against TREE`` runs
  another checkout in turns with this one.
- ``--search STORE.h5``: seconds that the search for near-duplicates in a store takes.
- for stored images, SHA-256 of the same pixels alone, which an ingest cannot do without.

Run on an idle machine: ``python benchmarks/ingest.py``.
"""

import argparse
import csv
import ctypes
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from results import Record

from sweep.ingest.engine import ingest
from sweep.ingest.fastmri.planning import plan_fastmri
from sweep.inspect.duplicates import near_duplicates
from sweep.store import Store
from sweep.store.splits import SplitAssigner, equal_folds

ROWS, COLUMNS, SIDE = 640, 368, 320
AXES = (-2, -1)
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Case:
    """A kind of ingest: what lies in the files, and what is kept."""

    name: str
    coils: int
    stored: bool
    kspace: bool


CASES = (
    Case("single-coil, images made", 1, stored=False, kspace=False),
    Case("single-coil, images made, k-space kept", 1, stored=False, kspace=True),
    Case("15 coils, images made", 15, stored=False, kspace=False),
    Case("stored images copied", 1, stored=True, kspace=False),
)


def write_volumes(folder: Path, case: Case, volumes: int, slices: int) -> None:
    """Noise, with the attributes and tables that an ingest asks for."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    coils = () if case.coils == 1 else (case.coils,)
    names = [f"file{number}" for number in range(volumes)]
    for name in names:
        with h5py.File(folder / f"{name}.h5", "w") as file:
            shape = (slices, *coils, ROWS, COLUMNS)
            kspace = file.create_dataset("kspace", shape, np.complex64)
            for place in range(slices):
                parts = generator.standard_normal((2, *shape[1:]), np.float32)
                kspace[place] = parts[0] + 1j * parts[1]
            if case.stored:
                image = generator.random((slices, SIDE, SIDE), np.float32)
                file["reconstruction_rss"] = image
            file["ismrmrd_header"] = HEADER
            file.attrs["patient_id"] = name
            file.attrs["acquisition"] = "CORPD_FBK"
    (folder / "reviewed.csv").write_text("".join(f"{name}\n" for name in names))
    rows = "".join(f"{name},0,No,1,1,9,9,Meniscus Tear\n" for name in names[::2])
    (folder / "labels.csv").write_text(f"file,slice,study_level,x,y,width,height,label\n{rows}")


HEADER = f"""<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>{ROWS}</x><y>{COLUMNS}</y><z>1</z></matrixSize>
<fieldOfView_mm><x>280</x><y>161</y><z>4.5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>{SIDE}</x><y>{SIDE}</y><z>1</z></matrixSize>
<fieldOfView_mm><x>140</x><y>140</y><z>3</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{COLUMNS - 1}</maximum>
<center>{COLUMNS // 2}</center></kspace_encoding_step_1></encodingLimits>
</encoding></ismrmrdHeader>""".encode()


def recipe(kspace: np.ndarray) -> None:
    """NumPy's way from (coil, RO, PE) to an image."""
    image = np.fft.fftshift(
        np.fft.ifft2(np.fft.ifftshift(kspace, axes=AXES), norm="ortho"), axes=AXES
    )
    top, left = (ROWS - SIDE) // 2, (COLUMNS - SIDE) // 2
    shown = np.abs(image[:, top : top + SIDE, left : left + SIDE])
    np.sqrt((shown**2).sum(axis=0))


def ifft2(kspace: np.ndarray) -> None:
    """The transform of the whole matrix, (coil, RO, PE)."""
    np.fft.ifft2(kspace)


def rewrite(folder: Path, case: Case, dataset: str) -> None:
    """Read every slice, transform it where there is k-space, and write with h5py what is kept."""
    out = folder / "plain.hdf5"
    with h5py.File(out, "w") as file:
        for path in sorted(folder.glob("*.h5")):
            with h5py.File(path) as source:
                data = source[dataset]
                images = file.create_dataset(f"{path.stem}/images", (len(data), SIDE, SIDE), "f4")
                shape = data.shape if case.kspace else (0,)
                kept = file.create_dataset(f"{path.stem}/kspace", shape, "c8")
                for place in range(len(data)):
                    one = data[place]
                    image = one if case.stored else np.abs(np.fft.ifft2(one))
                    images[place] = image.reshape(-1, *image.shape[-2:])[0, :SIDE, :SIDE]
                    if case.kspace:
                        kept[place] = one
    with out.open("rb") as file:
        os.fsync(file.fileno())


def transforms(kspace: np.ndarray) -> None:
    """The transforms alone, (coil, RO, PE)."""
    for coil in kspace:
        np.fft.ifft(np.fft.ifft(coil, axis=0)[:SIDE], axis=1)


def read(folder: Path, dataset: str, use: Callable[[np.ndarray], None]) -> None:
    """Read every slice with h5py and use it."""
    for path in sorted(folder.glob("*.h5")):
        with h5py.File(path) as file:
            for place in range(len(file[dataset])):
                one = file[dataset][place]
                use(one if one.ndim == 3 else one[None])


def ingest_all(folder: Path, case: Case, workers: int) -> None:
    """The command's own work."""
    out = folder / "out" / "store.h5"
    plan = plan_fastmri(
        [folder],
        labels=folder / "labels.csv",
        reviewed=folder / "reviewed.csv",
        kspace=case.kspace,
        assigner=SplitAssigner(equal_folds(2)),
    )
    ingest(plan, out, workers=workers)


def seconds(run: Callable[[], None], folder: Path) -> float:
    """Wall-clock time of one call; what earlier calls left goes, and to the disk, before."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "plain.hdf5").unlink(missing_ok=True)
    os.sync()
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(folder: Path, case: Case, rounds: int, workers: int, record: Record) -> None:
    """Print one case."""
    dataset = "reconstruction_rss" if case.stored else "kspace"
    runs: dict[str, Callable[[], None]] = {"ingest": lambda: ingest_all(folder, case, 1)}
    if case.stored:
        runs["reading"] = lambda: read(folder, dataset, lambda image: None)
        runs["and SHA-256"] = lambda: read(folder, dataset, lambda one: hashlib.sha256(one.data))
    else:
        runs["recipe"] = lambda: read(folder, dataset, recipe)
        runs["ifft2"] = lambda: read(folder, dataset, ifft2)
        runs["floor"] = lambda: read(folder, dataset, transforms)
    runs["h5py writes"] = lambda: rewrite(folder, case, dataset)
    if workers > 1:
        runs[f"ingest by {workers}"] = lambda: ingest_all(folder, case, workers)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds(run, folder))
    median = {name: statistics.median(taken) for name, taken in times.items()}
    size = sum(_bytes(path, dataset) for path in folder.glob("*.h5"))
    print(f"{case.name}: {size / 1e6:.0f} MB read")
    for name, taken in median.items():
        ratio = f"  {taken / median['ingest']:5.2f} x ingest" if name != "ingest" else ""
        print(f"  {name:14} {taken:7.3f} s  {size / taken / 1e6:7.0f} MB/s{ratio}")
    against = "reading" if case.stored else "ifft2"
    record.add("ingest of", case.name, "reading and FFT", median[against] / median["ingest"])
    record.add("ingest of", case.name, "and writing", median["h5py writes"] / median["ingest"])


def cpu_seconds(tree: Path, manifest: Path, images: Path, workers: int) -> float:
    """CPU time of the whole command, its workers included, from the code of one checkout."""
    with tempfile.TemporaryDirectory() as temporary:
        code = "from sweep.cli import command_line; command_line()"
        options = ["--size", "96", "--workers", str(workers), "--out", f"{temporary}/s.h5"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [
                sys.executable,
                "-c",
                code,
                "ingest",
                "images",
                manifest,
                "--images",
                images,
                *options,
            ],
            env={**os.environ, "PYTHONPATH": str(tree)},
            cwd=temporary,  # whose packages would go before those of the tree
            check=True,
            capture_output=True,
        )
        _wait_for_orphans()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def adopt_orphans() -> None:
    """Be the parent of what a command leaves, such as the server that its workers are forked from.

    The CPU time of a process counts for its parent as it is waited for.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _wait_for_orphans() -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def decode_seconds(manifest: Path, images: Path) -> float:
    """CPU time of decoding every picture, and nothing else."""
    with manifest.open(newline="") as file:
        paths = [images / row["file"] for row in csv.DictReader(file)]
    started = time.process_time()
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
    return time.process_time() - started


def measure_pictures(
    manifest: Path, images: Path, against: Path | None, rounds: int, record: Record
) -> None:
    """Print the CPU time of an ingest of pictures, and of what it cannot do without."""
    trees = {"this": Path(__file__).resolve().parents[1], **({"that": against} if against else {})}
    adopt_orphans()
    decoding: list[float] = []
    taken: dict[tuple[int, str], list[float]] = {}
    for _ in range(rounds):
        decoding.append(decode_seconds(manifest, images))
        for workers in (1, 2):
            for name, tree in trees.items():
                used = cpu_seconds(tree, manifest, images, workers)
                taken.setdefault((workers, name), []).append(used)
    floor = statistics.median(decoding)
    print(f"decoding alone  {floor:6.2f} s of CPU time")
    for (workers, name), each in taken.items():
        median = statistics.median(each)
        print(
            f"{workers} workers, {name}  {median:6.2f} s of CPU time, {median / floor:.1f} x that"
        )
        if name == "this":
            record.add(
                "pictures", f"{workers} workers", "CPU time against decoding", median / floor
            )
            if against:
                ratio = statistics.median(taken[workers, "that"]) / median
                record.add("pictures", f"{workers} workers", "times as much before", ratio)


def measure_search(path: Path, rounds: int, record: Record) -> None:
    """Print how long near-duplicates are looked for."""
    store, taken = Store.open(path), []
    for _ in range(rounds):
        started = time.perf_counter()
        found = near_duplicates(store)
        taken.append(time.perf_counter() - started)
    each = statistics.median(taken)
    print(f"near-duplicates in {len(store)} slices, {found.compared} pairs compared: {each:.2f} s")
    record.add("near-duplicates", f"{len(store)} slices of {store.images.shape[1:]}", "s", each)


def _bytes(path: Path, dataset: str) -> int:
    with h5py.File(path) as file:
        return int(file[dataset].nbytes)


def main() -> None:
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=4)
    parser.add_argument("--slices", type=int, default=24, help="of a single-coil volume")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/ingest.json")
    parser.add_argument("--manifest", type=Path, help="of pictures to ingest")
    parser.add_argument("--images", type=Path, help="their folder")
    parser.add_argument("--against", type=Path, help="another checkout that ingests them")
    parser.add_argument("--search", type=Path, nargs="+", default=[], metavar="STORE.h5")
    options = parser.parse_args()
    record = Record("ingest")
    for case in CASES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "volumes"
            slices = options.slices if case.coils == 1 else max(1, options.slices // 6)
            write_volumes(folder, case, options.volumes, slices)
            measure(folder, case, options.rounds, options.workers, record)
    if options.manifest:
        measure_pictures(options.manifest, options.images, options.against, options.rounds, record)
    for path in options.search:
        measure_search(path, options.rounds, record)
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

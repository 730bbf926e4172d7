"""Levels under `stress.grid: auto`: what SSIM they have on other patients, and what they cost.

    python benchmarks/levels.py [DATA] [--sizes 64 96 256 512] [--coils 8] [--artifacts NAME ...]

DATA is the folder of the brain tumour data (default: MRISWEEP_TEST_DATA/data/brain_tumor_mri). Some
slices of every patient are resampled to each size, as `mrisweep ingest` does it; for k-space they
are seen by coils around the head, smooth in magnitude and phase, at 256 x 256. Levels are
calibrated on folds 2 and 4 with the settings of a sweep, and SSIM is measured on fold 3, with
another seed. Nothing comes from the cache; the times are those of a sweep that begins.
"""

import argparse
import csv
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from results import Record

import artifacts_sim
from artifacts_sim.calibration.calibrate import Calibration
from artifacts_sim.calibration.curve import likeness
from sweep.config.settings import Signal
from sweep.ingest.engine import ingest
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.learn.levels import calibrate_all, cores
from sweep.learn.reference import ReferencePlan, StoreSlices, choose
from sweep.store import Store
from sweep.store.fingerprint import fingerprint
from sweep.store.geometry import Frame, Geometry, Sampling
from sweep.store.layout import Form, create
from sweep.store.slices import Slice
from sweep.store.splits import SplitAssigner
from sweep.store.writer import StoreWriter

DATA = Path(os.environ.get("MRISWEEP_TEST_DATA", Path(__file__).resolve().parents[2] / "shared"))
TRAIN, OTHERS = ("2", "4"), ("3",)
PER_PATIENT = 4  # slices of each patient in the stores
CHECKED = 128  # slices of other patients
TIMED_AT = 96
KSPACE_SIZE = 256


def make_store(data: Path, folder: Path, size: int) -> Store:
    """Some slices of every patient, resampled."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    taken, of_patient = [], dict.fromkeys((row["patient"] for row in rows), 0)
    for row in rows:
        of_patient[row["patient"]] += 1
        if of_patient[row["patient"]] <= PER_PATIENT:
            taken.append(row)
    manifest = folder / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(taken)
    plan = plan_images(manifest, data / "images", Making(SplitAssigner(), size=size))
    return ingest(plan, folder / f"brain{size}.h5").store


def seen_by_coils(image: np.ndarray, coils: int) -> np.ndarray:
    """k-space (coil, RO, PE) of a magnitude image, DC at N // 2."""
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij")
    angles = 2 * np.pi * np.arange(coils)[:, None, None] / coils
    away = (rows - 1.2 * np.sin(angles)) ** 2 + (columns - 1.2 * np.cos(angles)) ** 2
    phase = angles + 0.8 * (rows * np.cos(angles) + columns * np.sin(angles))
    seen = image * np.exp(-0.6 * away + 1j * (phase + 0.6 * rows * columns))
    shifted = np.fft.ifftshift(seen, (1, 2))
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), (1, 2)).astype(np.complex64)


def make_kspace_store(images: Store, folder: Path, coils: int) -> Store:
    """The slices of a store as k-space of several coils, beside what is reconstructed of it."""
    shape = images.images.shape[1:]
    sampling = Sampling(coils, *shape, (0, shape[1]))
    slices = [
        Slice(
            key=str(images.keys[row]),
            patient=str(images.patients[row]),
            split=str(images.splits[row]),
            labels=frozenset({images.label_names[int(images.labels[row].argmax())]}),
            origin="benchmark",
            geometry=Geometry(images.pixel_mm([row])[0], sampling=sampling),
        )
        for row in range(len(images))
    ]
    form = Form(shape, images.label_names, images.task, {}, kspace=Frame(coils, *shape))
    path = folder / "kspace.h5"
    create(path, slices, form)
    with StoreWriter.open(path) as draft:
        digests = []
        for row, one in enumerate(slices):
            kspace = seen_by_coils(images.read([row])[0], coils)
            by_coil = np.fft.ifft2(np.fft.ifftshift(kspace, (1, 2)), norm="ortho")
            root = np.sqrt((np.abs(np.fft.fftshift(by_coil, (1, 2))) ** 2).sum(axis=0))
            digests.append(draft.write(row, root.astype(np.float32), kspace, one.origin))
        draft.finish(fingerprint(slices, form, digests))
    return Store.open(path)


def progress(text: str) -> None:
    """Say what is done."""
    print(text, file=sys.stderr, flush=True)


def calibrated(
    store: Store, signal: Signal, names: Sequence[str], slices: int | None = None
) -> tuple[list[Calibration], StoreSlices, float]:
    """The levels, slices of other patients, and the seconds that the levels took."""
    began = time.perf_counter()
    plan = ReferencePlan(TRAIN, slices, slices and slices // 2, signal=signal)
    found = calibrate_all(choose(store, plan), plan, names, cores(), progress)
    took = time.perf_counter() - began
    others = choose(store, ReferencePlan(OTHERS, CHECKED, 1, seed=9, signal=signal)).reference
    return found, others, took


def compare(found: Sequence[Calibration], others: StoreSlices, where: str, record: Record) -> None:
    """Print, and note, the SSIM of every artifact and level on other patients."""
    torch.set_num_threads(1)
    worst = 0.0
    for one in found:
        art, shown = artifacts_sim.get(one.artifact), []
        for level in one.levels:
            if level.knob is None:
                shown.append("-")
                continue
            ssim = likeness(art, others, level.knob, seed=1234).mean_ssim("foreground")
            worst = max(worst, abs(ssim - level.target))
            shown.append(f"{ssim:.2f}")
        print(f"{where:22} {one.artifact:16} {' '.join(shown)}", flush=True)
        record.add("SSIM on other patients at levels 1 to 5", one.artifact, where, " ".join(shown))
    print(f"{where:22} furthest from its target: {worst:.3f}", flush=True)
    record.add("calibrating", where, "furthest from a target", worst)


def main() -> None:
    """Measure each size, then k-space."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=DATA / "data" / "brain_tumor_mri")
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 96, 256, 512])
    parser.add_argument("--coils", type=int, default=8, help="0: no k-space")
    parser.add_argument("--artifacts", nargs="+", default=artifacts_sim.names())
    parser.add_argument("--slices", type=int, help="to calibrate on (default: as many as a sweep)")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/levels.json")
    options = parser.parse_args()
    names = artifacts_sim.expand(options.artifacts)
    record = Record("levels")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for size in options.sizes:
            store, where = make_store(options.data, folder, size), f"{size} x {size}"
            if size == TIMED_AT:
                own = artifacts_sim.families()["search"]
                _, _, took = calibrated(store, "images", own)
                print(f"{where:22} the {len(own)} of `search`: {took:.1f} s on {cores()} cores")
                record.add("calibrating", f"{where}, the {len(own)} of `search`", "seconds", took)
            found, others, took = calibrated(store, "images", names, options.slices)
            record.add("calibrating", where, "seconds", took)
            print(f"{where:22} {len(names)} artifacts: {took:.1f} s", flush=True)
            compare(found, others, where, record)
            store.path.unlink()
        if options.coils:
            images, where = make_store(options.data, folder, KSPACE_SIZE), "k-space"
            store = make_kspace_store(images, folder, options.coils)
            where = f"{options.coils} coils"
            found, others, took = calibrated(store, "kspace", names, options.slices)
            record.add("calibrating", where, "seconds", took)
            print(f"{where:22} {len(names)} artifacts: {took:.1f} s", flush=True)
            compare(found, others, where, record)
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

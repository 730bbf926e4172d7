"""A tiny store whose labels can be learnt."""

from pathlib import Path

import h5py
import numpy as np

from sweep.store import Store, write_store
from sweep.store.slices import Slice

SIZE = 24


def make_store(
    path: Path,
    *,
    patients: int = 24,
    per_patient: int = 4,
    labels: tuple[str, ...] = ("a", "b"),
    size: int = SIZE,
) -> Store:
    """Slices whose label shows as the place of a bright disc, in noise, on a bright background.

    Folds 1, 2 and 3 by patient; multiclass.
    """
    generator = np.random.default_rng(7)
    rows, columns = np.mgrid[:size, :size]
    slices, images = [], []
    for number in range(patients):
        label = number % len(labels)
        for place in range(per_patient):
            centre = 6 + 10 * label / max(1, len(labels) - 1)
            disc = (rows - 12) ** 2 + (columns - centre) ** 2 < 16
            noise = generator.normal(0, 12, (size, size))
            images.append(np.abs(60 + 60 * disc + noise).astype(np.float32))
            slices.append(
                Slice(
                    key=f"p{number}/s{place}",
                    patient=f"p{number}",
                    split=str(1 + number // len(labels) % 3),
                    labels=frozenset({labels[label]}),
                    origin="test",
                )
            )
    return write_store(
        path,
        slices,
        images,
        shape=(size, size),
        label_names=labels,
        task="multiclass",
        source={"test": True},
    )


def change_pixels(path: Path, rows: slice = slice(None)) -> None:
    """Other pixels in the same file, which says of itself what it said before."""
    with h5py.File(path, "r+") as file:
        file["images"][rows] = file["images"][rows] + 1

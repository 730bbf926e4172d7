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


def make_volumes(path: Path, *, patients: int = 12, permuted: bool = False) -> Store:
    """Scans of four slices, numbered 0, 1, 2 and 4, of which the label is that of a whole scan.

    Each slice has a brightness of its own. Every patient has two scans; folds 1, 2 and 3 by
    patient; multiclass. ``permuted`` stores the same slices in another order.
    """
    generator = np.random.default_rng(5)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    made = []
    for number in range(2 * patients):
        patient, scan = divmod(number, 2)
        label = patient % 2
        for place in (0, 1, 2, 4):
            disc = (rows - 6 - 2 * place) ** 2 + (columns - 7 - 9 * label) ** 2 < 16
            noise = generator.normal(0, 12, (SIZE, SIZE))
            image = np.abs((40 + 20 * place) * (1 + disc) + noise).astype(np.float32)
            one = Slice(
                key=f"p{patient}/v{scan}/{place:03d}",
                patient=f"p{patient}",
                split=str(1 + patient // 2 % 3),
                labels=frozenset({"ab"[label]}),
                origin="test",
                scan=f"p{patient}/v{scan}",
                number=place,
            )
            made.append((one, image))
    order = generator.permutation(len(made)) if permuted else range(len(made))
    return write_store(
        path,
        [made[at][0] for at in order],
        [made[at][1] for at in order],
        shape=(SIZE, SIZE),
        label_names=("a", "b"),
        task="multiclass",
        source={"test": True},
    )


def change_pixels(path: Path, rows: slice = slice(None)) -> None:
    """Other pixels in the same file, which says of itself what it said before."""
    with h5py.File(path, "r+") as file:
        file["images"][rows] = file["images"][rows] + 1

"""What is counted of a store: by split, of its intensities, its places and its k-space."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.store import Store
from sweep.store.geometry import Frame, Matrix

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class SplitSummary:
    """Counts of one split.

    Attributes:
        split: Its name.
        patients: How many.
        slices: How many.
        labels: Slices that show each label.
        patients_showing: Patients with a slice that shows each label.
        slices_of_patient: Least, median and greatest number of slices of a patient.

    """

    split: str
    patients: int
    slices: int
    labels: tuple[int, ...]
    patients_showing: tuple[int, ...]
    slices_of_patient: tuple[int, float, int]


@dataclass(frozen=True)
class Intensities:
    """The pixels of one split, in the source's units.

    Attributes:
        split: Its name.
        least: The least of all pixels.
        greatest: The greatest of all pixels.
        typical: The median, over slices, of a slice's greatest pixel.

    """

    split: str
    least: float
    greatest: float
    typical: float


@dataclass(frozen=True)
class KspaceSummary:
    """The k-space kept beside the images.

    Attributes:
        frame: The frame that all of it is zero-filled to.
        sizes: For each (coils, rows, columns) as sampled the number of slices, the most
            first.

    """

    frame: Frame
    sizes: tuple[tuple[Frame, int], ...]


def count_split(store: Store, name: str, chosen: Rows) -> SplitSummary:
    """Count patients, slices and labels among the chosen slices."""
    shown, patients = store.labels[chosen], store.columns["patient"][chosen]
    each = np.unique(patients, return_counts=True)[1]
    return SplitSummary(
        split=name,
        patients=len(each),
        slices=len(chosen),
        labels=tuple(shown.sum(axis=0, dtype=int).tolist()),
        patients_showing=tuple(len(np.unique(patients[column > 0])) for column in shown.T),
        slices_of_patient=(int(each.min()), float(np.median(each)), int(each.max())),
    )


def measure_intensities(store: Store, name: str, chosen: Rows) -> Intensities:
    """Gather what was measured of the chosen slices as they were written; no pixel is read."""
    least, greatest = store.columns["value_range"][chosen].T
    return Intensities(
        split=name,
        least=float(least.min()),
        greatest=float(greatest.max()),
        typical=float(np.median(greatest)),
    )


def count_sequences(store: Store) -> tuple[tuple[str, int], ...]:
    """Count the slices of each pulse sequence, the most first; empty = unknown."""
    return tuple(Counter(store.sequences.tolist()).most_common())


class ValueCount(NamedTuple):
    """How many slices and patients have a value of a column; empty = unknown."""

    value: str
    slices: int
    patients: int


def count_columns(store: Store) -> dict[str, tuple[ValueCount, ...]]:
    """Count the values of each column of the user, that of the most slices first."""
    return {name: _count_values(store, name) for name in store.column_names}


def _count_values(store: Store, name: str) -> tuple[ValueCount, ...]:
    values = store.column(name)
    pairs = set(zip(values.tolist(), store.patients.tolist(), strict=True))
    patients = Counter(value for value, _ in pairs)
    counts = Counter(values.tolist()).most_common()
    return tuple(ValueCount(value, slices, patients[value]) for value, slices in counts)


def count_pixel_sizes(store: Store) -> tuple[tuple[tuple[float, float] | None, int], ...]:
    """Count the slices of each (between rows, between columns) in mm, the most first.

    Sizes are told apart at 0.0001 mm; None = unknown.
    """
    sizes = Counter(
        None if math.isnan(rows + columns) else (rows, columns)
        for rows, columns in store.columns["pixel_mm"].astype(float).round(4).tolist()
    )
    return tuple(sizes.most_common())


def count_native_sizes(store: Store) -> tuple[tuple[Matrix | None, int], ...]:
    """Count the slices of each size before a resize, the most first; None = unknown."""
    return tuple(Counter(store.native(range(len(store)))).most_common())


def count_kspace(store: Store) -> KspaceSummary | None:
    """Count the sizes of the k-space; None where none is kept."""
    if store.frame is None:
        return None
    sampled = Counter(Frame(*sizes) for sizes in store.columns["sampling"][:, :3].tolist())
    return KspaceSummary(store.frame, tuple(sampled.most_common()))

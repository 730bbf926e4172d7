"""What a store holds, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.data.slices import Task
from sweep.data.store import Store


@dataclass(frozen=True)
class SplitSummary:
    """Counts of one split: its patients, its slices, and the slices that show each label."""

    split: str
    patients: int
    slices: int
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """Counts of a store, by split.

    Attributes:
        path: the file.
        fingerprint: the store's.
        task: 'multiclass' or 'multilabel'.
        shape: (H, W) of every slice.
        label_names: in the order of the counts.
        splits: one entry for each split, in the order of their names.
        total: all splits together.

    """

    path: Path
    fingerprint: str
    task: Task
    shape: tuple[int, int]
    label_names: tuple[str, ...]
    splits: tuple[SplitSummary, ...]
    total: SplitSummary

    def text(self) -> str:
        """Lay out a table with a row for each split and, last, one for all of them."""
        head = ["split", "patients", "slices", *self.label_names]
        rows = [head, *(_cells(split) for split in (*self.splits, self.total))]
        height, width = self.shape
        return "\n".join(
            [
                f"{self.path}: {self.task}, {height} x {width}",
                *_aligned(rows),
                f"fingerprint {self.fingerprint}",
            ]
        )


def summarize(store: Store) -> Summary:
    """Count a store's patients, slices and labels."""
    height, width = store.images.shape[1:]
    return Summary(
        path=store.path,
        fingerprint=store.fingerprint,
        task=store.task,
        shape=(height, width),
        label_names=store.label_names,
        splits=tuple(_count(store, name, store.indices([name])) for name in store.split_counts()),
        total=_count(store, "all", np.arange(len(store))),
    )


def _count(store: Store, name: str, chosen: NDArray[np.intp]) -> SplitSummary:
    return SplitSummary(
        split=name,
        patients=len(np.unique(store.patients[chosen])),
        slices=len(chosen),
        labels=tuple(store.labels[chosen].sum(axis=0, dtype=int).tolist()),
    )


def _cells(split: SplitSummary) -> list[str]:
    return [split.split, *map(str, (split.patients, split.slices, *split.labels))]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    ]

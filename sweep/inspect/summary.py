"""What a store holds, for people and for scripts."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.core.text import SHOWN, counted, outlined, size_text, table
from sweep.inspect.counts import (
    Intensities,
    KspaceSummary,
    SplitSummary,
    ValueCount,
    count_columns,
    count_kspace,
    count_native_sizes,
    count_pixel_sizes,
    count_sequences,
    count_split,
    measure_intensities,
)
from sweep.store import Store
from sweep.store.geometry import Matrix
from sweep.store.slices import Task


@dataclass(frozen=True)
class Summary:
    """What a store says of itself; all of it known without reading a pixel.

    Attributes:
        path: The file.
        fingerprint: The store's.
        task: 'multiclass' or 'multilabel'.
        shape: (H, W) of every slice.
        pixels: Type of the stored pixels, 'float32' or 'float16'.
        file_bytes: Size of the file.
        label_names: The label names in the order of the counts.
        splits: One entry for each split, in the order of their names.
        total: All splits together.
        sequences: Slices of each pulse sequence, the most first; empty = unknown.
        columns: Slices and patients of each value of the user's columns.
        pixel_mm: Slices of each (between rows, between columns), the most first; None = unknown.
        native: Slices of each size (rows, columns) in pixels of before a resize, the most first;
            None = unknown.
        intensities: One entry for each split.
        kspace: None where none is kept.
        source: Where the slices come from and how they were prepared.
        caution: What flatters scores by how the store was made; None = nothing that is known.

    """

    path: Path
    fingerprint: str
    task: Task
    shape: tuple[int, int]
    pixels: str
    file_bytes: int
    label_names: tuple[str, ...]
    splits: tuple[SplitSummary, ...]
    total: SplitSummary
    sequences: tuple[tuple[str, int], ...]
    columns: Mapping[str, tuple[ValueCount, ...]]
    pixel_mm: tuple[tuple[tuple[float, float] | None, int], ...]
    native: tuple[tuple[Matrix | None, int], ...]
    intensities: tuple[Intensities, ...]
    kspace: KspaceSummary | None
    source: Mapping[str, Any]
    caution: str | None

    def text(self) -> str:
        """Lay out a table with a row for each split and, last, one for all of them."""
        head = ["split", "patients", "slices", *self.label_names]
        rows = [head, *(_cells(split) for split in (*self.splits, self.total))]
        return "\n".join(
            [
                f"{self.path}: {self.task}, {size_text(self.shape)}",
                *table(rows),
                f"fingerprint {self.fingerprint}",
                *([f"caution: {self.caution}"] if self.caution else []),
            ]
        )

    def details(self) -> str:
        """Lay out everything: the table of ``text``, then what the pixels are, and their source."""
        return "\n".join(
            [
                *(self.text(), ""),
                "patients with a slice that shows the label",
                *table(self._patient_rows()),
                "",
                *self._properties(),
                *self._columns(),
                *("", "intensities, in the source's units"),
                *table(self._intensity_rows()),
                *("", "source"),
                *outlined(self.source),
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """The same as plain values that JSON can say."""
        return {
            **asdict(self),
            "path": str(self.path),
            "sequences": [
                {"name": name or None, "slices": count} for name, count in self.sequences
            ],
            "columns": {
                name: [{**one._asdict(), "value": one.value or None} for one in counts]
                for name, counts in self.columns.items()
            },
            "pixel_mm": [{"size": size, "slices": count} for size, count in self.pixel_mm],
            "native": [{"size": size, "slices": count} for size, count in self.native],
            "kspace": None if self.kspace is None else _plain(self.kspace),
            "source": dict(self.source),
        }

    def _properties(self) -> Iterator[str]:
        megabytes = self.file_bytes / 1e6
        yield f"pixels      {size_text(self.shape)} {self.pixels}, file of {megabytes:,.1f} MB"
        yield f"k-space     {'none' if self.kspace is None else _frame_and_sizes(self.kspace)}"
        sizes = [
            ("unknown" if size is None else f"{size_text(size)} mm", count)
            for size, count in self.pixel_mm
        ]
        yield f"pixel size  {counted(sizes)}"
        resized = [
            (size_text(size), count)
            for size, count in self.native
            if size not in (None, self.shape)
        ]
        if resized:
            yield f"resized     from {counted(resized)}"
        sequences = [(name or "unknown", count) for name, count in self.sequences]
        yield f"sequences   {counted(sequences)}"

    def _columns(self) -> Iterator[str]:
        """A row for each value of each column; of a long list the first ten."""
        if not self.columns:
            return
        rows = [["column", "value", "patients", "slices"]]
        for column, counts in self.columns.items():
            for one in counts[:SHOWN]:
                value = one.value or "unknown"
                rows.append([column, value, str(one.patients), str(one.slices)])
            if more := counts[SHOWN:]:
                rest = str(sum(one.slices for one in more))
                rows.append([column, f"{len(more)} more", "", rest])
        yield from ("", *table(rows, left=(0, 1)))

    def _patient_rows(self) -> list[list[str]]:
        head = ["split", "patients", "slices each", *self.label_names]
        return [head] + [
            [
                one.split,
                str(one.patients),
                _spread(*one.slices_of_patient),
                *map(str, one.patients_showing),
            ]
            for one in (*self.splits, self.total)
        ]

    def _intensity_rows(self) -> list[list[str]]:
        head = ["split", "least", "greatest", "median of each slice's greatest"]
        return [head] + [
            [one.split, f"{one.least:.4g}", f"{one.greatest:.4g}", f"{one.typical:.4g}"]
            for one in self.intensities
        ]


def summarize(store: Store) -> Summary:
    """Count and measure a store by what it says of its slices, reading no pixel."""
    height, width = store.images.shape[1:]
    chosen = {name: store.indices([name]) for name in store.split_counts()}
    return Summary(
        path=store.path,
        fingerprint=store.fingerprint,
        task=store.task,
        shape=(height, width),
        pixels=store.images.dtype.name,
        file_bytes=store.path.stat().st_size,
        label_names=store.label_names,
        splits=tuple(count_split(store, name, rows) for name, rows in chosen.items()),
        total=count_split(store, "all", np.arange(len(store))),
        sequences=count_sequences(store),
        columns=count_columns(store),
        pixel_mm=count_pixel_sizes(store),
        native=count_native_sizes(store),
        intensities=tuple(measure_intensities(store, *one) for one in chosen.items()),
        kspace=count_kspace(store),
        source=store.source,
        caution=store.caution,
    )


def _spread(least: int, median: float, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}, median {median:g}"


def _cells(split: SplitSummary) -> list[str]:
    return [split.split, *map(str, (split.patients, split.slices, *split.labels))]


def _frame_and_sizes(kspace: KspaceSummary) -> str:
    sizes = counted([(size_text(size), count) for size, count in kspace.sizes])
    return f"coils x rows x columns: {sizes}; zero-filled to {size_text(kspace.frame)}"


def _plain(kspace: KspaceSummary) -> dict[str, Any]:
    sizes = [{**size._asdict(), "slices": count} for size, count in kspace.sizes]
    return {"frame": kspace.frame._asdict(), "sizes": sizes}

"""Small stores, pictures and manifests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep.data.slices import Slice
from sweep.data.store import Store, write_store


@dataclass(frozen=True)
class Content:
    """What goes into a store, to be varied one thing at a time."""

    slices: tuple[Slice, ...]
    images: tuple[np.ndarray, ...]
    label_names: tuple[str, ...] = ("tear", "cyst")
    task: str = "multilabel"
    source: Mapping[str, object] = field(default_factory=dict)

    def write(self, path: Path, images: Iterable[np.ndarray] | None = None) -> Store:
        return write_store(
            path,
            self.slices,
            self.images if images is None else images,
            shape=self.images[0].shape,
            label_names=self.label_names,
            task=self.task,
            source=self.source,
        )

    def with_slice(self, place: int, **changes: Any) -> "Content":
        slices = list(self.slices)
        slices[place] = replace(slices[place], **changes)
        return replace(self, slices=tuple(slices))


@pytest.fixture
def content() -> Content:
    """Five slices (4, 6) of three patients in the splits 'train' and '2'."""
    rows = [
        ("ann/0", "ann", "train", {"tear"}),
        ("ann/1", "ann", "train", set()),
        ("bob/0", "bob", "2", {"cyst", "tear"}),
        ("bob/1", "bob", "2", {"cyst"}),
        ("zoë/0", "zoë", "train", set()),
    ]
    slices = tuple(
        Slice(key, patient, split, frozenset(labels), origin=f"line {place}")
        for place, (key, patient, split, labels) in enumerate(rows)
    )
    generator = np.random.default_rng(3)
    images = tuple(generator.random((4, 6), dtype=np.float32) for _ in rows)
    return Content(slices, images)


class Collection:
    """A folder of pictures with a manifest beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = folder / "images"
        self.manifest = folder / "manifest.csv"
        self.images.mkdir(parents=True)

    def add(self, name: str, pixels: np.ndarray | Image.Image, **options: Any) -> None:
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        picture.save(path, **options)

    def describe(self, *rows: Sequence[object], header: str = "file,label,patient") -> None:
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        self.manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Six pictures (8, 8) of three patients, one label each, without folds."""
    made = Collection(tmp_path / "collection")
    generator = np.random.default_rng(5)
    rows = []
    for number in range(6):
        made.add(f"{number}.png", generator.integers(0, 256, (8, 8), dtype=np.uint8))
        rows.append((f"{number}.png", ("tear", "cyst")[number % 2], f"p{number // 2}"))
    made.describe(*rows)
    return made

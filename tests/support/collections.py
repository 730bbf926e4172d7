"""What goes into a store, and folders of pictures with a manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sweep.store import Store, write_store
from sweep.store.slices import Slice


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

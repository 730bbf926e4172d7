"""Writing a store in one go, from images in memory or as they come."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError
from sweep.core.files import replacing
from sweep.store.fingerprint import fingerprint
from sweep.store.layout import Form, PixelType, create
from sweep.store.reader import Store
from sweep.store.slices import Slice, Task, check_slices
from sweep.store.writer import StoreWriter


def refuse_existing(path: Path) -> None:
    """Refuse to write over something.

    Raises:
        UserError: ``path`` exists.

    """
    if path.exists():
        raise UserError(
            "the store exists, and is never overwritten", path, "remove it or choose another name"
        )


def write_store(
    path: Path,
    slices: Sequence[Slice],
    images: Iterable[NDArray[np.float32]],
    *,
    shape: tuple[int, int],
    label_names: Sequence[str],
    task: Task,
    source: Mapping[str, object],
    pixels: PixelType = "float32",
) -> Store:
    """Write a store atomically: ``path`` appears complete or not at all.

    The laws are checked before the first image is asked for, and one image is held at a time.

    Args:
        path: The new file.
        slices: N descriptions, in the order of the images.
        images: N arrays (H, W), in the source's units.
        shape: (H, W).
        label_names: All labels, in the order of the columns to be.
        task: 'multiclass' or 'multilabel'.
        source: Where the slices come from and how they were prepared; anything JSON can say.
        pixels: Type of the stored pixels.

    Returns:
        The new store, open.

    Raises:
        UserError: The file exists, a law of ``check_slices`` is broken, or a value is not finite.
        ValueError: An image of another shape, or images of another number than the slices.

    """
    refuse_existing(path)
    check_slices(slices, label_names, task)
    form = Form(shape, tuple(label_names), task, source, pixels)
    with replacing(path) as temporary:
        create(temporary, slices, form)
        with StoreWriter.open(temporary) as draft:
            pairs = zip(slices, images, strict=True)
            digests = [
                draft.write(row, image, None, one.origin) for row, (one, image) in enumerate(pairs)
            ]
            draft.finish(fingerprint(slices, form, digests))
    return Store.open(path)

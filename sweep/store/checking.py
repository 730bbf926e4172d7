"""That a store is what ``layout`` writes: one file, in which everything lies where it says.

HDF5 lets a name lead to another file: by an external or a soft link, by external storage, by a
virtual dataset. A store has none of these, and one that has is refused before anything is followed.
"""

from typing import Any, NamedTuple

import h5py
import numpy as np

from sweep.store.layout import (
    COLUMN,
    DATASETS,
    KSPACE,
    MEASURED,
    NATIVE,
    OPTIONAL,
    SAMPLING,
    SPACING,
)

TEXT = "text"
PIXELS = ("<f4", "<f2")
COUNT = -1  # of what a store may have any number of
# Of each dataset: the sizes behind the number of slices, and the types.
FORMS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "images": ((COUNT, COUNT), PIXELS),
    "labels": ((COUNT,), ("|u1",)),
    **dict.fromkeys(("slice_key", "scan", "patient", "split", "sequence"), ((), (TEXT,))),
    "number": ((), ("<i4",)),
    "pixel_mm": ((2,), ("<f4",)),
    "thickness_mm": ((), ("<f4",)),
    "orientation": ((2, 3), ("<f4",)),
    SAMPLING: ((5,), ("<i4",)),
    NATIVE: ((2,), ("<i4",)),
    SPACING: ((), ("<f4",)),
    **{name: (shape, (np.dtype(kind).str,)) for name, (shape, kind) in MEASURED.items()},
}


class Place(NamedTuple):
    """Where the values of a dataset lie.

    Attributes:
        offset: The first byte in the file.
        kind: The type of a value.
        shape: How many there are.

    """

    offset: int
    kind: np.dtype[Any]
    shape: tuple[int, ...]


def names(file: h5py.File) -> list[str]:
    """What is in a file; no link is followed for that."""
    return list(file)


def own(group: h5py.Group, name: str) -> Any:
    """What is in a group under a name that it has, if it lies in the same file.

    Raises:
        ValueError: It lies elsewhere.

    """
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name!r} is a link to elsewhere")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        plan = found.id.get_create_plist()
        if plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count():
            raise ValueError(f"{name!r} has its values in other files")
    return found


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """A dataset of a file; raises as ``own`` does, or as it is none."""
    found = own(group, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name!r} is no dataset")
    return found


def places(file: h5py.File, size: int) -> dict[str, Place]:
    """Where every contiguous dataset of a store lies, by name.

    Args:
        file: A file that has all of them.
        size: Of the file, in bytes.

    Raises:
        ValueError: One that is not as a store has it.

    """
    there = names(file)
    found = {
        name: _place(dataset(file, name), name, size)
        for name in (*DATASETS[:-1], *(one for one in OPTIONAL if one in there))
    }
    if COLUMN.strip("/") in there:
        group = own(file, COLUMN.strip("/"))
        if not isinstance(group, h5py.Group):
            raise ValueError("the columns are no group")
        for name in group:
            found[COLUMN + name] = _place(dataset(group, name), COLUMN + name, size)
    _check_sizes(found)
    return found


def check_kspace(file: h5py.File, size: int) -> None:
    """Raise ``ValueError`` unless the k-space of a store is as a store has it."""
    kspace = dataset(file, "kspace")
    shape = kspace.shape
    whole = shape[0] == file["images"].shape[0] and kspace.chunks == (1, *shape[1:])
    whole = whole and not kspace.id.get_create_plist().get_nfilters()
    if kspace.dtype != KSPACE or len(shape) != 4 or min(shape) < 1 or not whole:
        raise ValueError(f"'kspace' is {kspace.dtype} {shape}")
    if SAMPLING not in names(file) or _bytes(KSPACE, shape) > size:
        raise ValueError("'kspace' is larger than the file, or without its sampling")


def _place(found: h5py.Dataset, name: str, size: int) -> Place:
    sizes, kinds = FORMS.get(name, ((), (TEXT,)))
    shape, offset = found.shape, found.id.get_offset()
    text = found.dtype.kind == "S" and TEXT in kinds
    if not (text or found.dtype.str in kinds):
        raise ValueError(f"{name!r} is of the type {found.dtype}")
    fits = len(shape) == 1 + len(sizes) and all(
        one == wanted or (wanted == COUNT and one > 0)
        for one, wanted in zip(shape[1:], sizes, strict=True)
    )
    if not fits:
        raise ValueError(f"{name!r} has the shape {shape}")
    if offset is None or offset + _bytes(found.dtype, shape) > size:
        raise ValueError(f"{name!r} does not lie in the file")
    return Place(offset, found.dtype, shape)


def _check_sizes(found: dict[str, Place]) -> None:
    """Raise ``ValueError`` unless all are of the same slices, of which there are some."""
    count = found["images"].shape[0]
    if not count:
        raise ValueError("it holds no slice")
    if other := [name for name, place in found.items() if place.shape[0] != count]:
        raise ValueError(f"{other[0]!r} is not of {count} slices")


def _bytes(kind: np.dtype[Any], shape: tuple[int, ...]) -> int:
    total = kind.itemsize
    for length in shape:
        total *= int(length)  # of Python, which does not overflow
    return total

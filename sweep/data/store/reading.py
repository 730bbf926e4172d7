"""The store: labelled slices in one HDF5 file that every process of a node maps.

Layout, version 1::

    images     float32 (slice, row, column), contiguous and uncompressed, in the source's units
    labels     uint8   (slice, label), 1 = shown
    patient    string  (slice,)
    slice_key  string  (slice,), unique
    split      string  (slice,), a fold or a named split; one for each patient
    attributes format_version, tool, label_names, task, source (JSON), fingerprint
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.data.slices import Slice, Task, check_slices, multi_hot
from sweep.errors import UserError, nearest
from sweep.files import replacing

FORMAT_VERSION = 1
PIXEL = np.dtype("<f4")
ALIGNMENT = 64  # bytes; without it HDF5 puts the pixels at any offset, even an odd one
DATASETS = ("images", "labels", "patient", "slice_key", "split")
ATTRIBUTES = ("label_names", "task", "source", "fingerprint")
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Store:
    """An open store; all but the pixels is in memory.

    Pickling sends the path and the fingerprint: whoever receives it maps the file anew.

    Attributes:
        path: absolute path of the file.
        images: (N, H, W) float32, a read-only memory map; all processes of a node share its pages.
        labels: (N, L) uint8, 1 = shown.
        patients: (N,) strings.
        keys: (N,) strings, unique; every random draw for a slice starts from its key.
        splits: (N,) strings.
        label_names: the L labels in the order of the columns of ``labels``.
        task: 'multiclass' = exactly one label for each slice; 'multilabel' = independent labels.
        fingerprint: SHA-256 of all of the above except the path.

    """

    path: Path
    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    patients: NDArray[np.str_]
    keys: NDArray[np.str_]
    splits: NDArray[np.str_]
    label_names: tuple[str, ...]
    task: Task
    fingerprint: str

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Map a store; reads no pixel.

        Raises:
            UserError: no such file; not HDF5, truncated or damaged; not a store; another format
                version; pixels that cannot be mapped.

        """
        path = Path(path).resolve()
        with _reading(path) as file:
            _check_format(file, path)
            return cls(
                path=path,
                images=_mapped(file["images"], path),
                labels=_read_only(file["labels"][...]),
                patients=_strings(file["patient"]),
                keys=_strings(file["slice_key"]),
                splits=_strings(file["split"]),
                label_names=tuple(file.attrs["label_names"]),
                task=file.attrs["task"],
                fingerprint=file.attrs["fingerprint"],
            )

    def __reduce__(self) -> tuple[Callable[[Path, str], "Store"], tuple[Path, str]]:
        return _reopen, (self.path, self.fingerprint)

    def __len__(self) -> int:
        return len(self.keys)

    def split_counts(self) -> dict[str, int]:
        """Count the slices of each split, by name of the split."""
        return dict(sorted(Counter(self.splits.tolist()).items()))

    def indices(self, splits: Sequence[str | int]) -> NDArray[np.intp]:
        """Numbers of the slices in the given splits, ascending.

        Raises:
            UserError: a split that is not in the store.

        """
        names = [str(split) for split in splits]
        counts = self.split_counts()
        for name in names:
            if name not in counts:
                known = ", ".join(f"{split!r} ({count} slices)" for split, count in counts.items())
                raise UserError(
                    f"A split must be in the store, and {name!r} is not in {self.path}, "
                    f"which has {known}; {nearest(name, counts)}"
                )
        return np.flatnonzero(np.isin(self.splits, names))


def refuse_existing(path: Path) -> None:
    """Refuse to write over something.

    Raises:
        UserError: ``path`` exists.

    """
    if path.exists():
        raise UserError(
            f"A store is never overwritten, and {path} exists. Remove it or choose another name."
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
) -> Store:
    """Write a store atomically: ``path`` appears complete or not at all.

    The laws are checked before the first image is asked for, and one image is held at a time.

    Args:
        path: the new file.
        slices: N descriptions, in the order of the images.
        images: N arrays (H, W), in the source's units.
        shape: (H, W).
        label_names: all labels, in the order of the columns to be.
        task: 'multiclass' or 'multilabel'.
        source: where the slices come from and how they were prepared; anything JSON can say.

    Returns:
        The new store, open.

    Raises:
        UserError: the file exists, or a law of ``check_slices`` is broken.
        ValueError: an image of another shape, with a value that is not finite, or images of
            another number than the slices.

    """
    refuse_existing(path)
    check_slices(slices, label_names, task)
    with replacing(path) as temporary, _creating(temporary) as file:
        _write_slices(file, slices, label_names)
        digest = _metadata_digest(slices, shape, label_names, task)
        pixels = file.create_dataset("images", (len(slices), *shape), PIXEL)
        for place, (one, image) in enumerate(zip(slices, images, strict=True)):
            pixels[place] = _checked(image, shape, one)
            digest.update(np.ascontiguousarray(image, PIXEL).data)
        for axis, name in zip(pixels.dims, ("slice", "row", "column"), strict=True):
            axis.label = name
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["tool"] = _tool()
        file.attrs["label_names"] = list(label_names)
        file.attrs["task"] = task
        file.attrs["source"] = json.dumps(source, sort_keys=True)
        file.attrs["fingerprint"] = digest.hexdigest()
    return Store.open(path)


def _creating(path: Path) -> h5py.File:
    return h5py.File(path, "w", alignment_threshold=1, alignment_interval=ALIGNMENT)


def _write_slices(file: h5py.File, slices: Sequence[Slice], label_names: Sequence[str]) -> None:
    text = h5py.string_dtype("utf-8")
    file.create_dataset("labels", data=multi_hot(slices, label_names))
    file.create_dataset("patient", data=[one.patient for one in slices], dtype=text)
    file.create_dataset("slice_key", data=[one.key for one in slices], dtype=text)
    file.create_dataset("split", data=[one.split for one in slices], dtype=text)


def _metadata_digest(
    slices: Sequence[Slice], shape: tuple[int, int], label_names: Sequence[str], task: Task
) -> "hashlib._Hash":
    rows = [[one.key, one.patient, one.split, *sorted(one.labels)] for one in slices]
    return hashlib.sha256(json.dumps([task, list(label_names), list(shape), rows]).encode())


def _checked(image: NDArray[np.float32], shape: tuple[int, int], one: Slice) -> NDArray[np.float32]:
    if image.shape != shape:
        raise ValueError(f"images are {shape}; received {image.shape} at {one.origin}")
    if not np.isfinite(image).all():
        raise ValueError(f"pixels are finite; received nan or infinity at {one.origin}")
    return image


def _tool() -> str:
    try:
        return f"mrisweep {version('mrisweep')}"
    except PackageNotFoundError:
        return "mrisweep, run from source"


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    if not path.is_file():
        raise UserError(f"A store is a file, and there is none at {path}. Run 'mrisweep ingest'.")
    kind = "truncated or damaged" if h5py.is_hdf5(path) else "not an HDF5 file"
    try:
        # The file never changes once it has its name, and locks fail on some shared file systems.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except OSError as error:
        raise UserError(
            f"A store is a readable HDF5 file; {path} is {kind} ({error}). Ingest the data again."
        ) from error


def _check_format(file: h5py.File, path: Path) -> None:
    found = file.attrs.get("format_version")
    if found != FORMAT_VERSION:
        is_store = "has no format version" if found is None else f"has version {found}"
        raise UserError(
            f"This program reads stores of format version {FORMAT_VERSION}; {path} {is_store}. "
            "Ingest the data again with this program."
        )
    missing = [name for name in DATASETS if name not in file]
    missing += [name for name in ATTRIBUTES if name not in file.attrs]
    if missing:
        raise UserError(
            f"A store has {', '.join(DATASETS + ATTRIBUTES)}; {path} lacks {', '.join(missing)}. "
            "Ingest the data again."
        )


def _mapped(dataset: h5py.Dataset, path: Path) -> NDArray[np.float32]:
    offset = dataset.id.get_offset()
    if dataset.ndim != 3 or dataset.dtype != PIXEL or offset is None:
        raise UserError(
            "The images of a store are float32 (slice, row, column), contiguous and uncompressed; "
            f"{path} holds {dataset.dtype} {dataset.shape}, chunks {dataset.chunks}. "
            "Ingest the data again."
        )
    return np.memmap(path, PIXEL, "r", offset, dataset.shape)


def _strings(dataset: h5py.Dataset) -> NDArray[np.str_]:
    return _read_only(np.array(dataset.asstr()[...], np.str_))


def _read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array


def _reopen(path: Path, fingerprint: str) -> Store:
    store = Store.open(path)
    if store.fingerprint != fingerprint:
        raise UserError(
            f"A store does not change under a running sweep; {path} had the fingerprint "
            f"{fingerprint} and now has {store.fingerprint}. Put the first store back."
        )
    return store

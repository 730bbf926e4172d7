"""What a store looks like on disk, and where each of its values lies.

Format version 3, one HDF5 file; every dataset but ``kspace`` is contiguous and uncompressed::

    images           float32 or float16 (slice, row, column); times ``scale``: the source's units
    scale            float32 (slice,), a power of two; 1 for float32
    kspace           complex64 (slice, coil, RO, PE), a chunk for each slice, zero-filled to one
                     frame with DC at N // 2; only where k-space was kept
    sampling         int32 (slice, 5): coils, rows, columns of the slice's own k-space, first
                     acquired line and the one after the last; only with ``kspace``
    labels           uint8 (slice, label), 1 = shown
    slice_key        string (slice,), unique: ``scan``, or ``scan/number``
    scan             string (slice,), what was scanned as one: a volume, or a single picture
    number           int32 (slice,), place in the scan from 0; -1 = the source numbers none
    patient          string (slice,)
    split            string (slice,), a fold or a named split; one for each patient
    sequence         string (slice,), empty = unknown
    pixel_mm         float32 (slice, 2): between rows, between columns; NaN = unknown
    native           int32 (slice, 2): rows, columns of what the image shows, in pixels of before
                     it was resized; 0 = unknown; only where one is known
    thickness_mm     float32 (slice,); NaN = unknown
    orientation      float32 (slice, 2, 3): unit vectors along a row and down a column, in DICOM's
                     patient coordinates; NaN = unknown
    column/NAME      string (slice,), a column that the user asked for, such as ``column/site``;
                     empty = unknown; only where there is one
    value_range      float32 (slice, 2): least and greatest pixel
    perceptual_hash  uint64 (slice,), see ``sweep.store.digests``
    digest           uint8 (slice, 32): SHA-256 of the slice's pixels and k-space as stored
    fingerprint      string (): SHA-256 of the description and of all digests
    attributes       format_version, tool, label_names, task, source (JSON)

HDF5 writes the file once, with every dataset in its final size and nothing in them. From then on
values go straight to their places, from any process and in any order: no half-written HDF5
structure can be left behind, whenever a process dies.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.core.files import refused_by_system, replacing
from sweep.store.geometry import Frame, Geometry
from sweep.store.slices import Slice, Task, column_names, multi_hot

FORMAT_VERSION = 3
ALIGNMENT = 64  # bytes; without it HDF5 puts the pixels at any offset, even an odd one
PixelType = Literal["float32", "float16"]
KSPACE = np.dtype("<c8")
ATTRIBUTES = ("label_names", "task", "source")
DESCRIBED = (
    *("labels", "slice_key", "scan", "number", "patient", "split", "sequence"),
    *("pixel_mm", "thickness_mm", "orientation"),
)
UNNUMBERED = -1  # in place of the number of a slice that its source does not number
SAMPLING = "sampling"  # described, too, where there is k-space
NATIVE = "native"  # described, too, where it is known; stores from before it came have none
OPTIONAL = (SAMPLING, NATIVE)
COLUMN = "column/"  # before the names of the user's columns, described, too, where there are any
NO_MATRIX = (0, 0)  # in place of the native size of a slice that nothing is known of
MEASURED = {  # of each slice, as its pixels are stored: shape and type of one value
    "scale": ((), "<f4"),
    "value_range": ((2,), "<f4"),
    "perceptual_hash": ((), "<u8"),
    "digest": ((32,), "u1"),
}
DATASETS = ("images", *DESCRIBED, *MEASURED, "fingerprint")


@dataclass(frozen=True)
class Form:
    """What all slices of a store have in common.

    Attributes:
        shape: (H, W) of every image.
        label_names: The label names in the order of the columns of the labels.
        task: 'multiclass' or 'multilabel'.
        source: Where the slices come from and how they were prepared; anything JSON can say.
        pixels: Type of the stored pixels.
        kspace: The sizes that all k-space is zero-filled to; None: none is kept.

    """

    shape: tuple[int, int]
    label_names: tuple[str, ...]
    task: Task
    source: Mapping[str, object]
    pixels: PixelType = "float32"
    kspace: Frame | None = None

    @property
    def bytes_of_slice(self) -> int:
        """What the pixels and the k-space of a slice take on disk."""
        pixels = math.prod(self.shape) * np.dtype(self.pixels).itemsize
        return pixels + (math.prod(self.kspace) * KSPACE.itemsize if self.kspace else 0)


def create(path: Path, slices: Sequence[Slice], form: Form) -> None:
    """Write a store with all that is said of its slices, and room for the rest, atomically."""
    with (
        replacing(path) as temporary,
        refused_by_system(path),
        h5py.File(temporary, "w", alignment_threshold=1, alignment_interval=ALIGNMENT) as file,
    ):
        for name, values in descriptions(slices, form).items():
            file.create_dataset(name, data=values)
        for name, (shape, kind) in MEASURED.items():
            _reserve(file, name, (len(slices), *shape), np.dtype(kind))
        _reserve(file, "fingerprint", (), h5py.string_dtype("ascii", 64))
        _reserve_pixels(file, len(slices), form)
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["tool"] = _tool()
        file.attrs["label_names"] = list(form.label_names)
        file.attrs["task"] = form.task
        file.attrs["source"] = json.dumps(form.source)


def offset_of(dataset: h5py.Dataset) -> int:
    """First byte of a contiguous dataset in its file."""
    offset: int | None = dataset.id.get_offset()
    if offset is None:
        raise ValueError(f"the dataset is not contiguous; received {dataset.name}")
    return offset


def chunk_offsets(dataset: h5py.Dataset) -> NDArray[np.int64]:
    """First byte of each slice's chunk in the file, (slice,)."""
    offsets = np.full(len(dataset), -1, np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        offsets[chunk.chunk_offset[0]] = chunk.byte_offset

    dataset.id.chunk_iter(note)
    return offsets


def rooms_of(path: Path) -> list[tuple[int, int]]:
    """First byte and end of each place that ``create`` leaves to others, in their order."""
    with h5py.File(path, "r", locking=False) as file:
        left = [file[name] for name in ("images", *MEASURED, "fingerprint")]
        rooms = [(offset_of(one), one.nbytes) for one in left]
        if "kspace" in file:
            chunk = file["kspace"].nbytes // len(file["kspace"])
            rooms += [(offset, chunk) for offset in chunk_offsets(file["kspace"]).tolist()]
    return sorted((start, start + length) for start, length in rooms)


def frame_slices(frame: Frame, coils: int, rows: int, columns: int) -> tuple[slice, slice, slice]:
    """Where k-space of these sizes lies in its frame; the centres N // 2 coincide."""
    top, left = frame.rows // 2 - rows // 2, frame.columns // 2 - columns // 2
    return slice(0, coils), slice(top, top + rows), slice(left, left + columns)


def descriptions(slices: Sequence[Slice], form: Form) -> dict[str, NDArray[np.generic]]:
    """All that is said of the slices, by name of the dataset, as it is stored."""
    geometries = [one.geometry for one in slices]
    values: dict[str, NDArray[np.generic]] = {
        "labels": multi_hot(slices, form.label_names),
        "slice_key": _text([one.key for one in slices]),
        "scan": _text([one.scan for one in slices]),
        "number": np.array(
            [UNNUMBERED if one.number is None else one.number for one in slices], "<i4"
        ),
        "patient": _text([one.patient for one in slices]),
        "split": _text([one.split for one in slices]),
        "sequence": _text([one.sequence for one in slices]),
        "pixel_mm": _numbers([one.pixel_mm for one in geometries], (2,)),
        "thickness_mm": _numbers([one.thickness_mm for one in geometries], ()),
        "orientation": _numbers([one.orientation for one in geometries], (2, 3)),
    }
    if form.kspace is not None:
        values[SAMPLING] = np.array([_sampling(one) for one in geometries], "<i4")
    if any(one.native for one in geometries):
        values[NATIVE] = np.array([one.native or NO_MATRIX for one in geometries], "<i4")
    for name in column_names(slices):
        values[COLUMN + name] = _text([one.columns.get(name, "") for one in slices])
    return values


def _number(one: Slice) -> int:
    return UNNUMBERED if one.number is None else one.number


def _text(texts: Sequence[str]) -> NDArray[np.generic]:
    encoded = [text.encode() for text in texts]
    longest = max(1, *map(len, encoded))
    return np.array(encoded, h5py.string_dtype("utf-8", longest))


def _numbers(values: Sequence[object], shape: tuple[int, ...]) -> NDArray[np.generic]:
    unknown = np.full(shape, np.nan)
    return np.array([unknown if value is None else value for value in values], "<f4")


def _sampling(geometry: Geometry) -> tuple[int, ...]:
    sampling = geometry.sampling
    if sampling is None:
        raise ValueError("a slice with k-space does not say how it was sampled; received none")
    return sampling.coils, sampling.rows, sampling.columns, *sampling.acquired


def _reserve_pixels(file: h5py.File, count: int, form: Form) -> None:
    kind = np.dtype(form.pixels).newbyteorder("<")
    images = _reserve(file, "images", (count, *form.shape), kind)
    _name_axes(images, "slice", "row", "column")
    if form.kspace is not None:
        kspace = _reserve(file, "kspace", (count, *form.kspace), KSPACE, chunk=(1, *form.kspace))
        _name_axes(kspace, "slice", "coil", "RO", "PE")


def _reserve(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    kind: np.dtype[np.generic],
    chunk: tuple[int, ...] | None = None,
) -> h5py.Dataset:
    """Give a dataset its place now and its values never."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plan.set_obj_track_times(False)  # the same data give the same bytes
    if chunk is not None:
        plan.set_chunk(chunk)
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    stored = h5py.h5t.py_create(kind, logical=True)
    return h5py.Dataset(h5py.h5d.create(file.id, name.encode(), stored, space, plan))


def _name_axes(dataset: h5py.Dataset, *names: str) -> None:
    for axis, name in zip(dataset.dims, names, strict=True):
        axis.label = name


def _tool() -> str:
    try:
        return f"mrisweep {version('mrisweep')}"
    except PackageNotFoundError:
        return "mrisweep, run from source"

"""NIfTI files (.nii, .nii.gz, .hdr with .img): where a volume lies, and its planes."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Pair
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.core.text import size_text
from sweep.ingest.formats.planes import (
    Axis,
    Format,
    Grid,
    Outline,
    Section,
    View,
    sections_of,
    view_along,
)

LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MM = {1: 1000.0, 3: 0.001}  # of the header's codes for metre and micrometre; the rest means mm
SPATIAL_UNIT = 0b111  # its bits in xyzt_units
REAL_KINDS = "iuf"
UNCOMPRESSED = (".nii", ".img")
LOG = logging.getLogger("nibabel.global")


def outline(path: Path, axis: Axis) -> Outline:
    """Read the header of a volume.

    As stored, i runs along a row, j down a column and k from slice to slice; where the header
    names another slice dimension, that one does, and the other two keep their order.

    Raises:
        UnusableError: Not a NIfTI file, truncated, colour, complex, not three-dimensional, empty;
            or an anatomical axis where the header does not say how the patient lies.

    """
    with _reading(path):
        image = _open(path)
        grid = _acquired(image).grid(_stored(image))
        seen = view_along(grid, axis, str(path)).grid(grid)
        count, height, width = seen.shape
        return Outline(_files(image), (height, width), (seen.geometry,) * count)


def sections(path: Path, axis: Axis, numbers: Sequence[int]) -> Iterator[Section]:
    """Read a volume and give its numbered planes, scaled as the header says (slope, intercept).

    Raises:
        UnusableError: See ``outline``; or a value that is not finite.

    """
    with _reading(path):
        image = _open(path)
        stored, acquired = _stored(image), _acquired(image)
        grid = acquired.grid(stored)
        view = view_along(grid, axis, str(path))
        volume = acquired.array(_voxels(image, path).reshape(stored.shape))
    yield from sections_of(volume, grid, view, numbers)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn nibabel's errors into ours, and keep its log of mended headers to itself."""
    level = LOG.level
    LOG.setLevel(logging.CRITICAL + 1)
    wrong, remedy = "the volume is not a readable NIfTI file", "repair the file or remove its rows"
    try:
        with broken_is_unusable(wrong, path, remedy):
            yield
    finally:
        LOG.setLevel(level)


def _open(path: Path) -> Nifti1Pair:
    image = nibabel.load(path, mmap=False)
    if not isinstance(image, Nifti1Pair):
        raise UnusableError(
            "the volume is not a NIfTI file",
            f"{path} ({type(image).__name__})",
            "convert it to NIfTI",
        )
    dtype, shape = _dtype(image), image.shape
    if dtype.kind not in REAL_KINDS:
        raise UnusableError(
            "the voxels are not real numbers",
            f"{path} with voxels {_kind(dtype)}",
            "save one channel, or the magnitude",
        )
    if len(shape) < 2 or any(length != 1 for length in shape[3:]) or min(shape) < 1:
        raise UnusableError(
            "the file does not hold one volume with three axes and at least one voxel",
            f"{path} of size {size_text(shape)}",
            "save each volume alone",
        )
    _check_length(image, path)
    return image


def _dtype(image: Nifti1Pair) -> np.dtype[np.generic]:
    """Of the voxels as they are stored."""
    proxy: Any = image.dataobj
    dtype: np.dtype[np.generic] = proxy.dtype
    return dtype


def _kind(dtype: np.dtype[np.generic]) -> str:
    return "in colour" if dtype.fields else "complex" if dtype.kind == "c" else str(dtype)


def _check_length(image: Nifti1Pair, path: Path) -> None:
    """Find a truncated file by its length; a compressed one shows when it is read."""
    proxy: Any = image.dataobj
    file = Path(proxy.file_like)
    length = file.stat().st_size
    needed = proxy.offset + math.prod(image.shape) * _dtype(image).itemsize
    if file.suffix.lower() in UNCOMPRESSED and length < needed:
        raise UnusableError(
            "the file is truncated: it ends before the last voxel that its header promises",
            f"{path} with {length} of {needed} bytes",
            "copy or convert it again",
        )


def _files(image: Nifti1Pair) -> tuple[Path, ...]:
    """The file of the voxels, and the header's where it has its own."""
    return tuple(sorted(Path(str(holder.filename)) for holder in image.file_map.values()))


def _stored(image: Nifti1Pair) -> Grid:
    """Where voxel (i, j, k) lies."""
    header = image.header
    shape = (*image.shape, 1)[:3]
    mm = MM.get(int(header["xyzt_units"]) & SPATIAL_UNIT, 1.0)
    affine = LPS_OF_RAS @ np.diag([mm, mm, mm, 1.0]) @ image.affine
    oriented = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return Grid((shape[0], shape[1], shape[2]), affine, oriented)


def _acquired(image: Nifti1Pair) -> View:
    """(k, j, i): what varies fastest in the file runs along a row."""
    header: Any = image.header
    slices = header.get_dim_info()[2]
    slices = 2 if slices is None else slices
    column, row = (axis for axis in range(3) if axis != slices)
    return View((slices, row, column))


def _voxels(image: Nifti1Pair, path: Path) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as infinite
        values = np.asarray(image.get_fdata(caching="unchanged", dtype=np.float32))
    if bad := values.size - np.count_nonzero(np.isfinite(values)):
        raise UnusableError(
            "voxels are NaN, infinite or beyond 32-bit float",
            f"{bad} of {values.size} in {path}",
            "replace them, or remove the file's rows",
        )
    return values


NIFTI = Format("nifti", outline, sections, names_patients=False)

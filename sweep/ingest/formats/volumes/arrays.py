"""NumPy's files (.npy, .npz): volumes as (slice, row, column), of which no place is known."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, nearest
from sweep.core.text import size_text
from sweep.ingest.formats.planes import Grid
from sweep.ingest.formats.volumes.scan import SLICES_FIRST, Scan, refuse_shape

COLOURS = (3, 4)  # lengths of a last axis that is one of channels


def open_npy(path: Path) -> Scan:
    """Read the header of an array: (H, W), (slice, H, W) or (volume, slice, H, W).

    Raises:
        UnusableError: An array of Python objects, of another shape, or in colour.

    """
    with path.open("rb") as file:
        shape, dtype = _header(file, path)
        starts = file.tell()
    return _scan(path, shape, dtype, lambda: np.load(path, "r", allow_pickle=False), starts)


def open_npz(path: Path, array: str | None) -> Scan:
    """Read the header of one of the arrays, see ``open_npy``.

    Args:
        path: The file.
        array: The name of the array; None = the only one.

    Raises:
        UnusableError: No such array, or several and no name; see ``open_npy``.

    """
    with zipfile.ZipFile(path) as file:
        names = [name.removesuffix(".npy") for name in file.namelist()]
        if array is None and len(names) != 1:
            raise UnusableError(
                "the file does not hold one array alone",
                f"{path} with {', '.join(names) or 'none'}",
                "say which by --array NAME" if names else "remove its rows",
            )
        chosen = names[0] if array is None else array
        if chosen not in names:
            raise UnusableError(
                "the file has no array of this name",
                f"{chosen!r} in {path} ({nearest(chosen, names)})",
                "correct --array, or remove the file's rows",
            )
        with file.open(f"{chosen}.npy") as member:
            shape, dtype = _header(member, path)

    def load() -> NDArray[np.generic]:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[chosen])

    return _scan(path, shape, dtype, load, None)


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = npy.read_magic(file)
    reads: dict[tuple[int, int], Any] = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    if version not in reads:
        raise UnusableError(
            "the array is of a version of the format that holds no numbers alone",
            f"{path} of version {version[0]}.{version[1]}",
            "save an array of real numbers",
        )
    shape, _, dtype = reads[version](file)
    return shape, dtype


def _scan(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    load: Callable[[], NDArray[np.generic]],
    starts: int | None,
) -> Scan:
    axes = shape[:-1] if shape[-1:] == (1,) and len(shape) > 2 else shape
    if len(axes) not in (2, 3, 4) or min(axes) < 1:
        raise refuse_shape(path, size_text(shape))
    if len(axes) > 2 and axes[-1] in COLOURS:
        raise UnusableError(
            "the last axis of the array is one of channels, as of pictures in colour",
            f"{path} of size {size_text(shape)}",
            "save one channel, as (slice, row, column)",
        )
    count, slices, rows, columns = (*[1] * (4 - len(axes)), *axes)
    grid = Grid((slices, rows, columns), None)

    def voxels(number: int) -> NDArray[np.generic]:
        return np.asarray(load().reshape(count, *grid.shape)[number])

    return Scan((path,), grid, SLICES_FIRST, count, dtype, voxels, starts)

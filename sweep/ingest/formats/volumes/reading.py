"""From a file of any format of volumes to its planes: the reader is chosen by the suffix."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.core.text import number_of
from sweep.ingest.formats.planes import Axis, Format, Outline, Section, sections_of, view_along
from sweep.ingest.formats.volumes.arrays import open_npy, open_npz
from sweep.ingest.formats.volumes.itk import open_itk
from sweep.ingest.formats.volumes.nifti import open_mgh, open_nifti
from sweep.ingest.formats.volumes.scan import REAL_KINDS, Scan
from sweep.ingest.formats.volumes.stack import open_stack

NotFinite = Literal["refuse", "zero"]
LOG = logging.getLogger("nibabel.global")  # where nibabel tells of headers that it mends
OPENERS: Mapping[str, Callable[[Path], Scan]] = {
    **dict.fromkeys((".nii", ".hdr", ".img"), open_nifti),
    **dict.fromkeys((".nii.gz", ".hdr.gz", ".img.gz", ".nii.bz2"), open_nifti),
    **dict.fromkeys((".mgh", ".mgz"), open_mgh),
    **dict.fromkeys((".mha", ".mhd", ".nrrd", ".nhdr"), open_itk),
    **dict.fromkeys((".tif", ".tiff"), open_stack),
    ".npy": open_npy,
}
NPZ = ".npz"
SUFFIXES = (*OPENERS, NPZ)


class Choices(NamedTuple):
    """How files are read, where there is a choice.

    Attributes:
        array: The array of an .npz file; None = its only one.
        nan: What becomes of voxels that are NaN or infinite; 'zero': they are 0.

    """

    array: str | None = None
    nan: NotFinite = "refuse"


AS_THEY_ARE = Choices()


def volume_format(choices: Choices = AS_THEY_ARE, number: int | None = None) -> Format:
    """The format of all files of volumes other than DICOM.

    Args:
        choices: How they are read.
        number: Which volume of a file is meant, from 0; None = its only one.

    """
    return Format(
        kind="volumes",
        outline=partial(outline, choices=choices, number=number),
        sections=partial(sections, choices=choices, number=number),
        names_patients=False,
        numbered=partial(volume_format, choices),
        options={
            **({"array": choices.array} if choices.array else {}),
            **({"nan": choices.nan} if choices.nan != "refuse" else {}),
        },
    )


def outline(
    path: Path, axis: Axis, choices: Choices = AS_THEY_ARE, number: int | None = None
) -> Outline:
    """Read the header of a file, and where voxels may be set to 0 all of them, to count these.

    Raises:
        UnusableError: No format that is read; damaged, truncated, colour, complex, of other than
            three axes, empty; several volumes and no number; no volume of this number; an
            anatomical axis where the header does not say how the patient lies.

    """
    with _reading(path):
        scan = _scan(path, choices)
        place = _place(scan, number, path)
        grid = scan.acquired.grid(scan.grid)
        seen = view_along(grid, axis, str(path)).grid(grid)
        count, height, width = seen.shape
        zeroed = _finite(scan.voxels(place), path, choices)[1] if choices.nan == "zero" else 0
        return Outline(
            scan.paths, (height, width), (seen.geometry,) * count, zeroed=zeroed, grid=grid
        )


def sections(
    path: Path,
    axis: Axis,
    numbers: Sequence[int],
    choices: Choices = AS_THEY_ARE,
    number: int | None = None,
) -> Iterator[Section]:
    """Read a volume and give its numbered planes, scaled as the header says (slope, intercept).

    Raises:
        UnusableError: See ``outline``; or a value that is not finite.

    """
    with _reading(path):
        scan = _scan(path, choices)
        grid = scan.acquired.grid(scan.grid)
        view = view_along(grid, axis, str(path))
        voxels, _ = _finite(scan.voxels(_place(scan, number, path)), path, choices)
        volume = scan.acquired.array(voxels.reshape(scan.grid.shape))
    yield from sections_of(volume, grid, view, numbers)


def stored(path: Path, number: int | None = None) -> tuple[NDArray[np.generic], Scan]:
    """Read a volume as it is stored, whatever its values are; in the shape of the scan's grid.

    Also one of truth values, which masks are and images are not.

    Raises:
        UnusableError: See ``outline``.

    """
    with _reading(path):
        scan = _scan(path, AS_THEY_ARE, (*REAL_KINDS, "b"))
        place = _place(scan, number if scan.count > 1 else None, path)
        return scan.voxels(place).reshape(scan.grid.shape), scan


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what libraries raise into our error, and keep what they say of mended files away."""
    level = LOG.level
    LOG.setLevel(logging.CRITICAL + 1)
    wrong, remedy = "the volume is not a readable file", "repair the file or remove its rows"
    try:
        with warnings.catch_warnings(), broken_is_unusable(wrong, path, remedy):
            warnings.simplefilter("ignore")
            yield
    finally:
        LOG.setLevel(level)


def _scan(path: Path, choices: Choices, kinds: Sequence[str] = REAL_KINDS) -> Scan:
    name = path.name.lower()
    if name.endswith(NPZ):
        scan = open_npz(path, choices.array)
    else:
        suffixes = [suffix for suffix in OPENERS if name.endswith(suffix)]
        if not suffixes:
            raise UnusableError(
                "the file is of no format of volumes that is read here",
                path,
                f"give one of {', '.join(OPENERS)}, {NPZ}; DICOM goes by `mrisweep ingest dicom`",
            )
        scan = OPENERS[suffixes[0]](path)
    scan.check(path, kinds)
    return scan


def _place(scan: Scan, number: int | None, path: Path) -> int:
    if number is None and scan.count > 1:
        raise UnusableError(
            "the file holds several volumes, and the manifest does not say which is meant",
            f"{path} with {scan.count} volumes",
            "add a column 'volume' with its number, from 0",
        )
    place = number or 0
    if place >= scan.count:
        raise UnusableError(
            "the manifest names a volume that the file does not have",
            f"volume {place} of {path} with {number_of(scan.count, 'volume')}, counted from 0",
            "correct the column 'volume'",
        )
    return place


def _finite(
    values: NDArray[np.generic], path: Path, choices: Choices
) -> tuple[NDArray[np.float32], int]:
    """The voxels as float32, and how many of them were set to 0."""
    zeroed = 0
    if choices.nan == "zero" and values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        zeroed = int(np.count_nonzero(bad))
        values = np.where(bad, 0, values) if zeroed else values
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as infinite
        voxels = np.asarray(values, np.float32)
    if left := voxels.size - np.count_nonzero(np.isfinite(voxels)):
        raise UnusableError(
            "voxels are NaN, infinite or beyond 32-bit float",
            f"{left} of {voxels.size} in {path}",
            "replace them, give --nan zero where they lie outside the head, or remove the file's "
            "rows",
        )
    return voxels, zeroed

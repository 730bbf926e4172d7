"""Masks: pictures and volumes whose values say which finding a pixel of another image shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import SHOWN, number_of, size_text
from sweep.ingest.formats.decoding import decoded_mask, opened
from sweep.ingest.formats.marks.marking import BACKGROUND, Marking
from sweep.ingest.formats.pixels import one_channel
from sweep.ingest.formats.planes import Axis, Grid, View, view_along, view_onto

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
NEAR = 0.25  # of a voxel's shortest edge: voxels that are less apart are at one place


@dataclass(frozen=True)
class Mask:
    """What a mask says of each plane of its image.

    Attributes:
        areas: For each plane the labels that it shows, with their pixels.
        placed: Whether the planes were found by where both lie; otherwise by their numbers.
        unnamed: The values that are one label together, as they have no names.

    """

    areas: tuple[Mapping[str, int], ...]
    placed: bool
    unnamed: frozenset[int]


def read_mask(path: Path, volume: int | None, grid: Grid, axis: Axis, marking: Marking) -> Mask:
    """Measure a mask on the planes of its image.

    Where the mask says how it lies, its voxels have to lie where those of the image do, in whatever
    order either is stored; otherwise it is taken pixel for pixel, as (slice, row, column).

    Args:
        path: A picture, or a volume of any format but DICOM.
        volume: Which volume of the image is meant, and of the mask where that has several, too.
        grid: The image as (slice, row, column), as it was acquired.
        axis: The axis that the planes lie along.
        marking: What the values mean.

    Raises:
        UnusableError: It cannot be read; DICOM; another grid; values that are not whole or have no
            name.

    """
    values, own, acquired = _read(path, volume)
    placed = own.affine is not None and own.oriented
    seen = _view_onto(own, grid, path) if placed else acquired
    values = seen.array(values)
    if values.shape != grid.shape:
        raise _refuse_grid(
            f"{path} of size {size_text(values.shape)}, its image of {size_text(grid.shape)}"
        )
    planes = view_along(grid, axis, str(path)).array(_whole(values, path))
    found = frozenset(map(int, np.unique(planes[planes != BACKGROUND])))
    counts = {
        label: np.count_nonzero(np.isin(planes, its), axis=(1, 2))
        for label, its in _meaning(found, marking, path).items()
    }
    areas = tuple(
        {label: int(count[number]) for label, count in counts.items() if count[number]}
        for number in range(len(planes))
    )
    return Mask(areas, placed, frozenset() if marking.names else found - marking.ignored)


def _read(path: Path, volume: int | None) -> tuple[NDArray[np.generic], Grid, View]:
    """The values as they are stored, where they lie, and how they are (slice, row, column)."""
    name = path.name.lower()
    if name.endswith(PICTURES):
        with opened(path, str(path)) as picture:
            if getattr(picture, "n_frames", 1) == 1:
                values = decoded_mask(picture, str(path))
                grey = values if values.ndim == 2 else one_channel(values, str(path))
                return grey[None], Grid((1, grey.shape[0], grey.shape[1]), None), View()
    # What pictures need not wait for: nibabel and pydicom.
    from sweep.ingest.formats.dicom.part10 import is_dicom
    from sweep.ingest.formats.volumes.reading import SUFFIXES, stored

    if path.is_dir() or (not name.endswith(SUFFIXES) and is_dicom(path)):
        raise UnusableError(
            "the mask is DICOM, and masks are read of other formats only",
            path,
            "convert it to NIfTI (a DICOM SEG by `segimage2itkimage` of dcmqi), and name that",
        )
    values, scan = stored(path, volume)
    return values, scan.grid, scan.acquired


def _view_onto(own: Grid, grid: Grid, path: Path) -> View:
    """How the mask is to be looked at to lie as its image does."""
    if grid.affine is None:
        raise UnusableError(
            "the mask says how it lies in the patient, and its image does not say it of one grid "
            "of voxels",
            path,
            "save the mask as .npy, its slices, rows and columns in the order of the image's",
        )
    view, apart_mm = view_onto(own, grid)
    if view is None:
        raise _refuse_grid(
            f"{path} of size {size_text(own.shape)}, its image of {size_text(grid.shape)}"
        )
    if apart_mm > NEAR * min(own.shortest_mm, grid.shortest_mm):
        raise _refuse_grid(f"{path}, whose corners lie up to {apart_mm:.3g} mm from its image's")
    return view


def _refuse_grid(received: str) -> UnusableError:
    return UnusableError(
        "the mask is not on the grid of its image",
        received,
        "resample the mask onto the image, each voxel with the value of the nearest, or correct "
        "the column 'mask'",
    )


def _whole(values: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """Values that are whole numbers, whatever they are saved as."""
    if values.dtype.kind != "f":
        return values
    with np.errstate(invalid="ignore"):
        broken = values != np.rint(values)  # NaN is no number, and so differs
    if count := int(np.count_nonzero(broken)):
        raise UnusableError(
            "the values of the mask are no whole numbers, as of a probability",
            f"{path} with {values[broken].flat[0]:g} and {number_of(count - 1, 'other')}",
            "save 1 where the finding is and 0 elsewhere",
        )
    return values


def _meaning(found: frozenset[int], marking: Marking, path: Path) -> Mapping[str, tuple[int, ...]]:
    """The values of each label that a mask may show, of those found in it."""
    if not marking.names:
        return {marking.rest: tuple(found - marking.ignored)}
    if strange := sorted(found.difference(marking.names, marking.ignored)):
        more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
        known = ", ".join(map(str, sorted(marking.names)))
        raise UnusableError(
            "the mask has values that --mask-labels does not name",
            f"{path} with {', '.join(map(str, strange[:SHOWN]))}{more}; named are {known}",
            "name them, or pass them to --mask-ignore",
        )
    return marking.values_of()

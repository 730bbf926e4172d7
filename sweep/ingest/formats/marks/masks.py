"""Masks: pictures and volumes whose values say which finding a pixel of another image shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import SHOWN, number_of, size_text
from sweep.ingest.formats.decoding import decoded_mask, opened
from sweep.ingest.formats.marks.marking import BACKGROUND, Marking
from sweep.ingest.formats.pixels import one_channel
from sweep.ingest.formats.planes import Axis, Grid, View, places_in, view_along, view_onto

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
        path: A picture, a volume of any format, or a DICOM segmentation.
        volume: Which volume of the image is meant, and of the mask where that has several, too.
        grid: The image as (slice, row, column), as it was acquired.
        axis: The axis that the planes lie along.
        marking: What the values mean.

    Raises:
        UnusableError: It cannot be read; another grid; values that are not whole or have no
            name.

    """
    view = view_along(grid, axis, str(path))
    name = path.name.lower()
    if not name.endswith(PICTURES):
        # What pictures need not wait for: nibabel and pydicom.
        from sweep.ingest.formats.dicom.part10 import is_dicom
        from sweep.ingest.formats.volumes.reading import SUFFIXES

        if path.is_dir():
            raise UnusableError(
                "the mask is a folder, and those in DICOM are one file", path, "name that file"
            )
        if not name.endswith(SUFFIXES) and is_dicom(path):
            return _mask(_layers(path, grid, view), True, marking, path)
    values, own, acquired = _read(path, volume)
    placed = own.affine is not None and own.oriented
    seen = _view_onto(own, grid, path) if placed else acquired
    values = seen.array(values)
    if values.shape != grid.shape:
        raise _refuse_grid(
            f"{path} of size {size_text(values.shape)}, its image of {size_text(grid.shape)}"
        )
    return _mask(_LabelMap(view.array(_whole(values, path))), placed, marking, path)


class _Pixels(Protocol):
    """Where the values of a mask are, on the planes of its image."""

    @property
    def found(self) -> frozenset[int]:
        """The values that some pixel has, other than background."""
        ...

    def on_planes(self, values: Sequence[int]) -> NDArray[np.intp]:
        """(plane,): how many pixels of each have one of the values."""
        ...


@dataclass(frozen=True)
class _LabelMap:
    """One value for each pixel, (plane, H, W)."""

    planes: NDArray[np.generic]

    @property
    def found(self) -> frozenset[int]:
        return frozenset(map(int, np.unique(self.planes[self.planes != BACKGROUND])))

    def on_planes(self, values: Sequence[int]) -> NDArray[np.intp]:
        return np.asarray(np.count_nonzero(np.isin(self.planes, values), axis=(1, 2)))


@dataclass(frozen=True)
class _Layers:
    """For each value where it is, (plane, H, W): a pixel may have several."""

    layers: Mapping[int, NDArray[np.bool_]]
    planes: int

    @property
    def found(self) -> frozenset[int]:
        return frozenset(value for value, layer in self.layers.items() if layer.any())

    def on_planes(self, values: Sequence[int]) -> NDArray[np.intp]:
        its = [self.layers[value] for value in values if value in self.layers]
        if not its:
            return np.zeros(self.planes, np.intp)
        return np.asarray(np.count_nonzero(np.logical_or.reduce(its), axis=(1, 2)))


def _mask(pixels: _Pixels, placed: bool, marking: Marking, path: Path) -> Mask:
    found = pixels.found
    counts = {label: pixels.on_planes(its) for label, its in _meaning(found, marking, path).items()}
    planes = max(map(len, counts.values()))
    areas = tuple(
        {label: int(count[number]) for label, count in counts.items() if count[number]}
        for number in range(planes)
    )
    return Mask(areas, placed, frozenset() if marking.names else found - marking.ignored)


def _read(path: Path, volume: int | None) -> tuple[NDArray[np.generic], Grid, View]:
    """The values as they are stored, where they lie, and how they are (slice, row, column)."""
    if path.name.lower().endswith(PICTURES):
        with opened(path, str(path)) as picture:
            if getattr(picture, "n_frames", 1) == 1:
                values = decoded_mask(picture, str(path))
                grey = values if values.ndim == 2 else one_channel(values, str(path))
                return grey[None], Grid((1, grey.shape[0], grey.shape[1]), None), View()
    from sweep.ingest.formats.volumes.reading import stored

    values, scan = stored(path, volume)
    return values, scan.grid, scan.acquired


def _layers(path: Path, grid: Grid, view: View) -> _Layers:
    """The segments of a DICOM segmentation."""
    from sweep.ingest.formats.dicom.segmentation import read_segments

    if grid.affine is None or not grid.oriented:
        raise _refuse_nowhere(path)
    layers: dict[int, NDArray[np.bool_]] = {}
    for segment in read_segments(path):
        places, apart_mm = places_in(grid, segment.grid)
        inside = np.logical_and.reduce(
            [(its >= 0) & (its < length) for its, length in zip(places, grid.shape, strict=True)]
        )
        if apart_mm > NEAR * grid.shortest_mm or (segment.pixels & ~inside).any():
            raise _refuse_grid(
                f"{path}, where a frame of segment {segment.number} lies up to {apart_mm:.3g} mm "
                "from its image's voxels, or outside"
            )
        layer = layers.setdefault(segment.number, np.zeros(grid.shape, np.bool_))
        layer[tuple(places[:, segment.pixels])] = True
    planes = {number: view.array(layer) for number, layer in layers.items()}
    return _Layers(planes, view.grid(grid).shape[0])


def _view_onto(own: Grid, grid: Grid, path: Path) -> View:
    """How the mask is to be looked at to lie as its image does."""
    if grid.affine is None:
        raise _refuse_nowhere(path)
    view, apart_mm = view_onto(own, grid)
    if view is None:
        raise _refuse_grid(
            f"{path} of size {size_text(own.shape)}, its image of {size_text(grid.shape)}"
        )
    if apart_mm > NEAR * min(own.shortest_mm, grid.shortest_mm):
        raise _refuse_grid(f"{path}, whose corners lie up to {apart_mm:.3g} mm from its image's")
    return view


def _refuse_nowhere(path: Path) -> UnusableError:
    return UnusableError(
        "the mask says how it lies in the patient, and its image does not say it of one grid of "
        "voxels",
        path,
        "save the mask as .npy, its slices, rows and columns in the order of the image's",
    )


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
    broken = ~np.isfinite(values) | (values != np.rint(values))
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

"""Planes of an oriented volume: as it is stored, or along an anatomical axis as radiologists look.

One convention for every format: a volume is (slice, row, column), and its affine takes that index
to the centre of the voxel in DICOM's patient coordinates, LPS in mm (x to the patient's left, y to
the back, z to the head).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.store.geometry import UNKNOWN, Direction, Geometry, PixelMm

Axis = Literal["acquired", "axial", "coronal", "sagittal"]
Affine = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

# Where slice, row and column number rise to, in LPS. As radiologists look: the patient's left at
# the image's right, or the front at its left; the front or the head at its top. Slices rise along
# (direction of a row) x (direction of a column), the order in which DICOM slices are sorted.
DISPLAY: dict[str, tuple[Direction, Direction, Direction]] = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "sagittal": ((-1, 0, 0), (0, 0, -1), (0, 1, 0)),
}
FLAT = 1e-6  # volume of a voxel, relative to that of a brick with its edges


class Section(NamedTuple):
    """One plane: image (H, W) float32, finite, in the source's units; and where it lies."""

    image: NDArray[np.float32]
    geometry: Geometry


@dataclass(frozen=True)
class Outline:
    """What a format says of a volume, seen along an axis, before a pixel is read.

    Attributes:
        paths: The files that it is made of.
        shape: (H, W) of every plane.
        geometries: The geometries of each plane.
        patient: Whose it is; empty = the file does not say.
        sequence: Name of the pulse sequence or series; empty = the file does not say.
        ignored: Files beside it that are no part of it.
        remarks: What the user should know of it, each a sentence's beginning such as ``Volumes
            unpacked from mosaics``: the volumes that say the same are counted.
        zeroed: Voxels that are not finite in the file, and are given as 0.
        grid: (slice, row, column) as acquired, whatever the axis; None = the voxels lie on none, or
            the file does not say.
        instances: Of DICOM, seen as acquired, the InstanceNumber of each plane.

    """

    paths: tuple[Path, ...]
    shape: tuple[int, int]
    geometries: tuple[Geometry, ...]
    patient: str = ""
    sequence: str = ""
    ignored: int = 0
    remarks: tuple[str, ...] = ()
    zeroed: int = 0
    grid: "Grid | None" = None
    instances: tuple[int | None, ...] = ()

    @property
    def voxels(self) -> "Grid":
        """Its grid; where it has none, one of its shape that lies nowhere."""
        return self.grid or Grid((len(self.geometries), *self.shape), None)


@dataclass(frozen=True)
class Format:
    """How the volumes of a format are read.

    Attributes:
        kind: Its name.
        outline: The outline of a volume, seen along an axis, from its header.
        sections: Its numbered planes along an axis, one at a time.
        names_patients: Whether its files say whose they are.
        numbered: Of files with several volumes, the format of the numbered one, from 0; None = a
            file holds one volume.
        options: What of it is a choice of the user's, as JSON can say it, by the names that a
            store's source keeps.

    """

    kind: str
    outline: Callable[[Path, Axis], Outline]
    sections: Callable[[Path, Axis, Sequence[int]], Iterator[Section]]
    names_patients: bool
    numbered: Callable[[int], "Format"] | None = None
    options: Mapping[str, object] = field(default_factory=dict, hash=False)

    def of_volume(self, number: int | None) -> "Format":
        """The format of a file of which one volume is meant; None = the only one that it has."""
        if number is None or self.numbered is None:
            return self
        return self.numbered(number)


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie.

    Attributes:
        shape: Voxels along each axis of the array.
        affine: (4, 4), index to mm in LPS; None = the source does not say.
        oriented: False = only the lengths of the affine's columns mean something.
        thick: False = of these lengths, that from slice to slice does not either.

    """

    shape: tuple[int, int, int]
    affine: Affine | None
    oriented: bool = True
    thick: bool = True

    def __post_init__(self) -> None:
        if self.affine is not None and not _spans(self.affine):
            object.__setattr__(self, "affine", None)

    @property
    def shortest_mm(self) -> float:
        """The shortest edge of a voxel; of a grid that says where it lies."""
        assert self.affine is not None  # the caller's
        return float(_lengths(self.affine).min())

    @property
    def geometry(self) -> Geometry:
        """Of each plane, the grid being (slice, row, column); the thickness is the spacing."""
        if self.affine is None:
            return UNKNOWN
        _, down, along = _directions(self.affine).T
        thickness, height, width = map(float, _lengths(self.affine))
        return Geometry(
            pixel_mm=(height, width),
            thickness_mm=thickness if self.thick else None,
            spacing_mm=thickness if self.thick and self.shape[0] > 1 else None,
            orientation=(_direction(along), _direction(down)) if self.oriented else None,
        )


@dataclass(frozen=True)
class View:
    """A volume with its axes in another order and direction; no voxel is computed.

    Attributes:
        order: For each axis of the view the axis of the array.
        flipped: Whether it is gone through from its end.

    """

    order: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)

    def array(self, volume: NDArray[Scalar]) -> NDArray[Scalar]:
        """The same memory, seen so."""
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return volume.transpose(self.order)[steps]

    def grid(self, grid: Grid) -> Grid:
        """Where the voxels lie, under their new index."""
        shape = tuple(grid.shape[axis] for axis in self.order)
        index = np.zeros((4, 4))
        index[3, 3] = 1
        for new, (old, flip) in enumerate(zip(self.order, self.flipped, strict=True)):
            index[old, new] = -1 if flip else 1
            index[old, 3] = grid.shape[old] - 1 if flip else 0
        affine = None if grid.affine is None else grid.affine @ index
        return Grid((shape[0], shape[1], shape[2]), affine, grid.oriented, grid.thick)


def affine_of(
    step: NDArray[np.float64],
    orientation: tuple[Direction, Direction],
    pixel_mm: PixelMm,
    first: Sequence[float],
) -> Affine:
    """The affine of (slice, row, column), of what DICOM says of slices.

    Args:
        step: From slice to slice, in mm in LPS.
        orientation: Unit vectors along a row and down a column, in LPS.
        pixel_mm: The distances in mm between rows, between columns.
        first: The centre of the first pixel of the first slice, in mm in LPS.

    """
    along, down = map(np.array, orientation)
    affine = np.eye(4)
    affine[:3] = np.column_stack([step, down * pixel_mm[0], along * pixel_mm[1], first])
    return affine


def view_along(grid: Grid, axis: Axis, origin: str) -> View:
    """How to look at a volume along an axis: its own axes that come closest, never resampled.

    Args:
        grid: (slice, row, column) as acquired.
        axis: 'acquired', or the anatomical one.
        origin: How to name the volume in messages.

    Raises:
        UnusableError: An anatomical axis, and the source does not say how the patient lies.

    """
    if axis == "acquired":
        return View()
    if grid.affine is None or not grid.oriented:
        raise UnusableError(
            f"the header does not say how the patient lies, which {axis} planes need",
            origin,
            "take the planes as acquired, or repair the header",
        )
    cosines = np.array(DISPLAY[axis]) @ _directions(grid.affine)
    new = np.arange(3)
    order = max(permutations(range(3)), key=lambda old: float(np.abs(cosines[new, old]).sum()))
    first, second, third = (bool(cosine < 0) for cosine in cosines[new, order])
    return View((order[0], order[1], order[2]), (first, second, third))


def view_onto(grid: Grid, other: Grid) -> tuple[View | None, float]:
    """How to look at a volume so that its voxels lie where those of another do.

    Args:
        grid: Of the volume; with an affine.
        other: The other's; with an affine.

    Returns:
        The view, None where none of the volume's has the other's shape; and the greatest distance
        in mm between corners (centres of voxels) that should be one.

    """
    best: tuple[View | None, float] = (None, np.inf)
    for order in permutations(range(3)):
        if tuple(grid.shape[axis] for axis in order) != other.shape:
            continue
        for first, second, third in product((False, True), repeat=3):
            view = View((order[0], order[1], order[2]), (first, second, third))
            apart = np.linalg.norm(_corners(view.grid(grid)) - _corners(other), axis=1).max()
            if apart < best[1]:
                best = view, float(apart)
    return best


def places_in(grid: Grid, other: Grid) -> tuple[NDArray[np.intp], float]:
    """Which voxels of a grid those of a plane are.

    Args:
        grid: The grid; with an affine.
        other: The plane, (1, H, W); with an affine.

    Returns:
        (3, H, W): the index of the nearest voxel of the grid for each pixel, which may lie outside
        of it; and the greatest distance in mm from a pixel to its voxel.

    """
    assert grid.affine is not None and other.affine is not None  # noqa: PT018 - the caller's
    index = np.indices(other.shape[1:]).reshape(2, -1)
    pixels = np.stack([np.zeros(index.shape[1]), *index, np.ones(index.shape[1])])
    found = np.rint((np.linalg.inv(grid.affine) @ other.affine @ pixels)[:3])
    apart = grid.affine[:3, :3] @ found + grid.affine[:3, 3:] - (other.affine @ pixels)[:3]
    places = found.astype(np.intp).reshape(3, *other.shape[1:])
    return places, float(np.linalg.norm(apart, axis=0).max())


def sections_of(
    volume: NDArray[np.float32], grid: Grid, view: View, numbers: Sequence[int]
) -> Iterator[Section]:
    """The numbered planes of a volume (slice, row, column) in a view of it."""
    planes, geometry = view.array(volume), view.grid(grid).geometry
    for number in numbers:
        yield Section(np.ascontiguousarray(planes[number]), geometry)


def _corners(grid: Grid) -> NDArray[np.float64]:
    """(8, 3): the centres of the voxels at the corners, in mm in LPS."""
    ends = [(0, length - 1) for length in grid.shape]
    index = np.array([(*corner, 1) for corner in product(*ends)], np.float64)
    return np.asarray(index @ np.asarray(grid.affine).T)[:, :3]


def _lengths(affine: Affine) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def _directions(affine: Affine) -> NDArray[np.float64]:
    """(3, 3): column n is the unit vector that index n rises along."""
    return np.asarray(affine[:3, :3] / _lengths(affine))


def _spans(affine: Affine) -> bool:
    """Whether the affine is one of a space: finite, and its voxels not flat."""
    if not np.isfinite(affine).all() or not _lengths(affine).all():
        return False
    return bool(abs(np.linalg.det(_directions(affine))) > FLAT)


def _direction(vector: NDArray[np.float64]) -> Direction:
    x, y, z = (float(part) + 0.0 for part in vector)  # without negative zeros
    return x, y, z

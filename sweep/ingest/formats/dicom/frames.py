"""What a DICOM header says of each frame: where it lies, and what its values mean."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.core.errors import UnusableError
from sweep.store.geometry import Direction, Geometry

SKEW = 0.01  # cosine between row and column from which they are no image plane


@dataclass(frozen=True)
class Frame:
    """One picture in a file.

    Attributes:
        index: The index of the frame in its file, from 0.
        position: Centre of the first pixel, in mm in LPS.
        orientation: Unit vectors along a row and down a column, in LPS.
        pixel_mm: The distances in mm between rows, between columns.
        thickness_mm: The thickness mm of the slice; where the file does not say, the spacing of
            slices.
        slope: The factor that, with the intercept, leads from stored values to units.
        intercept: The intercept in units.

    """

    index: int
    position: tuple[float, ...] | None
    orientation: tuple[Direction, Direction] | None
    pixel_mm: tuple[float, float] | None
    thickness_mm: float | None
    slope: float
    intercept: float

    @property
    def geometry(self) -> Geometry:
        """As far as the file says."""
        return Geometry(self.pixel_mm, self.thickness_mm, self.orientation)

    @property
    def place_mm(self) -> float | None:
        """Along the normal of the image, (direction of a row) x (direction of a column)."""
        if self.position is None or self.orientation is None:
            return None
        along, down = self.orientation
        return float(np.cross(along, down) @ np.array(self.position))


def frames_of(dataset: Any, count: int, path: Path) -> tuple[Frame, ...]:
    """Read what a header says of each frame; enhanced files say it in functional groups.

    Args:
        dataset: Pydicom's, up to the pixels.
        count: Number of frames.
        path: Its file.

    Raises:
        UnusableError: Functional groups for another number of frames.
        Exception: As pydicom raises on a damaged value.

    """
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    each = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    if each and len(each) != count:
        raise UnusableError(
            "an enhanced DICOM file does not describe each of its frames",
            f"{path} with {count} frames and {len(each)} descriptions",
            "export it again",
        )
    return tuple(_frame(dataset, [*each[n : n + 1], *shared], n) for n in range(count))


def _frame(dataset: Any, groups: list[Any], index: int) -> Frame:
    def find(macro: str, name: str) -> Any:
        """The frame's own value, else that shared by all frames, else the file's."""
        items = (group.get(macro) for group in groups)
        found = (item[0].get(name) for item in items if item)
        return next((value for value in found if value is not None), dataset.get(name))

    thickness = _lengths(find("PixelMeasuresSequence", "SliceThickness"), 1)
    spacing = _lengths(find("PixelMeasuresSequence", "SpacingBetweenSlices"), 1)
    pixel = _lengths(find("PixelMeasuresSequence", "PixelSpacing"), 2)
    slope = _numbers(find("PixelValueTransformationSequence", "RescaleSlope"), 1)
    intercept = _numbers(find("PixelValueTransformationSequence", "RescaleIntercept"), 1)
    return Frame(
        index=index,
        position=_numbers(find("PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_orientation(find("PlaneOrientationSequence", "ImageOrientationPatient")),
        pixel_mm=(pixel[0], pixel[1]) if pixel else None,
        thickness_mm=(thickness or spacing or (None,))[0],
        slope=(slope or (1.0,))[0],
        intercept=(intercept or (0.0,))[0],
    )


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """So many finite numbers, or None where the file has none, others or another number."""
    if value is None or value == "":
        return None
    numbers = tuple(map(float, np.atleast_1d(np.array(value, np.float64))))
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _lengths(value: Any, count: int) -> tuple[float, ...] | None:
    numbers = _numbers(value, count)
    return numbers if numbers and min(numbers) > 0 else None


def _orientation(value: Any) -> tuple[Direction, Direction] | None:
    numbers = _numbers(value, 6)
    if numbers is None:
        return None
    along, down = np.reshape(numbers, (2, 3))
    lengths = float(np.linalg.norm(along)), float(np.linalg.norm(down))
    if not all(lengths) or abs(along @ down) > SKEW * math.prod(lengths):
        return None
    return _direction(along / lengths[0]), _direction(down / lengths[1])


def _direction(vector: Any) -> Direction:
    x, y, z = map(float, vector)
    return x, y, z

"""What a DICOM header says of each frame: where it lies, and what its values mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.facts import facts_of
from sweep.ingest.formats.dicom.mosaic import Mosaic
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
        facts: What tells it from others, see ``facts_of``.
        corner: The row and column in the frame where the picture begins, of a mosaic.

    """

    index: int
    position: tuple[float, ...] | None
    orientation: tuple[Direction, Direction] | None
    pixel_mm: tuple[float, float] | None
    thickness_mm: float | None
    slope: float
    intercept: float
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    corner: tuple[int, int] = (0, 0)

    @property
    def geometry(self) -> Geometry:
        """As far as the file says."""
        return Geometry(self.pixel_mm, self.thickness_mm, orientation=self.orientation)


def frames_of(dataset: Any, count: int, names: Sequence[str], path: Path) -> tuple[Frame, ...]:
    """Read what a header says of each frame; enhanced files say it in functional groups.

    Of several frames without groups, the one position of the file is none of a frame.

    Args:
        dataset: Pydicom's, up to the pixels.
        count: Number of frames.
        names: What to know of each, see ``facts_of``.
        path: Its file.

    Raises:
        UnusableError: Functional groups for another number of frames; a slope or an intercept that
            is no finite number.
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
    frames = [_frame(dataset, [*each[n : n + 1], *shared], names, n) for n in range(count)]
    if count > 1 and not each:
        frames = [replace(frame, position=None) for frame in frames]
    return tuple(frames)


def tiles_of(frame: Frame, mosaic: Mosaic) -> tuple[Frame, ...]:
    """The pictures of a mosaic, each a frame with its place."""
    return tuple(
        replace(frame, position=position, corner=corner)
        for position, corner in zip(mosaic.positions, mosaic.corners, strict=True)
    )


def _frame(dataset: Any, groups: list[Any], names: Sequence[str], index: int) -> Frame:
    def find(macro: str, name: str) -> Any:
        """The frame's own value, else that shared by all frames, else the file's."""
        items = (group.get(macro) for group in groups)
        found = (item[0].get(name) for item in items if item)
        return next((value for value in found if value is not None), dataset.get(name))

    thickness = _lengths(find("PixelMeasuresSequence", "SliceThickness"), 1)
    spacing = _lengths(find("PixelMeasuresSequence", "SpacingBetweenSlices"), 1)
    pixel = _lengths(find("PixelMeasuresSequence", "PixelSpacing"), 2)
    slope = find("PixelValueTransformationSequence", "RescaleSlope")
    intercept = find("PixelValueTransformationSequence", "RescaleIntercept")
    return Frame(
        index=index,
        position=_numbers(find("PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_orientation(find("PlaneOrientationSequence", "ImageOrientationPatient")),
        pixel_mm=(pixel[0], pixel[1]) if pixel else None,
        thickness_mm=(thickness or spacing or (None,))[0],
        slope=_unit("RescaleSlope", slope, 1.0),
        intercept=_unit("RescaleIntercept", intercept, 0.0),
        facts=facts_of(dataset, groups, names),
    )


def _unit(name: str, value: Any, unsaid: float) -> float:
    """One finite number; a file that says another has values in units that are not known."""
    if value is None or value == "":
        return unsaid
    numbers = _numbers(value, 1)
    if numbers is None:
        raise UnusableError(
            "what makes units of the values is no finite number",
            f"{name} {value!r}",
            "correct the header, or export it again",
        )
    return numbers[0]


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

"""Where the pixels of a slice lie, and how its k-space was sampled."""

import math
from dataclasses import dataclass
from typing import NamedTuple

Direction = tuple[float, float, float]
PixelMm = tuple[float, float]  # between the centres of neighbouring rows, and of columns
Matrix = tuple[int, int]  # rows, columns


class Frame(NamedTuple):
    """The sizes that all k-space of a store is zero-filled to, DC at N // 2 of rows and columns."""

    coils: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Sampling:
    """How the k-space of a slice was sampled; DC at N // 2 of rows and columns.

    Attributes:
        coils: Receive coils.
        rows: Samples along the readout.
        columns: Phase-encode lines of the encoded matrix, zero-filled ones included.
        acquired: First measured line, and the one after the last.

    """

    coils: int
    rows: int
    columns: int
    acquired: tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """What the source says of a slice's place; None = it does not say.

    Attributes:
        pixel_mm: Distance between the centres of neighbouring rows, and of neighbouring columns.
        thickness_mm: The thickness mm of the slice.
        spacing_mm: Distance between the centres of the slice and of the next one of its scan, of
            the last one from that before it: gaps are in it, and not in the thickness.
        orientation: Unit vectors, in DICOM's patient coordinates (x to the patient's left, y to
            the back, z to the head), along a row (column number rising), then down a column.
        sampling: The sampling of the k-space kept beside the image.
        native: The size of what the image shows, in pixels of before it was resized; its own
            size where it was not.

    """

    pixel_mm: PixelMm | None = None
    thickness_mm: float | None = None
    spacing_mm: float | None = None
    orientation: tuple[Direction, Direction] | None = None
    sampling: Sampling | None = None
    native: Matrix | None = None

    def __post_init__(self) -> None:
        through = [one for one in (self.thickness_mm, self.spacing_mm) if one]
        lengths = [*(self.pixel_mm or ()), *through]
        if not all(0 < length < math.inf for length in lengths):
            raise ValueError(f"lengths are not finite and above 0 mm; received {self}")
        if self.native is not None and min(self.native) < 1:
            raise ValueError(f"the native size is not 1 pixel or more; received {self}")


UNKNOWN = Geometry()

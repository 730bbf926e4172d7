"""What the ISMRMRD header of a fastMRI volume says of pixels and of measured lines."""

import math
from dataclasses import dataclass
from xml.etree import ElementTree

RECON = "encoding/reconSpace"
MAX_MATRIX = 8192  # pixels; a larger image is a damaged header
STEPS = "encoding/encodingLimits/kspace_encoding_step_1"


@dataclass(frozen=True)
class Header:
    """What is used of a header; None = it does not say, or nothing that can be.

    Attributes:
        matrix: (H, W) of the reconstructed image.
        pixel_mm: Distance between neighbouring rows, and between neighbouring columns.
        thickness_mm: The thickness mm of a slice.
        steps: First and last phase-encoding step measured, and the step of DC.

    """

    matrix: tuple[int, int] | None = None
    pixel_mm: tuple[float, float] | None = None
    thickness_mm: float | None = None
    steps: tuple[int, int, int] | None = None

    def acquired(self, columns: int) -> tuple[int, int]:
        """First measured line of a matrix with DC at ``columns // 2``, and the one after the last.

        All lines, where the header names none inside the matrix.
        """
        if self.steps is None:
            return 0, columns
        first, last, center = self.steps
        shift = columns // 2 - center
        start, stop = max(0, first + shift), min(columns, last + shift + 1)
        return (start, stop) if start < stop else (0, columns)


def parse_header(text: str | bytes) -> Header:
    """Read a header; a broken one says nothing.

    ISMRMRD's x runs along the readout, the rows of fastMRI's arrays, and y along the columns.
    """
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError):  # the latter two: unknown encodings
        return Header()
    rows, columns, _ = matrix = [_count(root, f"{RECON}/matrixSize/{axis}") for axis in "xyz"]
    lengths = [_number(root, f"{RECON}/fieldOfView_mm/{axis}") for axis in "xyz"]
    between_rows, between_columns, thickness = map(_spacing, lengths, matrix)
    return Header(
        matrix=(rows, columns) if rows and columns else None,
        pixel_mm=(between_rows, between_columns) if between_rows and between_columns else None,
        thickness_mm=thickness,
        steps=_steps(root),
    )


def _number(root: ElementTree.Element, path: str) -> float | None:
    """A finite number, in whatever namespace the elements are."""
    text = root.findtext("/".join(f"{{*}}{tag}" for tag in path.split("/")))
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(root: ElementTree.Element, path: str) -> int | None:
    value = _number(root, path)
    fits = value is not None and 1 <= value <= MAX_MATRIX and value.is_integer()
    return int(value) if value is not None and fits else None


def _spacing(length_mm: float | None, count: int | None) -> float | None:
    return length_mm / count if length_mm and count and length_mm > 0 else None


def _steps(root: ElementTree.Element) -> tuple[int, int, int] | None:
    numbers = [_number(root, f"{STEPS}/{name}") for name in ("minimum", "maximum", "center")]
    first, last, center = (None if number is None else int(number) for number in numbers)
    if last is None or center is None:
        return None
    return first or 0, last, center

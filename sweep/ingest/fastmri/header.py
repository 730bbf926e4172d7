"""What the ISMRMRD header of a fastMRI volume says of pixels and of measured lines."""

import math
from dataclasses import dataclass
from xml.etree import ElementTree

from sweep.core.text import one_line

RECON = "encoding/reconSpace"
ENCODED = "encoding/encodedSpace"
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


@dataclass(frozen=True)
class Encoding:
    """What a header of raw data says of their sampling.

    Attributes:
        trajectory: Its kind, in lower case; may be empty.
        matrix: Rows (along the readout) and columns of the encoded matrix; 0 = it does not say.
        lengths_mm: The field of view of these, and that of the image; None = it does not say.
        patient: The patient that it names; may be empty.
        protocol: The protocol that it names; may be empty.

    """

    trajectory: str
    matrix: tuple[int, int]
    lengths_mm: tuple[tuple[float, float], tuple[float, float]] | None
    patient: str
    protocol: str

    def image(self) -> tuple[tuple[int, int], tuple[float, float] | None]:
        """(H, W) of the image in encoded pixels, oversampling cropped, and their size in mm."""
        if self.lengths_mm is None:
            return self.matrix, None
        rows, columns = (
            min(count, max(1, round(count * wanted / encoded)))
            for count, encoded, wanted in zip(self.matrix, *self.lengths_mm, strict=True)
        )
        between_rows, between_columns = (
            length / count for length, count in zip(self.lengths_mm[0], self.matrix, strict=True)
        )
        return (rows, columns), (between_rows, between_columns)


def parse_encoding(text: str | bytes) -> Encoding:
    """Read what a header says of the sampling; a broken one says nothing."""
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError):
        return Encoding("", (0, 0), None, "", "")
    rows, columns = (_count(root, f"{ENCODED}/matrixSize/{axis}") or 0 for axis in "xy")
    lengths = [
        _number(root, f"{space}/fieldOfView_mm/{axis}") or 0
        for space in (ENCODED, RECON)
        for axis in "xy"
    ]
    x, y, image_x, image_y = lengths
    return Encoding(
        trajectory=_said(root, "encoding/trajectory").lower(),
        matrix=(rows, columns),
        lengths_mm=((x, y), (image_x, image_y)) if min(lengths) > 0 else None,
        patient=_said(root, "subjectInformation/patientID"),
        protocol=_said(root, "measurementInformation/protocolName"),
    )


def _said(root: ElementTree.Element, path: str) -> str:
    text = root.findtext("/".join(f"{{*}}{tag}" for tag in path.split("/")))
    return one_line(text or "")


def _number(root: ElementTree.Element, path: str) -> float | None:
    """A finite number, in whatever namespace the elements are."""
    try:
        value = float(_said(root, path))
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

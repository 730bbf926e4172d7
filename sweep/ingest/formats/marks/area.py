"""The least area from which on a finding counts for a slice."""

import re
from typing import Literal, NamedTuple

from sweep.core.errors import UnusableError, UserError
from sweep.store.geometry import PixelMm

WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(px|mm2|mm²)", re.IGNORECASE)
# Lengths in headers are 32-bit floats: 100 pixels of 0.7 mm by 0.7 mm are 49 mm2 to about so much.
ROUNDING = 1e-6


class Area(NamedTuple):
    """An area on a slice, in pixels of the file or in mm2."""

    value: float
    unit: Literal["px", "mm2"]

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"

    def pixels(self, pixel_mm: PixelMm | None, origin: str) -> float:
        """How many pixels of a file are this area; a count that is short of it by rounding is not.

        Args:
            pixel_mm: Their spacing along columns and rows; None = the file does not say.
            origin: How to name the file in messages.

        Raises:
            UnusableError: The area is in mm2, and the size of a pixel is not known.

        """
        if self.unit == "px":
            return self.value
        if pixel_mm is None:
            raise UnusableError(
                "the file does not say how large its pixels are, which an area in mm2 needs",
                f"{origin} and a least area of {self}",
                "give --least-area in pixels, such as 10px, or repair the header",
            )
        return self.value / (pixel_mm[0] * pixel_mm[1]) * (1 - ROUNDING)


def area_of(text: str) -> Area:
    """Read ``25mm2`` or ``10px``.

    Raises:
        UserError: It is neither.

    """
    found = WRITTEN.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UserError(
            "the least area cannot be read",
            repr(text),
            "give a number above 0 and its unit, such as 25mm2 or 10px",
        )
    return Area(float(found[1]), "px" if found[2].lower() == "px" else "mm2")

"""The parts of a sheet: strips of text and of captioned pictures, one below the other."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Lengths in pixels of the sheet.
WIDTH, MARGIN, GAP = 1600, 16, 12
LINE = 1.3  # from line to line, of the size of the text
BLACK, DIM, LIGHT = 0, 165, 235


class Panel(NamedTuple):
    """A picture, (H, W) grey values, and the lines below it."""

    picture: NDArray[np.uint8]
    captions: tuple[str, ...]


def text_strip(text: str, size: int, *, grey: int = LIGHT) -> Image.Image:
    """A line of text; what is too long is left out of its middle."""
    strip = Image.new("L", (WIDTH, round(size * LINE)), BLACK)
    _write(strip, text, (MARGIN, 0), WIDTH - 2 * MARGIN, size, grey)
    return strip


def panel_strip(panels: Sequence[Panel], columns: int, size: int) -> Image.Image:
    """Pictures of one shape side by side, each as large as its column, with captions below."""
    cell = (WIDTH - 2 * MARGIN + GAP) // columns - GAP
    height, width = panels[0].picture.shape
    scale = cell / max(height, width)
    drawn = max(1, round(width * scale)), max(1, round(height * scale))
    line = round(size * LINE)
    lines = max(len(panel.captions) for panel in panels)
    strip = Image.new("L", (WIDTH, drawn[1] + lines * line + GAP), BLACK)
    for place, panel in enumerate(panels):
        left = MARGIN + place * (cell + GAP)
        picture = Image.fromarray(panel.picture).resize(drawn, Image.Resampling.LANCZOS)
        strip.paste(picture, (left, 0))
        for number, caption in enumerate(panel.captions):
            below = (left, drawn[1] + number * line)
            _write(strip, caption, below, cell, size, DIM if number else LIGHT)
    return strip


def stacked(strips: Sequence[Image.Image]) -> Image.Image:
    """All strips, one below the other, with a margin around."""
    sheet = Image.new("L", (WIDTH, sum(strip.height for strip in strips) + 2 * MARGIN), BLACK)
    top = MARGIN
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def shortened(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """The text on one line, or as much of both its ends as fits into a width in pixels."""
    line = " ".join(text.split())

    def without(number: int) -> str:
        head = (len(line) - number) // 2
        return f"{line[:head]}...{line[head + number :]}" if number else line

    return without(
        bisect_left(range(len(line)), True, key=lambda n: font.getlength(without(n)) <= width)
    )


def _write(
    strip: Image.Image, text: str, at: tuple[int, int], width: float, size: int, grey: int
) -> None:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # as for every size that is given
    ImageDraw.Draw(strip).text(at, shortened(text, width, font), grey, font)

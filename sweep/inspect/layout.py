"""The parts of a sheet of pictures: strips of text and rows of captioned panels, stacked."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sweep.core.errors import UserError
from sweep.core.files import replacing

# Lengths in pixels of the sheet.
WIDTH, MARGIN, GAP = 1600, 16, 12
LINE = 1.3  # from line to line, of the size of the text
TITLE, TEXT = 20, 14
BLACK, FRAME, DIM, LIGHT = 0, 64, 165, 235


class Panel(NamedTuple):
    """A picture and what is said of it.

    Attributes:
        picture: (H, W) Grey values; None: an empty frame with a word in it.
        captions: The lines below the picture, the first one brighter.
        right: What stands at the right end of the first line.
        word: What an empty frame says.

    """

    picture: NDArray[np.uint8] | None
    captions: tuple[str, ...]
    right: str = ""
    word: str = ""


class Cells(NamedTuple):
    """Where the panels of a strip stand.

    Attributes:
        columns: The number of panels side by side.
        height: The height of a panel in pixels of the sheet.
        width: Its width.
        names: The width of the column of names on the left.

    """

    columns: int
    height: int
    width: int
    names: int = 0

    @classmethod
    def filling(cls, columns: int, shape: tuple[int, int]) -> "Cells":
        """Cells as large as fit side by side into a sheet of the usual width."""
        cell = (WIDTH - 2 * MARGIN + GAP) // columns - GAP
        height, width = (max(1, round(size * cell / max(shape))) for size in shape)
        return cls(columns, height, width)

    @classmethod
    def enlarged(cls, columns: int, shape: tuple[int, int], near: int, names: int) -> "Cells":
        """Cells in which a pixel becomes n x n pixels, n an integer, about ``near`` wide."""
        scale = max(1, round(near / shape[1]))
        return cls(columns, shape[0] * scale, shape[1] * scale, names)

    @property
    def pitch(self) -> int:
        """From the left end of a panel to that of the next."""
        cell = (WIDTH - 2 * MARGIN + GAP) // self.columns - GAP
        return (self.width if self.names else cell) + GAP

    @property
    def sheet_width(self) -> int:
        """The width of a sheet that has room for all columns."""
        return self.left(self.columns) - GAP + MARGIN if self.names else WIDTH

    def left(self, column: int) -> int:
        """The left end of a column."""
        return MARGIN + self.names + column * self.pitch


def text_strip(text: str, size: int, *, grey: int = LIGHT, width: int = WIDTH) -> Image.Image:
    """A line of text; what is too long is left out of its middle."""
    strip = Image.new("L", (width, round(size * LINE)), BLACK)
    _write(strip, text, (MARGIN, 0), width - 2 * MARGIN, size, grey)
    return strip


def head_strip(headings: Sequence[str], cells: Cells) -> Image.Image:
    """The headings of columns."""
    strip = Image.new("L", (cells.sheet_width, round(TITLE * LINE)), BLACK)
    for column, heading in enumerate(headings):
        _write(strip, heading, (cells.left(column), 0), cells.pitch - GAP, TEXT, LIGHT)
    return strip


def panel_strip(panels: Sequence[Panel], cells: Cells, names: Sequence[str] = ()) -> Image.Image:
    """Panels of one shape side by side, with captions below.

    A picture whose cell is a multiple of its size is enlarged pixel for pixel.

    Args:
        panels: As many as there are columns, or fewer.
        cells: Where they stand.
        names: Lines to the left of the panels, the first one larger.

    """
    line = round(TEXT * LINE)
    lines = max(len(panel.captions) for panel in panels)
    strip = Image.new("L", (cells.sheet_width, cells.height + lines * line + GAP), BLACK)
    for place, name in enumerate(names):
        top = place * line + (TITLE - TEXT if place else 0)
        size, grey = (TEXT, DIM) if place else (TITLE, LIGHT)
        _write(strip, name, (MARGIN, top), cells.names - GAP, size, grey)
    for column, panel in enumerate(panels):
        left = cells.left(column)
        _draw(strip, panel, left, cells)
        for place, caption in enumerate(panel.captions):
            at = (left, cells.height + 2 + place * line)
            room = cells.pitch - GAP - (_length(panel.right) + GAP if panel.right else 0)
            _write(strip, caption, at, room, TEXT, DIM if place else LIGHT)
        end = left + cells.width - _length(panel.right)
        _write(strip, panel.right, (round(end), cells.height + 2), cells.width, TEXT, DIM)
    return strip


def _draw(strip: Image.Image, panel: Panel, left: int, cells: Cells) -> None:
    if panel.picture is not None:
        height, width = panel.picture.shape
        is_whole = cells.height % height == 0 and cells.width % width == 0
        how = Image.Resampling.NEAREST if is_whole else Image.Resampling.LANCZOS
        picture = Image.fromarray(panel.picture).resize((cells.width, cells.height), how)
        strip.paste(picture, (left, 0))
        return
    box = (left, 0, left + cells.width - 1, cells.height - 1)
    ImageDraw.Draw(strip).rectangle(box, outline=FRAME)
    start = left + max(0, round((cells.width - _length(panel.word)) / 2))
    _write(strip, panel.word, (start, cells.height // 2 - TEXT // 2), cells.width, TEXT, DIM)


def stacked(strips: Sequence[Image.Image]) -> Image.Image:
    """All strips, one below the other, with a margin around."""
    width = max(strip.width for strip in strips)
    sheet = Image.new("L", (width, sum(strip.height for strip in strips) + 2 * MARGIN), BLACK)
    top = MARGIN
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def require_png(option: str, out: Path) -> None:
    """Refuse a file whose name does not end in .png.

    Raises:
        UserError: It does not.

    """
    if out.suffix.lower() != ".png":
        raise UserError(f"{option} does not name a PNG file", f"{str(out)!r}", "let it end in .png")


def save(strips: Iterable[Image.Image], out: Path) -> None:
    """Write the strips as one PNG file; replaced, atomically, if it exists."""
    sheet = stacked([*strips])
    with replacing(out) as temporary:
        sheet.save(temporary, format="png")


def shortened(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """The text on one line, or as much of both its ends as fits into a width in pixels."""
    line = " ".join(text.split())

    def without(number: int) -> str:
        head = (len(line) - number) // 2
        return f"{line[:head]}...{line[head + number :]}" if number else line

    return without(
        bisect_left(range(len(line)), True, key=lambda n: font.getlength(without(n)) <= width)
    )


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # as for every size that is given
    return font


def _length(text: str) -> float:
    return _font(TEXT).getlength(text)


def _write(
    strip: Image.Image, text: str, at: tuple[int, int], width: float, size: int, grey: int
) -> None:
    font = _font(size)
    ImageDraw.Draw(strip).text(at, shortened(text, width, font), grey, font)

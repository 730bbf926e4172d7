"""The sheet that shows what artifacts and levels look like, pixel for pixel."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import artifacts_sim
from artifacts_sim.levels import LEVELS
from sweep.config.levels import in_grid
from sweep.core.errors import UserError, require_known
from sweep.core.files import replacing
from sweep.inspect.panels import Image, Panel, Row, find_slice, row_of
from sweep.store import Store

# Lengths in pixels of the sheet.
DPI = 128  # a power of two: from pixels to inches and back without rounding
PANEL = 224  # about a panel's width; a slice is enlarged a whole number of times, never shrunk
NAMES, HEAD, CAPTION, GAP = 184, 64, 20, 10
LIGHT, DIM = "0.95", "0.65"
FRAME = 0.25  # grey of an empty panel's frame, of the window
WHITE = 0.995  # quantile of the clean slice; its maximum, often one vessel, would leave it dark


def preview_store(
    path: Path,
    out: Path,
    *,
    key: str | None = None,
    artifacts: Sequence[str] | None = None,
    levels: Sequence[int] = LEVELS,
    grid: str = "calibrated",
    seed: int = 0,
) -> str:
    """Draw one slice under artifacts (rows) and levels (columns, after the clean slice).

    Args:
        path: of the store.
        out: PNG file; replaced, atomically, if it exists.
        key: of the slice; None: one drawn by the seed.
        artifacts: names, or of a family; None: all that the grid has.
        levels: 1 to 5.
        grid: what they mean: ``calibrated``, ``physical``, or a file of ``mrisweep calibrate``.
        seed: of the artifacts' draws.

    Returns:
        The key of the slice.

    Raises:
        UserError: no store, no such slice, an empty one or one that an artifact does not accept,
            an unknown artifact, level or grid, or an ``out`` that is no PNG.

    """
    names = list(dict.fromkeys(artifacts_sim.expand(artifacts or in_grid(grid))))
    require_known("--artifacts", names, artifacts_sim.names())
    require_known("--levels", [str(level) for level in levels], [str(level) for level in LEVELS])
    if out.suffix.lower() != ".png":
        raise UserError(f"--out must be a PNG file; received {str(out)!r}; let it end in .png")
    store = Store.open(path)
    number = find_slice(store, key, seed)
    clean, key = store.read([number])[0], str(store.keys[number])
    (pixel_mm,) = store.pixel_mm([number])
    rows = [row_of(name, clean, key, levels, grid, seed, pixel_mm) for name in names]
    white = float(np.quantile(clean, WHITE)) or float(clean.max())
    origin = f"slice {key} of {store.path.name}, {grid} levels, seed {seed}"
    title = f"{origin}, grey window 0 to {white:.4g}"
    figure = sheet(rows, ["clean", *(f"level {level}" for level in levels)], title, white)
    with replacing(out) as temporary:
        figure.savefig(temporary, format="png", dpi="figure")
    return key


def sheet(rows: Sequence[Row], headings: Sequence[str], title: str, white: float) -> Figure:
    """Lay out rows of panels; a pixel of a slice becomes n x n pixels of the sheet, n whole.

    Made without pyplot, whose registry of figures is global state.

    Args:
        rows: with as many panels each as there are headings.
        headings: of the columns.
        title: of the sheet.
        white: intensity at the upper end of the grey window, which starts at 0.

    """
    first = rows[0].panels[0].image
    assert first is not None  # the clean slice
    grid = _Grid.of(first, len(rows), len(headings))
    page = _Page(grid)
    page.write(title, grid.left(0), 8, color=DIM, size=7.5)
    for column, heading in enumerate(headings):
        page.write(heading, grid.left(column), HEAD - 22, size=9, weight="bold")
    for place, row in enumerate(rows):
        page.write(row.artifact, GAP, grid.top(place), size=10, weight="bold")
        knob = textwrap.fill(row.knob.replace("_", " "), 20)
        page.write(knob, GAP, grid.top(place) + 24, color=DIM, size=7.5)
        for column, panel in enumerate(row.panels):
            page.add(panel, grid.top(place), grid.left(column), FRAME * white)
    return page.finished(white)


@dataclass(frozen=True)
class _Grid:
    """Where panels stand on the sheet, in pixels from its upper left corner."""

    scale: int
    height: int
    width: int
    rows: int
    columns: int

    @classmethod
    def of(cls, image: Image, rows: int, columns: int) -> "_Grid":
        scale = max(1, round(PANEL / image.shape[1]))
        height, width = image.shape
        return cls(scale, height * scale, width * scale, rows, columns)

    def top(self, row: int) -> int:
        return HEAD + row * (self.height + CAPTION + GAP)

    def left(self, column: int) -> int:
        return NAMES + column * (self.width + GAP)


class _Page:
    """A black sheet: one array for all pictures, and text on top of it."""

    def __init__(self, grid: _Grid) -> None:
        self._grid = grid
        self._size = (grid.top(grid.rows), grid.left(grid.columns))
        self._canvas = np.zeros(self._size, np.float32)
        height, width = self._size
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="black")

    def write(self, text: str, x: int, y: int, *, color: str = LIGHT, **style: Any) -> None:
        """Write with the upper left corner at (x, y)."""
        height, width = self._size
        style = {"ha": "left", "va": "top", **style}
        self._figure.text(x / width, 1 - y / height, text, color=color, **style)

    def add(self, panel: Panel, top: int, left: int, frame: float) -> None:
        grid = self._grid
        place = (slice(top, top + grid.height), slice(left, left + grid.width))
        if panel.image is None:
            self._canvas[place] = frame
            self._canvas[top + 1 : place[0].stop - 1, left + 1 : place[1].stop - 1] = 0
            middle = {"ha": "center", "va": "center"}
            x, y = left + grid.width // 2, top + grid.height // 2
            self.write("not reached", x, y, color=DIM, size=8, **middle)
            return
        self._canvas[place] = panel.image.repeat(grid.scale, axis=0).repeat(grid.scale, axis=1)
        below = top + grid.height + 3
        self.write(panel.value, left, below, size=7.5)
        self.write(panel.ssim, left + grid.width, below, size=7.5, color=DIM, ha="right")

    def finished(self, white: float) -> Figure:
        self._figure.figimage(self._canvas, cmap="gray", vmin=0, vmax=white, origin="upper")
        return self._figure

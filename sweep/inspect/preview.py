"""The sheet that shows what artifacts and levels look like, pixel for pixel."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from artifacts_sim import LEVELS
from sweep.config.artifacts import NO_OPTIONS, Options, listed, require_used
from sweep.config.levels import grid_meaning, grid_options, in_grid
from sweep.core.errors import require_known
from sweep.inspect.choosing import white_of
from sweep.inspect.layout import (
    DIM,
    TEXT,
    Cells,
    Panel,
    head_strip,
    panel_strip,
    require_png,
    save,
    text_strip,
)
from sweep.inspect.panels import ArtifactRow, DamagedPanel, find_slice, row_of
from sweep.learn.drawable import require_drawable
from sweep.learn.inputs import names_of
from sweep.learn.levels import unlike_reference
from sweep.store import Store

# Lengths in pixels of the sheet.
PANEL = 224  # about a panel's width; a slice is enlarged by an integer factor, never shrunk
NAMES = 184


def preview_store(
    path: Path,
    out: Path,
    *,
    key: str | None = None,
    artifacts: Sequence[str] | None = None,
    levels: Sequence[int] = LEVELS,
    grid: str = "calibrated",
    seed: int = 0,
    options: Options = NO_OPTIONS,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Draw one slice under artifacts (rows) and levels (columns, after the clean slice).

    Args:
        path: The store.
        out: The PNG file; replaced, atomically, if it exists.
        key: The key of the slice; None: one drawn by the seed.
        artifacts: Names of artifacts, of variants or of families; None: all that the grid has.
        levels: The levels, 1 to 5.
        grid: What a level means: ``calibrated``, ``physical``, or a file: ``levels.json`` of a
            sweep's folder, or of ``mrisweep calibrate``.
        seed: Key of the artifacts' draws.
        options: Options of artifacts, by name; else those that a file of levels was found with.
        say: Told what the levels mean, and whether that is so on this store.

    Returns:
        The key of the slice.

    Raises:
        UserError: No store, no such slice, an empty one or one that an artifact does not accept,
            an unknown artifact, option, level or grid, levels of other options, or an ``out``
            that is no PNG.

    """
    known = {**grid_options(grid), **options}
    names = listed(artifacts or in_grid(grid), known, "--artifacts")
    require_used("--options", options, names)
    require_known("--levels", [str(level) for level in levels], [str(level) for level in LEVELS])
    require_png("--out", out)
    store = Store.open(path)
    number = find_slice(store, key, seed)
    require_drawable(store, np.array([number]), names, known, where="--options ")
    clean, key = store.read([number])[0], str(store.keys[number])
    geometry = store.geometry(number)
    called = names_of(store, np.array([number]), scan_draws=True)
    rows = [row_of(name, clean, called, levels, grid, seed, geometry, known) for name in names]
    white = white_of(clean)
    title = f"slice {key} of {store.path.name}, seed {seed}, grey window 0 to {white:.4g}"
    meaning, remark = grid_meaning(grid), unlike_reference(grid, "images", store)
    headings = ["clean", *(f"level {level}" for level in levels)]
    save(strips(rows, headings, f"{title}\n{meaning}", white), out)
    say(meaning)
    if remark:
        say(f"levels: {remark}")
    return key


def strips(
    rows: Sequence[ArtifactRow], headings: Sequence[str], title: str, white: float
) -> Iterator[Image.Image]:
    """Lay out rows of panels; a pixel of a slice becomes n x n pixels of the sheet, n an integer.

    Args:
        rows: The rows, with as many panels each as there are headings.
        headings: The headings of the columns.
        title: The title of the sheet, of one line or several.
        white: The intensity at the upper end of the grey window, which starts at 0.

    """
    first = rows[0].panels[0].image
    assert first is not None  # the clean slice
    height, width = first.shape
    cells = Cells.enlarged(len(headings), (height, width), PANEL, NAMES)
    for line in title.splitlines():
        yield text_strip(line, TEXT, grey=DIM, width=cells.sheet_width)
    yield text_strip("", TEXT, width=cells.sheet_width)
    yield head_strip(headings, cells)
    for row in rows:
        knob = textwrap.wrap(row.knob.replace("_", " "), 20)
        yield panel_strip([_drawn(one, white) for one in row.panels], cells, [row.artifact, *knob])


def _drawn(panel: DamagedPanel, white: float) -> Panel:
    if panel.image is None:
        return Panel(None, ("",), word="not reached")
    grey = np.floor(np.clip(panel.image / white, 0, 1) * 255.999).astype(np.uint8)
    return Panel(grey, (panel.value,), panel.ssim)

"""A contact sheet of a store: some slices of each split, with their keys and labels."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from sweep.core.errors import UserError
from sweep.core.text import number_of, size_text
from sweep.inspect.choosing import choose, windowed
from sweep.inspect.layout import (
    TEXT,
    TITLE,
    Cells,
    Panel,
    panel_strip,
    require_png,
    save,
    text_strip,
)
from sweep.store import Store

COLUMNS = (4, 8)  # at least and at most: pictures stay legible, and a few do not fill the screen
SPLITS = 10
MOST = 64  # slices of a split


def draw_sheet(store: Store, out: Path, *, per_split: int = 8, seed: int = 0) -> None:
    """Draw slices of each split, spread over labels and patients, in rows of up to eight.

    Args:
        store: The store to draw from.
        out: The PNG file; replaced, atomically, if it exists.
        per_split: The number of slices of each split, 1 to 64.
        seed: Key of the choice.

    Raises:
        UserError: An ``out`` that is no PNG, or another number of slices.

    """
    require_png("--sheet", out)
    if not 1 <= per_split <= MOST:
        raise UserError(
            "--per-split is out of range", per_split, f"give 1 to {MOST} slices of a split"
        )
    save([*_title(store, seed), *_splits(store, per_split, seed)], out)


def _title(store: Store, seed: int) -> Iterator[Image.Image]:
    size = size_text(store.images.shape[1:])
    yield text_strip(f"{store.path.name}: {number_of(len(store), 'slice')}, {size}", TITLE)
    yield text_strip(
        f"fingerprint {store.fingerprint[:12]}; slices drawn by seed {seed}, each in grey from 0 "
        "to its own 99.5th percentile",
        TEXT,
    )
    names = list(store.split_counts())
    if len(names) > SPLITS:
        left_out = ", ".join(names[SPLITS:])
        yield text_strip(f"{len(names) - SPLITS} more splits are not shown: {left_out}", TEXT)


def _splits(store: Store, per_split: int, seed: int) -> Iterator[Image.Image]:
    columns = min(max(per_split, COLUMNS[0]), COLUMNS[1])
    height, width = store.images.shape[1:]
    cells = Cells.filling(columns, (height, width))
    for name in list(store.split_counts())[:SPLITS]:
        rows = store.indices([name])
        patients = len(set(store.patients[rows].tolist()))
        yield text_strip("", TEXT)
        yield text_strip(
            f"split {name}: {number_of(len(rows), 'slice')} of {number_of(patients, 'patient')}",
            TITLE,
        )
        chosen = choose(store, name, per_split, seed)
        for start in range(0, len(chosen), columns):
            panels = [_panel(store, row) for row in chosen[start : start + columns]]
            yield panel_strip(panels, cells)


def _panel(store: Store, row: int) -> Panel:
    shown = [
        name
        for name, is_shown in zip(store.label_names, store.labels[row], strict=True)
        if is_shown
    ]
    return Panel(
        windowed(store.read([row])[0]), (str(store.keys[row]), ", ".join(shown) or "no finding")
    )

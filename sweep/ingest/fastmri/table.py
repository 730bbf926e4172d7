"""Tables beside the images, with named columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import UserError, nearest, refuse
from sweep.ingest.formats.sheet import read_sheet


class Row(NamedTuple):
    """One row.

    Attributes:
        number: Its last line in the file; the header is line 1.
        cells: The cells by the name that the reader asked for, without white space around.
        whole: All cells, as written.
        kept: The cells of further columns by their headings, which may be empty.

    """

    number: int
    cells: Mapping[str, str]
    whole: tuple[str, ...]
    kept: Mapping[str, str]


def read_table(
    path: Path, what: str, columns: Mapping[str, Sequence[str]], keep: Sequence[str] = ()
) -> list[Row]:
    """Read a table; columns that are not asked for are ignored.

    Args:
        path: See ``read_sheet``; the first line names the columns.
        what: The kind of table, for messages: "table of patients".
        columns: For each name the headings that it may have.
        keep: Headings of further columns to keep.

    Raises:
        UserError: See ``read_sheet``; a column missing or there twice; no row; an empty cell in a
            column asked for.

    """
    known = [*(one for names in columns.values() for one in names), *keep]
    head, lines, _ = read_sheet(path, what, known)
    if not lines:
        raise UserError(f"the {what} has no row below its header", path, "add rows")
    places = _places(head, columns, f"the {what} {path}")
    kept = _places(head, {name: (name,) for name in keep}, f"the {what} {path}")
    rows = [
        Row(number, _cells(cells, places), cells, _cells(cells, kept)) for number, cells in lines
    ]
    empty = [
        f"row {row.number} without {name!r}"
        for row in rows
        for name in columns
        if not row.cells[name]
    ]
    refuse(f"cells of the {what} {path} are empty", empty, "fill them in")
    return rows


def _cells(cells: Sequence[str], places: Mapping[str, int]) -> dict[str, str]:
    return {name: cells[place].strip() for name, place in places.items()}


def _places(head: Sequence[str], columns: Mapping[str, Sequence[str]], what: str) -> dict[str, int]:
    places = {
        name: [place for place, heading in enumerate(head) if heading in accepted]
        for name, accepted in columns.items()
    }
    refuse(
        f"{what} does not have each column once",
        [
            f"{' or '.join(map(repr, columns[name]))} {len(found)} times "
            f"({nearest(columns[name][0], head)})"
            for name, found in places.items()
            if len(found) != 1
        ],
        "correct the first line",
    )
    return {name: found[0] for name, found in places.items()}

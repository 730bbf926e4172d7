"""Tables beside the images: CSV files with named columns."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import UserError, nearest, refuse, told
from sweep.core.reading import opened_text
from sweep.ingest.formats.separators import refuse_other_separator


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
    """Read a CSV file; columns that are not asked for are ignored.

    Args:
        path: UTF-8, the first line names the columns.
        what: The kind of table, for messages: "table of patients".
        columns: For each name the headings that it may have.
        keep: Headings of further columns to keep.

    Raises:
        UserError: No such file, not UTF-8 text or not CSV; a column missing or there twice; no
            row; a row of another length than the header; an empty cell in a column asked for.

    """
    try:
        with opened_text(path) as file:
            reader = csv.reader(file)
            head = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, tuple(cells)) for cells in reader if cells]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"the {what} is not a readable CSV file in UTF-8",
            f"{path} ({told(error)})",
            "give another file",
        ) from error
    refuse_other_separator(what, path, head, [one for names in columns.values() for one in names])
    if not lines:
        raise UserError(f"the {what} has no row below its header", path, "add rows")
    places = _places(head, columns, f"the {what} {path}")
    kept = _places(head, {name: (name,) for name in keep}, f"the {what} {path}")
    refuse(
        f"rows of the {what} {path} do not have {len(head)} cells, as its header has",
        [f"row {number} with {len(cells)}" for number, cells in lines if len(cells) != len(head)],
        "quote cells that hold a comma",
    )
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


def _places(head: list[str], columns: Mapping[str, Sequence[str]], what: str) -> dict[str, int]:
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

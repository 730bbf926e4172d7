"""The manifest of an image collection: a CSV file with one row for each slice."""

import csv
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sweep.data.problems import refuse
from sweep.errors import UserError, nearest

REQUIRED = ("file", "label", "patient")
SPLITTING = ("fold", "split")


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: line of the file; the header is line 1.
        file: path of the image inside the image folder, with forward slashes.
        labels: the names in the label cell; empty = no finding.
        patient: whose image it is.
        split: the cell of the column ``fold`` or ``split``; None without such a column.

    """

    number: int
    file: str
    labels: frozenset[str]
    patient: str
    split: str | None

    def __str__(self) -> str:
        return f"row {self.number} ({self.file})"


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest; columns ``file``, ``label``, ``patient``, and ``fold`` or ``split`` if any.

    A label cell holds one name, several separated by ``|``, or nothing for no finding. Other
    columns are ignored. Whether the images exist is not asked here.

    Raises:
        UserError: no such file, or not UTF-8 text; a missing column; ``fold`` and ``split`` both;
            no row; a row of another length than the header; an empty file, patient or split cell;
            a file twice; a file outside the image folder.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(csv.DictReader(file, skipinitialspace=True), path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"A manifest is a readable CSV file in UTF-8; {path}: {error}. Give another file."
        ) from error
    _check_rows(rows, path)
    return rows


def _rows(reader: "csv.DictReader[str]", path: Path) -> list[Row]:
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    _check_columns(header, path)
    splitting = next((name for name in SPLITTING if name in header), None)
    return [_row(cells, reader.line_num, splitting, path) for cells in reader]


def _check_columns(header: list[str], path: Path) -> None:
    refuse(
        f"A manifest has the columns {', '.join(REQUIRED)}",
        [
            f"{path} lacks {name!r}, {nearest(name, header)}"
            for name in REQUIRED
            if name not in header
        ],
        "Name them in the first line.",
    )
    if all(name in header for name in SPLITTING):
        raise UserError(
            f"A manifest says once how to split; {path} has the columns 'fold' and 'split'. "
            "Rename the one that you do not mean."
        )


def _row(cells: dict[str, str], number: int, splitting: str | None, path: Path) -> Row:
    if None in cells or None in cells.values():
        raise UserError(
            f"A row of a manifest has as many cells as the header; {path}, row {number} has "
            f"{'more' if None in cells else 'fewer'}. Quote cells that hold a comma."
        )
    file = cells["file"].strip()
    names = (name.strip() for name in cells["label"].split("|"))
    return Row(
        number=number,
        file=posixpath.normpath(file) if file else "",
        labels=frozenset(name for name in names if name),
        patient=cells["patient"].strip(),
        split=cells[splitting].strip() if splitting else None,
    )


def _check_rows(rows: list[Row], path: Path) -> None:
    if not rows:
        raise UserError(f"A manifest has at least one row; {path} has a header only. Add rows.")
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.file, row)

    def check(rule: str, breaks: Callable[[Row], bool], remedy: str) -> None:
        refuse(f"{rule} ({path})", [str(row) for row in rows if breaks(row)], remedy)

    check("Each row names a file", lambda row: not row.file, "Fill the column 'file'.")
    check("Each row names a patient", lambda row: not row.patient, "Fill the column 'patient'.")
    check("Each row has a split", lambda row: row.split == "", "Fill 'fold' or 'split'.")
    check("Files lie inside the image folder", _leaves, "Move them there.")
    check("A file has one row", lambda row: first[row.file] is not row, "Remove the repeats.")


def _leaves(row: Row) -> bool:
    """Whether the path, as written, leads out of the folder; links inside it may lead anywhere."""
    return row.file.startswith(("/", "../")) or row.file == ".."

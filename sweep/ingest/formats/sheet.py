"""Tables as people keep them: CSV with any usual separator, Excel, Parquet.

All come out as what is written in the cells of a CSV file, so that what reads one reads all.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from sweep.core.errors import UserError, refuse, told
from sweep.core.reading import MOST_OF_TABLE, opened

# What stands between cells, the usual first; spreadsheets write a semicolon in countries whose
# numbers have a comma.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
# How a text says by its first bytes that it is in UTF-16, as "Unicode text" of Excel is.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
EXCEL, PARQUET = (".xlsx", ".xlsm"), (".parquet", ".pq")


class Line(NamedTuple):
    """One row: its number, as an editor or a spreadsheet shows it, and its cells as written."""

    number: int
    cells: tuple[str, ...]


class Sheet(NamedTuple):
    """A table.

    Attributes:
        header: The names of the columns, without white space around.
        lines: The rows below it that are not empty, as long as the header.
        kind: What it is, in words, where it is not CSV with commas in UTF-8; else empty.

    """

    header: tuple[str, ...]
    lines: list[Line]
    kind: str


def read_sheet(path: Path, what: str, known: Collection[str], header: Sequence[str] = ()) -> Sheet:
    """Read a table; the format is known by the suffix, CSV being the rest.

    Args:
        path: CSV in UTF-8 or UTF-16, .xlsx (its first sheet) or .parquet.
        what: The kind of table, for messages: "manifest".
        known: Names that a column may have. CSV is separated by that mark which finds most of
            them; by commas where none does.
        header: The names of the columns, where the table has none and its first line is a row.

    Raises:
        UserError: No such file, or one of another kind; a row longer or shorter than the header.

    """
    try:
        with opened(path, MOST_OF_TABLE) as file:
            names, lines, kind = _read(file, path, known, len(header))
    except UserError:  # which is a ValueError
        raise
    except Exception as error:  # openpyxl and pyarrow raise nearly anything of damaged files
        there = not isinstance(error, OSError)
        raise UserError(
            f"the {what} is not a readable CSV, Excel or Parquet file",
            f"{path} ({told(error)})",
            "save it as CSV in UTF-8" if there else "give another file",
        ) from error
    if header:
        names, lines = tuple(header), [Line(1, names), *lines] if any(names) else lines
    _check_lengths(names, lines, what, path)
    return Sheet(names, lines, kind)


def _read(
    file: IO[bytes], path: Path, known: Collection[str], width: int
) -> tuple[tuple[str, ...], list[Line], str]:
    suffix = path.suffix.lower()
    if suffix in EXCEL:
        from openpyxl import load_workbook

        sheets = load_workbook(file, read_only=True, data_only=True)
        first = sheets.worksheets[0]
        more = len(sheets.worksheets) > 1
        kind = f"the sheet {first.title!r} of an Excel file" if more else "an Excel file"
        return *_headed(enumerate(first.iter_rows(values_only=True), start=1)), kind
    if suffix in PARQUET:
        import pyarrow.parquet as pq

        read = pq.read_table(file)
        rows = zip(*(column.to_pylist() for column in read.columns), strict=True)
        return *_headed(enumerate([tuple(read.column_names), *rows], start=1)), "a Parquet file"
    raw = file.read()
    encoding = "utf-16" if raw.startswith(UTF_16) else "utf-8-sig"
    text = raw.decode(encoding)
    mark = _separator(text, known, width)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
    said = [f"separated by {SEPARATORS[mark]}"] if mark != "," else []
    said += ["in UTF-16"] if encoding == "utf-16" else []
    header = next(reader, [])
    lines = [Line(reader.line_num, tuple(cells)) for cells in reader if cells]
    kind = f"a table {' and '.join(said)}" if said else ""
    return tuple(name.strip() for name in header), lines, kind


def _separator(text: str, known: Collection[str], width: int) -> str:
    """The mark that finds most columns that are known, or of a table without a header ``width``."""
    first = text.split("\n", 1)[0]
    cells = {mark: next(csv.reader([first], delimiter=mark), []) for mark in SEPARATORS}

    def finds(mark: str) -> int:
        if width:
            return int(len(cells[mark]) == width)
        return len({name.strip() for name in cells[mark]} & {*known})

    return max(SEPARATORS, key=finds)


def _headed(
    rows: Iterable[tuple[int, Sequence[object]]],
) -> tuple[tuple[str, ...], list[Line]]:
    """The first row and the others, as text, without columns and rows that are empty."""
    texts = [(number, tuple(map(_text, cells))) for number, cells in rows]
    if not texts:
        return (), []
    header = tuple(name.strip() for name in texts[0][1])
    width = max((n for n, name in enumerate(header, start=1) if name), default=0)
    return header[:width], [
        Line(number, cells[:width] if not any(cells[width:]) else cells)
        for number, cells in texts[1:]
        if any(cells)
    ]


def _text(value: object) -> str:
    """A cell as CSV would have it: a whole number without a point, nothing for no value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else "" if value != value else repr(value)
    return str(value)


def _check_lengths(header: Sequence[str], lines: Sequence[Line], what: str, path: Path) -> None:
    refuse(
        f"rows of the {what} {path} do not have {len(header)} cells, as its header has",
        [f"row {line.number} with {len(line.cells)}" for line in _uneven(header, lines)],
        "quote cells that hold a comma, and fill in those that are missing",
    )


def _uneven(header: Sequence[str], lines: Sequence[Line]) -> Iterator[Line]:
    return (line for line in lines if len(line.cells) != len(header))

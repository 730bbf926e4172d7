"""One table, saved in every way that people save tables, is one table."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from sweep.core.errors import UserError
from sweep.ingest.formats.sheet import read_sheet

HEADER = ("file", "label", "fold")
ROWS = (("a, b.png", "tear|cyst", "3"), ("ä.png", "", "1"))


def as_csv(mark: str, encoding: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        lines = [mark.join(f'"{cell}"' for cell in row) for row in (HEADER, *ROWS)]
        path.write_bytes("\r\n".join([*lines, ""]).encode(encoding))

    return write


def as_excel(path: Path) -> None:
    book = Workbook()
    for row in (HEADER, *ROWS):
        book.active.append([int(cell) if cell.isdigit() else cell or None for cell in row])
    book.save(path)


def as_parquet(path: Path) -> None:
    file, label, fold = zip(*ROWS, strict=True)
    numbers = [float(one) for one in fold]  # as pandas has them beside missing ones
    pq.write_table(pa.table({"file": file, "label": label, "fold": numbers}), path)


@pytest.mark.parametrize(
    ("name", "write", "kind"),
    [
        ("t.csv", as_csv(",", "utf-8"), ""),
        ("t.csv", as_csv(",", "utf-8-sig"), ""),
        ("t.csv", as_csv(";", "utf-8"), "a table separated by semicolons"),
        ("t.tsv", as_csv("\t", "utf-8"), "a table separated by tabs"),
        ("t.txt", as_csv("\t", "utf-16"), "a table separated by tabs and in UTF-16"),
        ("t.xlsx", as_excel, "an Excel file"),
        ("t.parquet", as_parquet, "a Parquet file"),
    ],
)
def test_a_table_is_the_same_in_every_format(
    tmp_path: Path, name: str, write: Callable[[Path], None], kind: str
) -> None:
    write(tmp_path / name)
    sheet = read_sheet(tmp_path / name, "manifest", HEADER)
    assert sheet.header == HEADER
    assert [line.cells for line in sheet.lines] == list(ROWS)
    assert [line.number for line in sheet.lines] == [2, 3]
    assert sheet.kind == kind


def test_commas_are_taken_where_no_column_is_known(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b,c\n1;2,3\n")
    assert read_sheet(tmp_path / "t.csv", "manifest", HEADER).header == ("a;b", "c")


def test_of_several_sheets_the_first_is_taken_and_said(tmp_path: Path) -> None:
    book = Workbook()
    book.active.title = "slices"
    book.active.append(HEADER)
    book.active.append([None, None, None, None])
    book.active.append(["a.png", True, 2.0])
    book.create_sheet("notes")
    book.save(tmp_path / "t.xlsx")
    sheet = read_sheet(tmp_path / "t.xlsx", "manifest", HEADER)
    assert [line.cells for line in sheet.lines] == [("a.png", "1", "2")]
    assert sheet.lines[0].number == 3
    assert sheet.kind == "the sheet 'slices' of an Excel file"


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx", "t.parquet"])
def test_what_is_no_table_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04\xff\xff\xff rubbish")
    with pytest.raises(UserError, match="the manifest is not a readable CSV, Excel or Parquet"):
        read_sheet(tmp_path / name, "manifest", HEADER)

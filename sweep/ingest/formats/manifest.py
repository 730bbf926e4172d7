"""The manifest of an image collection: a CSV file with a row for each picture, volume or slice."""

import csv
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweep.core.errors import UnusableError, UserError, nearest, refuse, told
from sweep.core.reading import opened_text
from sweep.ingest.formats.separators import refuse_other_separator
from sweep.store.slices import Slice, Task, check_column_names

REQUIRED = ("file", "label")
PATIENT = "patient"
SPLITTING = ("fold", "split")
SLICE = "slice"
VOLUME = "volume"
ROLES = (*REQUIRED, PATIENT, *SPLITTING, SLICE)
SEQUENCE = "sequence"
NUMBER = re.compile(r"(\d+)(\.0+)?", re.ASCII)  # spreadsheets write 3 as 3.0 beside empty cells


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: Line of the file; the header is line 1.
        file: Path inside the image folder, with forward slashes.
        labels: The names in the label cell; empty = no finding.
        patient: Whose image it is; empty where the manifest may leave it to the file and does.
        split: The cell of the column ``fold`` or ``split``; None without such a column.
        slice: The slice of a volume that the row speaks of, from 0; None = of the whole file.
        columns: The cells of the columns to keep; empty = unknown.
        sequence: The cell of the column ``sequence``, if that is to be kept; empty = unknown.
        volume: Which volume of a file of several the row speaks of, from 0; None = the only one.

    """

    number: int
    file: str
    labels: frozenset[str]
    patient: str
    split: str | None
    slice: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    sequence: str = ""
    volume: int | None = None

    def __str__(self) -> str:
        parts = ((VOLUME, self.volume), (SLICE, self.slice))
        place = "".join(f", {name} {number}" for name, number in parts if number is not None)
        return f"row {self.number} ({self.file}{place})"


def read_manifest(
    path: Path,
    *,
    volumes: bool = False,
    several: bool = False,
    patients: bool = True,
    columns: Sequence[str] = (),
) -> list[Row]:
    """Read a manifest; columns ``file``, ``label``, ``patient``, and ``fold`` or ``split`` if any.

    A label cell holds one name, several separated by ``|``, or nothing for no finding. Other
    columns are ignored unless they are asked for. Whether the images exist is not asked here.

    Args:
        path: The manifest.
        volumes: A file holds several slices. Then the optional column ``slice`` numbers them from
            0: a file has one row without a number, for all its slices, or a row for each of some.
        several: A file may hold several volumes. Then the optional column ``volume`` numbers them
            from 0, and each has rows of its own.
        patients: Each row names its patient; otherwise the column may be missing or a cell empty.
        columns: Other columns to keep, whose cells may be empty.

    Raises:
        UserError: No such file, or not UTF-8 text; a missing column; ``fold`` and ``split`` both;
            a column to keep that is not there, is one of the above or cannot be stored; no row; a
            row of another length than the header; an empty file, patient or split cell; a slice
            that is no number; a file, or a slice of it, twice; a file with two patients; a file
            outside the image folder.

    """
    try:
        with opened_text(path) as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            refuse_other_separator("manifest", path, header, ROLES)
            _check_columns(header, (*REQUIRED, PATIENT) if patients else REQUIRED, path)
            numbering = [
                name
                for name, meant in ((SLICE, volumes), (VOLUME, several))
                if meant and name in header
            ]
            _check_kept(columns, header, path, numbering)
            rows = [_row(cells, reader.line_num, numbering, columns, path) for cells in reader]
    except UserError:  # which is a ValueError
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            "the manifest is not a readable CSV file in UTF-8",
            f"{path} ({told(error)})",
            "give another file",
        ) from error
    _check_cells(rows, patients, path)
    _check_files(rows, path)
    return rows


def located(row: Row, folder: Path) -> Path:
    """Where the file of a row is; links may lead anywhere, as those of data managers do.

    Raises:
        UnusableError: There is neither a file nor a folder, or links that lead in a circle.

    """
    path = folder / row.file
    try:
        path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle, before 3.13
        raise UnusableError(
            "a file of the manifest cannot be found",
            f"{row} in {folder} ({type(error).__name__}: {error})",
            "add the file or remove the row",
        ) from error
    if not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise UnusableError(
            "what a row of the manifest names is no file",
            f"{row} in {folder}",
            "put a file in its place, or remove the row",
        )
    return path


def _check_columns(header: list[str], required: tuple[str, ...], path: Path) -> None:
    refuse(
        f"the manifest {path} does not have all of the columns {', '.join(required)}",
        [
            f"no {name!r} ({nearest(name, header) if header else 'the first line is empty'})"
            for name in required
            if name not in header
        ],
        "name them in the first line",
    )
    if all(name in header for name in SPLITTING):
        raise UserError(
            "the manifest says twice how to split",
            f"{path} with the columns 'fold' and 'split'",
            "rename the one that you do not mean",
        )


def _check_kept(
    columns: Sequence[str], header: list[str], path: Path, numbering: Sequence[str]
) -> None:
    refuse(
        f"columns to keep are not in the manifest {path}",
        [f"{name!r} ({nearest(name, header)})" for name in columns if name not in header],
        "correct --columns",
    )
    refuse(
        "columns to keep have a meaning of their own in a manifest",
        [repr(name) for name in columns if name in (*ROLES, *numbering)],
        "leave them out of --columns: the store says by itself what they mean",
    )
    check_column_names([name for name in columns if name != SEQUENCE])


def _row(
    cells: dict[str, str],
    number: int,
    numbering: Sequence[str],
    columns: Sequence[str],
    path: Path,
) -> Row:
    more = None in cells
    if more or None in cells.values():
        raise UserError(
            f"a row of the manifest has {'more' if more else 'fewer'} cells than the header",
            f"{path}, row {number}",
            "quote cells that hold a comma" if more else "add the missing cells",
        )
    file = cells["file"].strip()
    names = (name.strip() for name in cells["label"].split("|"))
    return Row(
        number=number,
        file=posixpath.normpath(file) if file else "",
        labels=frozenset(name for name in names if name),
        patient=cells.get(PATIENT, "").strip(),
        split=next((cells[name].strip() for name in SPLITTING if name in cells), None),
        slice=_numbered(SLICE, cells, number, path) if SLICE in numbering else None,
        columns={name: cells[name].strip() for name in columns if name != SEQUENCE},
        sequence=cells[SEQUENCE].strip() if SEQUENCE in columns else "",
        volume=_numbered(VOLUME, cells, number, path) if VOLUME in numbering else None,
    )


def _numbered(name: str, cells: Mapping[str, str], number: int, path: Path) -> int | None:
    cell = cells[name].strip()
    if not cell:
        return None
    found = NUMBER.fullmatch(cell)
    if found is None:
        raise UserError(
            f"a {name} is not a number from 0, or empty for all of the file",
            f"{path}, row {number}: {cell!r}",
            f"correct the column {name!r}",
        )
    return int(found[1])


def _check_cells(rows: list[Row], patients: bool, path: Path) -> None:
    if not rows:
        raise UserError("the manifest has no row", f"{path} with a header only", "add rows")
    check = _checker(rows, path)
    check("name no file", lambda row: not row.file, "fill the column 'file'")
    if patients:
        check("name no patient", lambda row: not row.patient, "fill the column 'patient'")
    check("have no split", lambda row: row.split == "", "fill the column 'fold' or 'split'")


def _check_files(rows: list[Row], path: Path) -> None:
    whole = {(row.file, row.volume) for row in rows if row.slice is None}
    patient: dict[str, str] = {}
    first: dict[tuple[str, int | None, int | None], Row] = {}
    for row in rows:
        patient.setdefault(row.file, row.patient)
        first.setdefault((row.file, row.volume, row.slice), row)
    check = _checker(rows, path)
    check(
        "name files outside the image folder",
        _leaves,
        "move the files into it, and correct the rows",
    )
    check(
        "name a file, or a slice of it, again",
        lambda row: first[row.file, row.volume, row.slice] is not row,
        "remove the repeats",
    )
    check(
        "name a slice of a file that has a row without a slice as well",
        lambda row: row.slice is not None and (row.file, row.volume) in whole,
        "remove the row for the whole file, or those for its slices",
    )
    check(
        "give a file a second patient",
        lambda row: row.patient != patient[row.file],
        "correct the column 'patient'",
    )


def _checker(rows: list[Row], path: Path) -> Callable[[str, Callable[[Row], bool], str], None]:
    def check(breach: str, breaks: Callable[[Row], bool], remedy: str) -> None:
        refuse(f"rows of {path} {breach}", [str(row) for row in rows if breaks(row)], remedy)

    return check


def _leaves(row: Row) -> bool:
    """Whether the path, as written, leads out of the folder."""
    return row.file.startswith(("/", "../")) or row.file == ".."


def label_names(rows: Sequence[Row], manifest: Path) -> tuple[str, ...]:
    """All labels that occur, sorted.

    Raises:
        UserError: No row has a label.

    """
    names = sorted(frozenset[str]().union(*(row.labels for row in rows)))
    if not names:
        raise UserError(
            "no row of the manifest names a finding",
            f"{manifest} with an empty column 'label'",
            "fill the column where there is a finding",
        )
    return tuple(names)


def task_of(rows: Sequence[Row | Slice], names: Sequence[str]) -> Task:
    """'multiclass' if each has exactly one label and there are several, else 'multilabel'."""
    one_each = all(len(row.labels) == 1 for row in rows)
    return "multiclass" if one_each and len(names) > 1 else "multilabel"

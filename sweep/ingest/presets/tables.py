"""The tables of a preset: found, read once each, and asked about a file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import UserError, nearest
from sweep.ingest.formats.joining import (
    Key,
    Keyed,
    columns_like,
    key_text,
    label_said,
    read_keyed,
)
from sweep.ingest.formats.sheet import read_sheet
from sweep.ingest.formats.walking import files_below, is_leftover
from sweep.ingest.presets.paths import filled, names_in
from sweep.ingest.presets.preset import Chosen, Places, Preset, Table, spelt

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm", ".parquet", ".pq")
Fields = Mapping[str, str]


class Said(NamedTuple):
    """What all tables say of a file.

    Attributes:
        labels: By column of labels the label, empty = none is shown, None = it is not known.
        columns: The columns to keep.
        missing: A table that has no row for it; None = all have.
        silent: A table of which a cell of its labels is empty; None = none is.

    """

    labels: Mapping[str, str | None]
    columns: Mapping[str, str]
    missing: Path | None
    silent: Path | None


class Tables:
    """The tables of a preset, each read when it is first asked about.

    Args:
        preset: The preset.
        folder: The folder of its tables.
        chosen: What is chosen.
        keep: Headings of further columns to keep.

    """

    def __init__(
        self, preset: Preset, folder: Path, chosen: Chosen, keep: Sequence[str] = ()
    ) -> None:
        self._preset = preset
        self._folder = folder
        self._chosen = chosen
        # What is chosen stands for itself in a glob: `label=*` is no choice of every column.
        self._as_they_are = {name: tuple(map(escape, one)) for name, one in chosen.items()}
        self._keep = keep
        self._below: list[Path] | None = None
        self._read: dict[tuple[Path, str], Keyed] = {}
        self._kept: set[str] = set()
        self.elsewhere: dict[str, Path] = {}

    def say(self, fields: Fields) -> Said:
        """What the tables say of the file with these fields of its path.

        Raises:
            UserError: A table that is not there or cannot be used; a cell that no label is of.

        """
        labels: dict[str, str | None] = {}
        columns: dict[str, str] = {}
        missing = silent = None
        for table in self._preset.tables:
            read, key = self._of(table, fields)
            if key not in read.rows:
                missing = missing or read.path
                continue
            said = dict(self._labels(table, read, key))
            silent = silent or (read.path if None in said.values() else None)
            labels |= said
            for name, heading in self._columns(table, read).items():
                cell = read.cell(key, heading)
                columns[name] = "" if cell.casefold() == "n/a" else cell
        return Said(labels, columns, missing, silent)

    def check_kept(self) -> None:
        """Refuse columns to keep that no table has.

        Raises:
            UserError: There are some.

        """
        if gone := [name for name in self._keep if name not in self._kept]:
            known = {name for read in self._read.values() for name in read.header}
            raise UserError(
                "columns that are asked for are in no table of the data set",
                ", ".join(f"{name!r} ({nearest(name, known)})" for name in gone),
                "correct --columns",
            )

    def found(self, file: str) -> Path:
        """Where a table is: at its place, or else the only one of its name below the folder.

        Args:
            file: Its path, in which ``*`` may stand for a part of its name.

        Raises:
            UserError: There is none, or there are several.

        """
        path = self._folder / file
        if path.is_file():
            return path
        if self._below is None:
            self._below = [one for one in files_below(self._folder) if not is_leftover(one.name)]
        name = Path(file).name
        alike = [one for one in self._below if fnmatchcase(one.name, name)]
        if len(alike) == 1:
            if alike[0].parent != path.parent:
                self.elsewhere[file] = alike[0]
            return alike[0]
        names = {one.name for one in self._below if one.suffix in TABLES}
        raise UserError(
            f"a table that {self._preset.name} needs is not there",
            f"{path} ({f'{len(alike)} of this name below' if alike else nearest(name, names)})",
            f"put it there, or pass --tables with its folder. Expected:\n{self._preset.layout}",
        )

    def _of(self, table: Table, fields: Fields) -> tuple[Keyed, Key]:
        path = self.found(filled(table.file, fields))
        read = self._read.get((path, table.file))
        if read is None:
            read = read_keyed(path, "table", list(table.key), table.header)
            self._read[path, table.file] = read
        return read, key_of(table, fields)

    def _labels(self, table: Table, read: Keyed, key: Key) -> Iterator[tuple[str, str | None]]:
        for text, meaning in table.labels.items():
            says: dict[str, str] = {}
            for cell, label in meaning.items():
                for one in spelt(cell, self._chosen):
                    says.setdefault(one, label)  # what is chosen stands first
            for glob in spelt(text, self._as_they_are):
                for name in columns_like(read, [glob], list(table.key)):
                    cell = read.cell(key, name)
                    yield name, label_said(cell, name, says, read.origin(key))

    def _columns(self, table: Table, read: Keyed) -> dict[str, str]:
        kept = {name: one for name, one in table.columns.items() if one in read.header}
        further = [name for name in self._keep if name in read.header]
        self._kept.update(further, kept)
        return {**kept, **{name: name for name in further}}


def key_of(table: Table | Places, fields: Fields) -> Key:
    """The key of a table that a file has, by the fields of its path."""
    return tuple(key_text(filled(text, fields)) for text in table.key.values())


class Marked(NamedTuple):
    """A slice at which labels were marked: its InstanceNumber, and the columns of labels."""

    instance: int
    columns: frozenset[str]


Marks = Mapping[Key, Sequence[Marked]]


def read_places(places: Places, path: Path) -> Marks:
    """The slices at which labels were marked, for each key.

    Raises:
        UserError: See ``read_sheet``; no such column; an instance that is no number.

    """
    headings = [*places.key, places.instance, *sorted(names_in(places.column))]
    names, lines, _ = read_sheet(path, "table", headings)
    if missing := [name for name in headings if name not in names]:
        raise UserError(
            f"the table {path} does not have all of its columns",
            ", ".join(f"no {name!r} ({nearest(name, names)})" for name in missing),
            "give the table as it is published",
        )
    at = {name: names.index(name) for name in headings}
    found: dict[Key, dict[int, set[str]]] = {}
    for line in lines:
        cells = {name: line.cells[place].strip() for name, place in at.items()}
        number = cells[places.instance]
        if not re.fullmatch(r"[0-9]{1,18}", number):
            raise UserError(
                "an instance number is no whole number",
                f"{number!r} in {path}, row {line.number}",
                "correct the row",
            )
        key = tuple(key_text(cells[name]) for name in places.key)
        about = filled(places.column, {name: _column_word(cell) for name, cell in cells.items()})
        found.setdefault(key, {}).setdefault(int(number), set()).add(about)
    return {
        key: [Marked(number, frozenset(columns)) for number, columns in sorted(numbers.items())]
        for key, numbers in found.items()
    }


def _column_word(cell: str) -> str:
    """Words of a cell as headings have them: ``L1/L2`` is ``l1_l2``."""
    return re.sub(r"[^a-z0-9]+", "_", cell.casefold()).strip("_")

"""Tables beside the images that are joined to them by a key, and what their cells say of labels.

A table has a row for each study, exam or person. Its key is found again in the paths of the images,
and its columns of labels are read by a *meaning*: which label a cell stands for.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from sweep.core.errors import UserError, nearest, refuse
from sweep.core.text import number_of
from sweep.ingest.formats.labels import NOT_SHOWN_BY, SHOWN_BY
from sweep.ingest.formats.sheet import read_sheet

Key = tuple[str, ...]
Meaning = Mapping[str, str]
"""The label that a cell stands for, empty = none; see ``COLUMN``, ``CELL`` and ``ANY``."""

COLUMN, CELL = "{column}", "{cell}"  # in a label: the name of its column, what the cell says
ANY = "*"  # any other cell
SILENT = frozenset({"", "n/a", "nan"})  # cells that say nothing, as BIDS and pandas write them
YES_OR_NO: Meaning = {
    **dict.fromkeys(SHOWN_BY, COLUMN),
    **dict.fromkeys(NOT_SHOWN_BY - SILENT, ""),
}


def meaning_of(shown: Sequence[str]) -> Meaning:
    """What cells say where these, and no others, say that the label of the column is shown."""
    return {**dict.fromkeys(shown, COLUMN), ANY: ""}


@dataclass(frozen=True)
class LabelTable:
    """Where labels stand, and how they are to be understood.

    Attributes:
        path: A table, see ``read_sheet``.
        key: The column that names the study, exam or person.
        columns: The columns of labels, by name or by a glob such as ``spinal*``.
        meaning: What their cells say.
        header: The names of the columns, where the table has no header.

    """

    path: Path
    key: str
    columns: Sequence[str]
    meaning: Meaning = field(default_factory=lambda: YES_OR_NO, hash=False)
    header: Sequence[str] = ()

    def to_plain(self) -> dict[str, object]:
        """The same as JSON can say it."""
        return {
            "path": str(self.path),
            "key": self.key,
            "columns": list(self.columns),
            **({"header": list(self.header)} if self.header else {}),
            **({} if self.meaning is YES_OR_NO else {"meaning": dict(self.meaning)}),
        }


@dataclass(frozen=True)
class Keyed:
    """A table with one row for each key.

    Attributes:
        path: Where it is.
        header: The names of its columns.
        rows: The cells of each key, see ``key_text``.
        lines: The line of each.

    """

    path: Path
    header: tuple[str, ...]
    rows: Mapping[Key, tuple[str, ...]]
    lines: Mapping[Key, int]

    def cell(self, key: Key, column: str) -> str:
        """A cell, without white space around."""
        return self.rows[key][self.header.index(column)].strip()

    def origin(self, key: Key) -> str:
        """The row of a key, for messages."""
        return f"{self.path}, row {self.lines[key]}"


def key_text(text: str) -> str:
    """A key as it is compared: a number without zeros before it, which spreadsheets lose."""
    text = text.strip()
    return text.lstrip("0") or "0" if text.isdecimal() else text


def read_keyed(
    path: Path,
    what: str,
    key: Sequence[str],
    header: Sequence[str] = (),
) -> Keyed:
    """Read a table with one row for each key.

    Args:
        path: See ``read_sheet``.
        what: The kind of table, for messages.
        key: The columns that are the key together.
        header: The names of the columns, where the table has no header.

    Raises:
        UserError: See ``read_sheet``; no such column; no row; an empty key; a key twice.

    """
    names, lines, _ = read_sheet(path, what, key, header)
    refuse(
        f"the {what} {path} does not have each column of its key once",
        [f"{name!r} ({nearest(name, names)})" for name in key if names.count(name) != 1],
        "name the columns that are there; of a --label-table without a header, name them by "
        "--table-header exam,acl",
    )
    if not lines:
        raise UserError(f"the {what} has no row", path, "add rows, or give another table")
    places = [names.index(name) for name in key]
    keys = [tuple(key_text(line.cells[place]) for place in places) for line in lines]
    refuse(
        f"rows of the {what} {path} have an empty key",
        [f"row {line.number}" for line, one in zip(lines, keys, strict=True) if not all(one)],
        f"fill in {', '.join(map(repr, key))}",
    )
    refuse(
        f"keys stand in several rows of the {what} {path}",
        [f"{'/'.join(one)} {n} times" for one, n in Counter(keys).items() if n > 1],
        "leave one row for each",
    )
    return Keyed(
        path,
        names,
        {one: line.cells for one, line in zip(keys, lines, strict=True)},
        {one: line.number for one, line in zip(keys, lines, strict=True)},
    )


def columns_like(table: Keyed, globs: Sequence[str], but: Collection[str] = ()) -> list[str]:
    """The columns of a table that are named, or that a glob stands for, in the table's order.

    Args:
        table: The table.
        globs: Names and globs.
        but: Columns that no glob stands for, such as the key.

    Raises:
        UserError: A name or a glob that stands for none.

    """
    free = [name for name in table.header if name not in but]
    refuse(
        f"the table {table.path} does not have the columns of labels",
        [
            f"{glob!r} ({nearest(glob, free)})"
            for glob in globs
            if not any(_is_like(name, glob) for name in free)
        ],
        "name columns that are there",
    )
    return [name for name in free if any(_is_like(name, glob) for glob in globs)]


def _is_like(name: str, glob: str) -> bool:
    """Whether a column has a name, which may have brackets in it, or a glob stands for it."""
    return name == glob or fnmatchcase(name, glob)


def label_said(cell: str, column: str, meaning: Meaning, where: str) -> str | None:
    """The label that a cell stands for.

    Returns:
        Empty = that none is shown; None = the cell says nothing.

    Raises:
        UserError: The cell is none that the meaning knows.

    """
    plain = _plain(cell)
    if plain in SILENT:
        return None
    for says, label in meaning.items():
        if says == ANY or _plain(says) == plain:
            return label.replace(COLUMN, column).replace(CELL, cell.strip())
    raise UserError(
        "a cell of a column of labels says neither that the label is shown nor that it is not",
        f"{cell!r} for {column!r} in {where}",
        f"correct the cell; known: {', '.join(repr(says) for says in meaning)}",
    )


@dataclass(frozen=True)
class Labelled:
    """What a table of labels says.

    Attributes:
        table: The table.
        labels: The labels of each key; None = a cell of its row says nothing.

    """

    table: Keyed
    labels: Mapping[str, frozenset[str] | None]

    def key_of(self, file: str, named: str = "") -> str | None:
        """The key of a file: what its own row names, else the part of its path that is one.

        Args:
            file: A path with forward slashes.
            named: What its row names; empty = nothing.

        Returns:
            None: The table has no such key.

        Raises:
            UserError: Two parts of the path are keys.

        """
        if named:
            return key_text(named) if key_text(named) in self.labels else None
        found = dict.fromkeys(
            key_text(part) for part in _parts(file) if key_text(part) in self.labels
        )
        if len(found) > 1:
            raise UserError(
                "two parts of a path are keys of the table of labels",
                f"{file} with {' and '.join(found)} in {self.table.path}",
                "write a manifest with a column of the key, and keep it with --columns",
            )
        return next(iter(found), None)


def read_labels(table: LabelTable) -> Labelled:
    """Read a table of labels.

    Raises:
        UserError: See ``read_keyed``, ``columns_like`` and ``label_said``.

    """
    keyed = read_keyed(table.path, "table of labels", [table.key], table.header)
    columns = columns_like(keyed, table.columns, [table.key])
    return Labelled(
        keyed, {key[0]: _shown(keyed, key, columns, table.meaning) for key in keyed.rows}
    )


def _shown(
    table: Keyed, key: Key, columns: Sequence[str], meaning: Meaning
) -> frozenset[str] | None:
    said = [label_said(table.cell(key, name), name, meaning, table.origin(key)) for name in columns]
    return None if None in said else frozenset(filter(None, said))


def left_out_notes(path: Path, without: int, silent: int) -> Iterator[str]:
    """Say of how many files a table of labels does not say all, and that they are left out."""
    if without:
        yield f"Files that {path} has no row for: {without}; left out."
    if silent:
        yield (
            f"Files of which a cell of {path} is empty, so that not all of their labels are "
            f"known: {silent}; left out."
        )


def refuse_none_known(table: Keyed, files: Sequence[str]) -> None:
    """For a table of labels that names none of the files.

    Raises:
        UserError: Always.

    """
    example = "/".join(next(iter(table.rows)))
    raise UserError(
        "the table of labels names none of the files",
        f"{number_of(len(files), 'file')} ({files[0]}, for one) and keys such as {example!r} in "
        f"{table.path}",
        "give the table that belongs to these files, or another --key",
    )


def _parts(file: str) -> Iterator[str]:
    """Folders of a path, its name, and its name without what follows the first dot."""
    path = PurePosixPath(file)
    yield from path.parts
    yield path.name.split(".")[0]


def _plain(cell: str) -> str:
    """A cell as it is compared: in any case, and numbers by their value."""
    text = cell.strip().casefold()
    return f"{float(text):g}" if re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII) else text

"""The manifest of an image collection: a table with a row for each picture, volume or slice."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from sweep.core.errors import UserError, require_known, told
from sweep.core.text import number_of
from sweep.ingest.formats.cells import Paths, numbered
from sweep.ingest.formats.joining import (
    YES_OR_NO,
    LabelTable,
    Meaning,
    label_said,
    left_out_notes,
    read_labels,
    refuse_none_known,
)
from sweep.ingest.formats.labels import (
    SEPARATOR,
    named_in,
    refuse_joined,
    shown_by,
    spelling_notes,
    spellings,
)
from sweep.ingest.formats.manifest_checks import (
    check_cells,
    check_columns,
    check_files,
    check_kept,
    check_marked,
    check_masks,
    check_own_masks,
    check_pattern,
    check_places,
    check_scans,
)
from sweep.ingest.formats.marks.boxes import Box, BoxTable, read_boxes
from sweep.ingest.formats.marks.marking import AS_THEY_ARE, Marking
from sweep.ingest.formats.roles import (
    FILE,
    INSTANCE,
    LABEL,
    MASK,
    PATIENT,
    ROLES,
    SCAN,
    SEQUENCE,
    SLICE,
    SPLITTING,
    VOLUME,
)
from sweep.ingest.formats.sheet import Line, read_sheet
from sweep.store.slices import UNKNOWN_PATIENTS, Slice, Task

UNKNOWN = "unknown ("  # begins the name of a patient that nobody knows

Unknown = Literal["refuse", "each-file"]


@dataclass(frozen=True)
class Reading:
    """How a manifest is to be understood.

    Attributes:
        names: The column for a role, where it has not the name of the role:
            ``{"file": "image_path"}``.
        keep: Other columns to keep, whose cells may be empty.
        label_columns: Columns that are a label each, with 1 or 0 in their cells; then there is no
            column ``label``.
        label_meaning: What the cells of these columns say; by default 1 or 0.
        label_table: A table beside the manifest that labels are taken from, by a key; then the
            manifest has none.
        header: The names of the columns, where the manifest has no header.
        label_separator: What stands between the names in a cell of ``label``; None: ``|``, and
            names that seem to be several are refused.
        patient_pattern: A regular expression that is looked for in the path of a file: its first
            group, or all that it finds, is the patient. Then a column ``patient`` is not used.
        ignore_splits: Columns ``fold`` and ``split`` are not used; patients are assigned anew.
        unknown_patients: What is done with files whose patient nothing says: 'refuse' them, or
            let 'each-file' be a patient, at the risk that slices of one person lie in several
            splits.
        marking: How masks and boxes become labels.
        boxes: The table of boxes; None = there is none.

    Raises:
        UserError: A role that is none; a pattern that is no regular expression.

    """

    names: Mapping[str, str] = field(default_factory=dict)
    keep: Sequence[str] = ()
    label_columns: Sequence[str] = ()
    label_meaning: Meaning = field(default_factory=lambda: YES_OR_NO, hash=False)
    label_table: LabelTable | None = None
    header: Sequence[str] = ()
    label_separator: str | None = None
    patient_pattern: str | None = None
    ignore_splits: bool = False
    unknown_patients: Unknown = "refuse"
    marking: Marking = AS_THEY_ARE
    boxes: BoxTable | None = None

    def __post_init__(self) -> None:
        require_known("--column", list(self.names), (*ROLES, VOLUME, SEQUENCE))
        try:
            re.compile(self.patient_pattern or "")
        except re.error as error:
            raise UserError(
                "the pattern of patients is no regular expression",
                f"{self.patient_pattern!r} ({told(error)})",
                "correct it, such as 'patient_([0-9]+)'",
            ) from error

    def column(self, role: str) -> str:
        """The name of the column for a role."""
        return self.names.get(role, role)

    def patient_in(self, file: str) -> str:
        """The patient that the pattern finds in the path of a file; empty = none."""
        found = re.search(self.patient_pattern or "$^", file)
        return (found[1] or "" if found.re.groups else found[0]) if found else ""

    def to_plain(self) -> dict[str, object]:
        """What of it is not as usual, as JSON can say it."""
        said: dict[str, object] = {
            "column_names": dict(self.names),
            "columns": list(self.keep),
            "label_columns": list(self.label_columns),
            "label_meaning": None if self.label_meaning is YES_OR_NO else dict(self.label_meaning),
            "label_table": None if self.label_table is None else self.label_table.to_plain(),
            "header": list(self.header),
            "label_separator": self.label_separator,
            "patient_pattern": self.patient_pattern,
            "ignore_splits": self.ignore_splits,
            "unknown_patients": None
            if self.unknown_patients == "refuse"
            else self.unknown_patients,
            **self.marking.to_plain(),
            **(self.boxes.to_plain() if self.boxes else {}),
        }
        return {name: value for name, value in said.items() if value}


USUALLY = Reading()


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: Line of the file; the header is line 1; 0 = it stands in no file.
        file: Path inside the image folder, with forward slashes.
        labels: The names in the label cell; empty = no finding.
        patient: Whose image it is; empty where the manifest may leave it to the file and does.
        split: The cell of the column ``fold`` or ``split``; None without such a column.
        slice: The slice of a volume that the row speaks of, from 0; None = of the whole file.
        columns: The cells of the columns to keep; empty = unknown.
        sequence: The cell of the column ``sequence``, if that is to be kept; empty = unknown.
        volume: Which volume of a file of several the row speaks of, from 0; None = the only one.
        instance: The slice by its InstanceNumber, where its place is not known; None = it is.
        mask: Path of the mask of the file, as that of the file; empty = it has none.
        boxes: The boxes of the file, on whichever of its slices.
        scan: Of a picture the name, within the patient, of what was scanned as one with it; empty =
            it is a scan of its own.
        place: The number of a picture in its scan; None where it has none.

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
    instance: int | None = None
    mask: str = ""
    boxes: tuple[Box, ...] = ()
    scan: str = ""
    place: int | None = None

    def __str__(self) -> str:
        parts = ((VOLUME, self.volume), (SLICE, self.slice), (INSTANCE, self.instance))
        place = "".join(f", {name} {number}" for name, number in parts if number is not None)
        name = f"{self.file}{place}"
        return f"row {self.number} ({name})" if self.number else name


@dataclass(frozen=True)
class Collection:
    """Files with what is known of them, before the first is looked at.

    Attributes:
        rows: What is known, in the order of the store to be.
        folder: The folder that the paths of the rows start from.
        where: Where the rows come from, for messages.
        source: The same as JSON can say it, for the store.
        notes: What the user should know of how they were read.
        marking: How masks and boxes of the rows become labels.

    """

    rows: Sequence[Row]
    folder: Path
    where: str
    source: Mapping[str, object]
    notes: tuple[str, ...] = ()
    marking: Marking = AS_THEY_ARE

    @property
    def is_marked(self) -> bool:
        """Whether there is a mask or a box."""
        return any(row.mask or row.boxes for row in self.rows)


RowOrBox = TypeVar("RowOrBox", Row, Box)


def read_manifest(
    path: Path,
    folder: Path,
    *,
    volumes: bool = False,
    several: bool = False,
    patients: bool = True,
    reading: Reading = USUALLY,
) -> Collection:
    """Read a manifest; columns ``file``, ``label``, ``patient``, and ``fold`` or ``split`` if any.

    A label cell holds one name, several separated by ``|``, or nothing for no finding. Names that
    differ in case or white space only are one. Other columns are ignored unless they are asked
    for. Whether the images exist is not asked here.

    Args:
        path: The manifest, see ``read_sheet`` for its formats.
        folder: The folder that its paths start from; one that is absolute may lead into it.
        volumes: A file holds several slices. Then the optional column ``slice`` numbers them from
            0: a file has one row without a number, for all its slices, or a row for each of some.
            Otherwise a file is one picture, and where there is a column ``scan``, which names what
            was scanned as one, ``slice`` is the number of the picture in it.
        several: A file may hold several volumes. Then the optional column ``volume`` numbers them
            from 0, and each has rows of its own.
        patients: Each row names its patient; otherwise the file may.
        reading: How it is to be understood.

    Raises:
        UserError: See ``read_sheet``; a missing column; ``fold`` and ``split`` both; a column to
            keep that is not there, is one of the above or cannot be stored; no row; an empty file,
            patient or split cell; a slice that is no number; a file, or a slice of it, twice; a
            file with two patients; a file outside the image folder; a label that seems to be
            several.

    """
    known = [*map(reading.column, ROLES), *reading.keep, *reading.label_columns]
    header, lines, kind = read_sheet(path, "manifest", known, reading.header)
    marked = reading.column(MASK) in header or reading.boxes is not None
    elsewhere = reading.label_columns or reading.label_table or marked
    required = [FILE, *([] if elsewhere else [LABEL])]
    named = reading.patient_pattern or reading.unknown_patients != "refuse"
    if patients and not named:
        required.append(PATIENT)
    if MASK in reading.names or reading.marking.of_masks:
        required.append(MASK)
    check_marked(reading, marked, path)
    check_columns(header, required, reading, path)
    places = {name: place for place, name in enumerate(header)}
    numbering = [
        name
        for name, meant in ((SLICE, volumes), (VOLUME, several))
        if meant and reading.column(name) in places
    ]
    scans = not volumes and reading.column(SCAN) in places
    if scans:
        check_scans(header, reading, path)
    check_kept(header, reading, numbering, path)
    paths = Paths(folder)
    read = _RowReader(places, reading, numbering, paths, path, scans)
    rows = [read(line) for line in lines]
    check_cells(rows, patients and not named, path)
    check_places(rows, path)
    if reading.patient_pattern is not None:
        check_pattern(rows, reading, path)
    if patients:
        rows = [replace(row, patient=row.patient or unknown_patient(row.file)) for row in rows]
    if reading.column(MASK) in header and reading.marking.no_mask == "refuse":
        check_masks(rows, path)
    check_own_masks(rows, path)
    check_files(rows, path, folder)
    tabled: tuple[str, ...] = ()
    if reading.label_table is not None:
        rows, tabled = labelled_rows(rows, reading.label_table)
    boxes = [] if reading.boxes is None else _boxes(reading, reading.boxes, paths, volumes)
    counts = Counter(name for row in rows for name in row.labels)
    counts.update(name for box in boxes for name in box.labels)
    joined = reading.label_separator is None and not reading.label_columns
    if joined and reading.label_table is None:
        refuse_joined(counts, SEPARATOR)
    masked = any(row.mask for row in rows)
    taken = spellings(counts + Counter(reading.marking.labels if masked else ()))
    rows = [_respelt(row, taken) for row in rows]
    box_notes: tuple[str, ...] = ()
    if reading.boxes is not None:
        rows, box_notes = _with_boxes(rows, [_respelt(one, taken) for one in boxes], reading.boxes)
    notes = [f"The manifest is {kind}."] if kind else []
    if paths.slashed:
        notes.append(
            f"Paths with backslashes: {paths.slashed}; read as if they had forward slashes."
        )
    return Collection(
        rows,
        folder,
        str(path),
        {"manifest": str(path), **reading.to_plain()},
        (*notes, *tabled, *spelling_notes(counts, taken), *box_notes),
        reading.marking.renamed(taken) if masked else reading.marking,
    )


def labelled_rows(rows: Sequence[Row], table: LabelTable) -> tuple[list[Row], tuple[str, ...]]:
    """The rows with the labels of a table beside them, and what is said of those left out.

    The key of a row is its cell in the column of the key, if that is kept, else a part of its
    path, see ``Labelled.key_of``.

    Raises:
        UserError: See ``read_labels``; the table names none of the files.

    """
    said = read_labels(table)
    found: list[Row] = []
    without = silent = 0
    for row in rows:
        key = said.key_of(row.file, row.columns.get(table.key, ""))
        labels = None if key is None else said.labels[key]
        if labels is not None:
            found.append(replace(row, labels=labels))
        elif key is None:
            without += 1
        else:
            silent += 1
    if without == len(rows):
        refuse_none_known(said.table, [row.file for row in rows])
    notes = tuple(left_out_notes(table.path, without, silent))
    if not found:
        raise UserError(
            "the table of labels does not say all labels of any file",
            " ".join(notes),
            "fill in its cells, or name fewer columns with --label-columns",
        )
    return found, notes


def unknown_patient(file: str) -> str:
    """The name of the patient that a file is of, where nothing says whose it is."""
    return f"{UNKNOWN}{file})"


def unknown_note(rows: Sequence[Row | Slice], files: int) -> Iterator[str]:
    """Say for how many of the files nobody knows whose they are, and what that risks."""
    if unknown := unknown_patients(rows):
        yield (
            f"Files of which nothing says whose they are: {unknown} of {files}; each counts as a "
            "patient. Where images of one person lie in several splits, scores are flattered."
        )


def unknown_source(files: int) -> dict[str, object]:
    """The same for the store, whose ``caution`` every report repeats."""
    return {UNKNOWN_PATIENTS: files} if files else {}


def unknown_patients(rows: Sequence[Row | Slice]) -> int:
    """For how many files ``unknown_patient`` has given the patient."""
    return sum(name.startswith(UNKNOWN) for name in {row.patient for row in rows})


class _RowReader:
    """Makes rows of lines."""

    def __init__(
        self,
        places: Mapping[str, int],
        reading: Reading,
        numbering: Sequence[str],
        paths: Paths,
        path: Path,
        scans: bool,
    ) -> None:
        self._scans = scans
        self._places = places
        self._reading = reading
        self._numbering = numbering
        self._file = paths
        self._path = path

    def __call__(self, line: Line) -> Row:
        reading = self._reading

        def cell(role: str) -> str:
            place = self._places.get(reading.column(role))
            return "" if place is None else line.cells[place].strip()

        file = self._file(cell(FILE))
        kept = {name: line.cells[self._places[name]].strip() for name in reading.keep}
        sequence = kept.pop(SEQUENCE, "")
        splitting = () if reading.ignore_splits else SPLITTING
        split = next((name for name in splitting if reading.column(name) in self._places), None)
        marks = {name: line.cells[self._places[name]] for name in reading.label_columns}
        where = f"{self._path}, row {line.number}"
        return Row(
            number=line.number,
            file=file,
            labels=_labels(marks, reading.label_meaning, where)
            if marks
            else named_in(cell(LABEL), reading.label_separator or SEPARATOR),
            patient=cell(PATIENT) if reading.patient_pattern is None else reading.patient_in(file),
            split=None if split is None else cell(split),
            slice=numbered(SLICE, cell(SLICE), where) if SLICE in self._numbering else None,
            columns=kept,
            sequence=sequence,
            volume=numbered(VOLUME, cell(VOLUME), where) if VOLUME in self._numbering else None,
            mask=self._file(cell(MASK)),
            scan=cell(SCAN) if self._scans else "",
            place=numbered(SLICE, cell(SLICE), where) if self._scans and cell(SCAN) else None,
        )


def _labels(marks: Mapping[str, str], meaning: Meaning, where: str) -> frozenset[str]:
    if meaning is YES_OR_NO:
        return shown_by(marks, where)
    said = [label_said(cell, name, meaning, where) for name, cell in marks.items()]
    return frozenset(filter(None, said))


def _respelt(one: RowOrBox, taken: Mapping[str, str]) -> RowOrBox:
    """The same with the spelling of each label that is taken."""
    return replace(one, labels=frozenset(map(taken.__getitem__, one.labels)))


def _boxes(reading: Reading, table: BoxTable, paths: Paths, volumes: bool) -> list[Box]:
    return read_boxes(
        table,
        paths,
        slices=volumes,
        separator=reading.label_separator or SEPARATOR,
        areas=reading.marking.least is not None,
    )


def _with_boxes(
    rows: list[Row], boxes: Sequence[Box], table: BoxTable
) -> tuple[list[Row], tuple[str, ...]]:
    """The rows with the boxes of their files, and what is to be said of those that have no row."""
    files = {row.file for row in rows}
    of_file: dict[str, list[Box]] = {}
    for box in boxes:
        of_file.setdefault(box.file, []).append(box)
    lost = [file for file in of_file if file not in files]
    if len(lost) == len(of_file):
        has = rows[0].file
        names = [f"names {one!r}, for one, where the manifest has {has!r}" for one in lost[:1]]
        raise UserError(
            "no box is on a file of the manifest",
            f"{table.path}, which {(names or ['has no row'])[0]}",
            "name files in it as the manifest does, by their path below the folder",
        )
    notes = []
    if lost:
        count = sum(len(of_file[file]) for file in lost)
        notes.append(
            f"Boxes on files that the manifest does not have: {count}, on "
            f"{number_of(len(lost), 'file')}, such as {lost[0]!r}; left out."
        )
    if bare := len(files.difference(of_file)):
        notes.append(
            f"Files without a box: {bare} of {len(files)}; none of their slices shows a finding "
            "of the table."
        )
    frozen = {file: tuple(its) for file, its in of_file.items()}
    return [replace(row, boxes=frozen.get(row.file, ())) for row in rows], tuple(notes)


def task_of(rows: Sequence[Row | Slice], names: Sequence[str]) -> Task:
    """'multiclass' if each has exactly one label and there are several, else 'multilabel'."""
    one_each = all(len(row.labels) == 1 for row in rows)
    return "multiclass" if one_each and len(names) > 1 else "multilabel"

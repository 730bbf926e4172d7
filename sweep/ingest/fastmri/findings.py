"""What readers found in volumes: a label file, and the list of what was reviewed."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import UserError, refuse
from sweep.core.reading import opened_text
from sweep.ingest.fastmri.files import volume_name
from sweep.ingest.fastmri.table import Row, read_table
from sweep.ingest.formats.sheet import read_sheet

COLUMNS = {name: (name,) for name in ("file", "slice", "study_level", "label")}
# The slice-level tables of fastMRI prostate, known by the column of the score.
SCORE = "PIRADS"
SCORED = {"file": ("fastmri_rawfile",), "slice": ("slice",), "label": (SCORE,)}
STUDY_LEVEL = {"no": False, "yes": True}
NUMBER = re.compile("[0-9]{1,6}")


class Finding(NamedTuple):
    """A row of the label file.

    Attributes:
        file: Name of the volume.
        slice: Number of the slice, the first is 0.
        study_level: It concerns the whole volume, whatever slice the row names.
        name: What was found.

    """

    file: str
    slice: int
    study_level: bool
    name: str


class Findings(NamedTuple):
    """All rows of a label file but exact repeats, and how many of those there were."""

    rows: tuple[Finding, ...]
    duplicates: int


class Reviewed(NamedTuple):
    """Names of the volumes that a reader has looked at, and lines that name none."""

    files: frozenset[str]
    stray: tuple[str, ...]


def read_findings(path: Path) -> Findings:
    """Read a label file of fastMRI+ or of fastMRI prostate.

    That of fastMRI+ is CSV with the columns ``file`` (with or without ``.h5``), ``slice`` (from
    0), ``study_level`` (Yes or No) and ``label``; those of the box are not used. That of fastMRI
    prostate has ``fastmri_rawfile``, ``slice`` (from 1) and ``PIRADS``; a score of 3 is the finding
    "PIRADS 3". Rows that agree in every cell count once.

    Raises:
        UserError: See ``read_table``; a slice that is not a whole number from 0, or from 1; a
            study level other than Yes or No.

    """
    known = [one for names in (*COLUMNS.values(), *SCORED.values()) for one in names]
    if SCORE in read_sheet(path, "label file", known).header:
        return _read_scores(path)
    rows = read_table(path, "label file", COLUMNS)
    refuse(
        f"rows of the label file {path} have no slice number from 0, or no study level Yes or No",
        [_shown(row) for row in rows if not _well_formed(row)],
        "correct the rows",
    )
    unique = {row.whole: _finding(row) for row in rows}
    return Findings(tuple(unique.values()), len(rows) - len(unique))


def _read_scores(path: Path) -> Findings:
    """Give the scores of slices as findings; their slices are counted from 1, ours from 0."""
    rows = read_table(path, "label file", SCORED)
    refuse(
        f"rows of the label file {path} have no slice number from 1, as tables of {SCORE} have",
        [
            f"row {row.number} with {row.cells['slice']!r}"
            for row in rows
            if not NUMBER.fullmatch(row.cells["slice"]) or int(row.cells["slice"]) < 1
        ],
        "correct the rows",
    )
    unique = {
        row.whole: Finding(
            file=volume_name(row.cells["file"]),
            slice=int(row.cells["slice"]) - 1,
            study_level=False,
            name=f"{SCORE} {row.cells['label']}",
        )
        for row in rows
    }
    return Findings(tuple(unique.values()), len(rows) - len(unique))


def read_reviewed(path: Path, known: Collection[str]) -> Reviewed:
    """Read the list of reviewed volumes, one name to a line, with or without ``.h5``.

    A line with white space inside it is no name of a volume, unless it is a known one: the last
    line of fastMRI+'s own list is the heading "Knee data".

    Args:
        path: Text in UTF-8.
        known: Names of volumes from elsewhere: those that are there, those with findings.

    Raises:
        UserError: No such file, or not text; no name in it.

    """
    try:
        with opened_text(path) as file:
            lines = file.read().splitlines()
    except (OSError, ValueError) as error:
        raise UserError(
            "the list of reviewed volumes is not a text file in UTF-8",
            f"{path} ({type(error).__name__}: {error})",
            "give another file",
        ) from error
    names = [volume_name(line) for line in lines if line.strip()]
    stray = tuple(name for name in names if len(name.split()) > 1 and name not in known)
    files = frozenset(names).difference(stray)
    if not files:
        raise UserError(
            "the list of reviewed volumes names no volume",
            path,
            "give a file with a name in each line, or 'all'",
        )
    return Reviewed(files, stray)


def _well_formed(row: Row) -> bool:
    is_number = NUMBER.fullmatch(row.cells["slice"]) is not None
    return is_number and row.cells["study_level"].lower() in STUDY_LEVEL


def _shown(row: Row) -> str:
    return f"row {row.number} with {row.cells['slice']!r} and {row.cells['study_level']!r}"


def _finding(row: Row) -> Finding:
    return Finding(
        file=volume_name(row.cells["file"]),
        slice=int(row.cells["slice"]),
        study_level=STUDY_LEVEL[row.cells["study_level"].lower()],
        name=row.cells["label"],
    )

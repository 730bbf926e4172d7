"""What a manifest must be, whatever it says: each breach is refused with the rows that have it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.core.errors import UserError, nearest, refuse
from sweep.ingest.formats.cells import leads_out
from sweep.ingest.formats.near import near_path
from sweep.ingest.formats.roles import (
    LABEL,
    MASK,
    PATIENT,
    ROLES,
    SCAN,
    SEQUENCE,
    SLICE,
    SPLITTING,
    USUAL,
)
from sweep.store.slices import check_column_names

if TYPE_CHECKING:
    from sweep.ingest.formats.manifest import Reading, Row


def check_columns(
    header: Sequence[str], required: Sequence[str], reading: "Reading", path: Path
) -> None:
    """Refuse a table without what it has to have, or that says twice how to split."""
    missing = [role for role in required if reading.column(role) not in header]
    usual = {
        role: found
        for role in missing
        if (found := next((name for name in header if name.lower() in USUAL[role]), ""))
    }
    remedy = "name them in the first line"
    if usual:
        pairs = " ".join(f"{role}={found}" for role, found in usual.items())
        remedy = f"say which columns these are: --column {pairs}"
    elif PATIENT in missing:
        remedy += (
            "; where the paths say whose the files are, pass --patient-pattern; where nothing "
            "does, --unknown-patients each-file, which risks flattered scores"
        )
    if LABEL in missing and LABEL not in usual:
        remedy += "; where each label has a column of its own, pass --label-columns"
    refuse(
        f"the manifest {path} does not have all of the columns "
        f"{', '.join(map(reading.column, required))}",
        [
            f"no {reading.column(role)!r} "
            f"({nearest(reading.column(role), header) if header else 'the first line is empty'})"
            for role in missing
        ],
        remedy,
    )
    if not reading.ignore_splits and all(reading.column(name) in header for name in SPLITTING):
        raise UserError(
            "the manifest says twice how to split",
            f"{path} with the columns 'fold' and 'split'",
            "rename the one that you do not mean, or pass --ignore-splits to assign patients anew",
        )


def check_scans(header: Sequence[str], reading: "Reading", path: Path) -> None:
    """Refuse pictures of one scan without their numbers in it."""
    if reading.column(SLICE) not in header:
        raise UserError(
            "the manifest says which pictures are of one scan, and not their places in it",
            f"{path} with the column {reading.column(SCAN)!r} and no {reading.column(SLICE)!r}",
            "number the pictures of each scan from 0 in a column 'slice', or name that which does: "
            "--column slice=NAME",
        )


def check_places(rows: list["Row"], path: Path) -> None:
    """Refuse pictures of a scan that have no number in it."""
    _checker(rows, path)(
        "name a scan and no place in it",
        lambda row: bool(row.scan) and row.place is None,
        "fill the column 'slice', or leave 'scan' empty where a picture is by itself",
    )


def check_kept(
    header: Sequence[str], reading: "Reading", numbering: Sequence[str], path: Path
) -> None:
    """Refuse columns to keep, or of labels, that are not there, or mean something else."""
    asked = [*reading.keep, *reading.label_columns]
    refuse(
        f"columns that are asked for are not in the manifest {path}",
        [f"{name!r} ({nearest(name, header)})" for name in asked if name not in header],
        "correct --columns or --label-columns",
    )
    refuse(
        "columns to keep have a meaning of their own in a manifest",
        [repr(name) for name in reading.keep if name in (*ROLES, *numbering)],
        "leave them out of --columns: the store says by itself what they mean",
    )
    check_column_names([name for name in reading.keep if name != SEQUENCE])


def check_cells(rows: list["Row"], patients: bool, path: Path) -> None:
    """Refuse no row, and rows without a file, a split or, where they name one, a patient."""
    if not rows:
        raise UserError("the manifest has no row", f"{path} with a header only", "add rows")
    check = _checker(rows, path)
    check("name no file", lambda row: not row.file, "fill the column 'file'")
    if patients:
        check(
            "name no patient",
            lambda row: not row.patient,
            "fill the column 'patient', or pass --patient-pattern or --unknown-patients each-file",
        )
    check("have no split", lambda row: row.split == "", "fill the column 'fold' or 'split'")


def check_pattern(rows: list["Row"], reading: "Reading", path: Path) -> None:
    """Refuse rows in whose path the pattern of patients finds none."""
    check = _checker(rows, path)
    if reading.unknown_patients == "refuse":
        check(
            f"name a file in which the pattern of patients {reading.patient_pattern!r} finds none",
            lambda row: not row.patient,
            "correct --patient-pattern, or pass --unknown-patients each-file as well",
        )


def check_marked(reading: "Reading", marked: bool, path: Path) -> None:
    """Refuse what is said of masks and boxes where there is none."""
    marking = reading.marking
    if not marked and (marking.least is not None or marking.below != "negative"):
        raise UserError(
            "there is a least area, and nothing that has one",
            f"{path} without a column {reading.column(MASK)!r}, and no table of boxes",
            "name the column of masks, such as --column mask=seg, give --boxes, or leave "
            "--least-area and --below out",
        )
    if marking.counted != "index" and reading.boxes is None:
        raise UserError(
            "it is said what slices of boxes are, and there is no table of boxes",
            f"{path} alone",
            "give --boxes, or leave --box-slices out",
        )


def check_masks(rows: list["Row"], path: Path) -> None:
    """Refuse rows without a mask."""
    _checker(rows, path)(
        "name no mask",
        lambda row: not row.mask,
        "fill the column 'mask', remove rows of which no finding is known, or pass --no-mask "
        "negative if these images show none",
    )


def check_own_masks(rows: list["Row"], path: Path) -> None:
    """Refuse an image as its own mask, whose every grey value would be a finding."""
    _checker(rows, path)(
        "name a file as the mask of itself",
        lambda row: row.mask == row.file,
        "name the segmentation in the column 'mask'",
    )


def check_files(rows: list["Row"], path: Path, folder: Path) -> None:
    """Refuse a file that is outside the folder, is there twice, or is of two patients."""
    whole = {(row.file, row.volume) for row in rows if row.slice is None}
    patient: dict[str, str] = {}
    first: dict[tuple[str, int | None, int | None], Row] = {}
    for row in rows:
        patient.setdefault(row.file, row.patient)
        first.setdefault((row.file, row.volume, row.slice), row)
    check = _checker(rows, path)
    outside = [file for row in rows for file in (row.file, row.mask) if leads_out(file)]
    near = near_path(folder, outside[0]) if outside else ""
    check(
        "name files outside the image folder",
        lambda row: leads_out(row.file) or leads_out(row.mask),
        "give the folder that all of them are in, and paths from there"
        + (f": did you mean {near!r}?" if near else ""),
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


def _checker(rows: list["Row"], path: Path) -> Callable[[str, Callable[["Row"], bool], str], None]:
    def check(breach: str, breaks: Callable[["Row"], bool], remedy: str) -> None:
        refuse(f"rows of {path} {breach}", [str(row) for row in rows if breaks(row)], remedy)

    return check

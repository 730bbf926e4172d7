"""The table that says whose volumes are whose."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import refuse
from sweep.ingest.fastmri.files import volume_name
from sweep.ingest.fastmri.table import read_table
from sweep.store.slices import check_column_names

COLUMNS = {
    "file": ("file", "fname", "fastmri_rawfile"),
    "patient": ("patient", "patient_id", "fastmri_pt_id"),
}


class Patient(NamedTuple):
    """Whose volume it is, its split, empty where the table does not say, and its columns."""

    name: str
    split: str
    columns: Mapping[str, str]


def read_patients(
    path: Path, split_column: str | None, keep: Sequence[str] = ()
) -> dict[str, Patient]:
    """Read a table with a row for each volume, by name of the volume.

    Rows of one volume that say the same count once: the tables of fastMRI prostate have one for
    each slice.

    Args:
        path: Columns ``file`` or ``fname``, and ``patient`` or ``patient_id``; or as the tables of
            fastMRI prostate have them, ``fastmri_rawfile`` and ``fastmri_pt_id``.
        split_column: The column with the split; None = splits are not asked for.
        keep: Further columns to keep, whose cells may be empty.

    Raises:
        UserError: See ``read_table`` and ``check_column_names``; a volume with two patients,
            splits or cells to keep.

    """
    columns = COLUMNS | ({"split": (split_column,)} if split_column else {})
    check_column_names(keep)
    rows = read_table(path, "table of patients", columns, keep)
    said: dict[str, list[Patient]] = {}
    for row in rows:
        patient = Patient(row.cells["patient"], row.cells.get("split", ""), row.kept)
        of_volume = said.setdefault(volume_name(row.cells["file"]), [])
        if patient not in of_volume:
            of_volume.append(patient)
    refuse(
        f"the table of patients {path} says several things of one volume",
        [_shown(name, patients) for name, patients in said.items() if len(patients) > 1],
        "leave one row for each volume",
    )
    return {name: patients[0] for name, patients in said.items()}


def _shown(name: str, patients: Sequence[Patient]) -> str:
    return f"{name} with {' and '.join(_in_words(one) for one in patients[:2])}"


def _in_words(patient: Patient) -> str:
    return ", ".join(repr(one) for one in (patient.name, patient.split, *patient.columns.values()))

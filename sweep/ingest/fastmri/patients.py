"""The table that says whose volumes are whose."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import refuse
from sweep.ingest.fastmri.files import volume_name
from sweep.ingest.fastmri.table import read_table
from sweep.store.slices import check_column_names

COLUMNS = {"file": ("file", "fname"), "patient": ("patient", "patient_id")}


class Patient(NamedTuple):
    """Whose volume it is, its split, empty where the table does not say, and its columns."""

    name: str
    split: str
    columns: Mapping[str, str]


def read_patients(
    path: Path, split_column: str | None, keep: Sequence[str] = ()
) -> dict[str, Patient]:
    """Read a CSV file with a row for each volume, by name of the volume.

    Args:
        path: Columns ``file`` or ``fname``, and ``patient`` or ``patient_id``.
        split_column: The column with the split; None = splits are not asked for.
        keep: Further columns to keep, whose cells may be empty.

    Raises:
        UserError: See ``read_table`` and ``check_column_names``; a volume twice.

    """
    columns = COLUMNS | ({"split": (split_column,)} if split_column else {})
    check_column_names(keep)
    rows = read_table(path, "table of patients", columns, keep)
    counts = Counter(volume_name(row.cells["file"]) for row in rows)
    refuse(
        f"the table of patients {path} names volumes more than once",
        [f"{name} in {count} rows" for name, count in counts.items() if count > 1],
        "remove the repeats",
    )
    return {
        volume_name(row.cells["file"]): Patient(
            row.cells["patient"], row.cells.get("split", ""), row.kept
        )
        for row in rows
    }

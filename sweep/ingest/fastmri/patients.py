"""The table that says whose volumes are whose."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import refuse
from sweep.ingest.fastmri.files import volume_name
from sweep.ingest.fastmri.table import read_table

COLUMNS = {"file": ("file", "fname"), "patient": ("patient", "patient_id")}


class Patient(NamedTuple):
    """Whose volume it is; and the split, empty where the table does not say."""

    name: str
    split: str


def read_patients(path: Path, split_column: str | None) -> dict[str, Patient]:
    """Read a CSV file with a row for each volume, by name of the volume.

    Args:
        path: Columns ``file`` or ``fname``, and ``patient`` or ``patient_id``.
        split_column: The column with the split; None = splits are not asked for.

    Raises:
        UserError: See ``read_table``; a volume twice.

    """
    columns = COLUMNS | ({"split": (split_column,)} if split_column else {})
    rows = read_table(path, "table of patients", columns)
    counts = Counter(volume_name(row.cells["file"]) for row in rows)
    refuse(
        f"the table of patients {path} names volumes more than once",
        [f"{name} in {count} rows" for name, count in counts.items() if count > 1],
        "remove the repeats",
    )
    return {
        volume_name(row.cells["file"]): Patient(row.cells["patient"], row.cells.get("split", ""))
        for row in rows
    }

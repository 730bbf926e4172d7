"""What the labels of a manifest make of a store: its columns and its task."""

from collections.abc import Sequence
from pathlib import Path

from sweep.core.errors import UserError
from sweep.ingest.formats.manifest import Row
from sweep.store.slices import Task


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


def task_of(rows: Sequence[Row], names: Sequence[str]) -> Task:
    """'multiclass' if every row has exactly one label and there are several, else 'multilabel'."""
    one_each = all(len(row.labels) == 1 for row in rows)
    return "multiclass" if one_each and len(names) > 1 else "multilabel"

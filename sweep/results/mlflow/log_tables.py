"""Tables that MLflow's pages show as such, and compare between runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sweep.core.records import null_if_missing
from sweep.results.mlflow.names import Tag
from sweep.results.mlflow.server import Experiment

Rows = Sequence[Mapping[str, Any]]


def log_tables(experiment: Experiment, run: str, tables: Mapping[str, Rows]) -> None:
    """Write the tables of a run in the place of those that it had.

    The form is that of ``MlflowClient.log_table``, which would add rows to those that are there.

    Args:
        experiment: Of the run.
        run: Its id.
        tables: All that it has: by file name, rows of plain values. One without rows is left out.

    """
    there = {name: rows for name, rows in tables.items() if rows}
    for name, rows in there.items():
        experiment.client.log_text(run, _split(rows), name)
    if there:
        said = [{"path": name, "type": "table"} for name in there]
        experiment.tag(run, {Tag.TABLES: json.dumps(said)})


def _split(rows: Rows) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    data = [[_plain(row.get(name)) for name in columns] for row in rows]
    return json.dumps({"columns": columns, "data": data})


def _plain(value: Any) -> Any:
    return null_if_missing(value) if isinstance(value, float) else value

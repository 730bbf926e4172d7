"""The Parquet tables of one epoch: its scores, and every slice's probability."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sweep.core.errors import WorkError
from sweep.core.files import replacing
from sweep.core.records import SCORE_COLUMNS, Cell, EpochRecord, Predictions, Score
from sweep.metrics.summary import summarize


class Slices(NamedTuple):
    """The validation slices that the predictions of a sweep speak of.

    Attributes:
        keys: (N,) names of the slices.
        patients: (N,).
        labels: L names.
        truth: (N, L) bool.

    """

    keys: Sequence[str]
    patients: Sequence[str]
    labels: Sequence[str]
    truth: NDArray[np.bool_]


def write_scores(path: Path, record: EpochRecord) -> None:
    """One row for each artifact, level and label, one column for each metric.

    The epoch's own values stand in every row.
    """
    rows = _by_row(record.scores)
    count, first = len(rows), [scores[0] for scores in rows.values()]
    columns = {
        "trial": _repeated(record.trial, count),
        "epoch": pa.array([record.epoch] * count, pa.int32()),
        "artifact": pa.array([item.cell.artifact for item in first]),
        "level": pa.array([item.cell.level for item in first], pa.int32()),
        "label": pa.array([item.label for item in first]),
        **_metric_columns(rows),
        "positives": pa.array([item.positives for item in first], pa.int32()),
        "slices": pa.array([item.slices for item in first], pa.int32()),
        "train_loss": pa.array([record.train_loss] * count, pa.float64()),
        "images_per_s": pa.array([record.images_per_s] * count, pa.float64()),
        "evaluated_at_ms": pa.array([record.evaluated_at_ms] * count, pa.int64()),
    }
    _write(path, pa.table(columns))


def read_scores(path: Path) -> EpochRecord:
    """The epoch that ``write_scores`` wrote; the summary metrics are computed anew."""
    rows: list[dict[str, Any]] = _read(path).to_pylist()
    scores = tuple(
        Score(
            cell=Cell(row["artifact"], row["level"]),
            label=row["label"],
            metric=metric,
            value=row[metric],
            positives=row["positives"],
            slices=row["slices"],
        )
        for row in rows
        for metric in row
        if metric not in SCORE_COLUMNS
    )
    first = rows[0]
    return EpochRecord(
        trial=first["trial"],
        epoch=first["epoch"],
        train_loss=first["train_loss"],
        images_per_s=first["images_per_s"],
        evaluated_at_ms=first["evaluated_at_ms"],
        scores=scores,
        metrics=summarize(scores),
    )


def _by_row(scores: Iterable[Score]) -> dict[tuple[Cell, str], list[Score]]:
    rows: dict[tuple[Cell, str], list[Score]] = {}
    for item in scores:
        rows.setdefault((item.cell, item.label), []).append(item)
    return rows


def _metric_columns(rows: Mapping[tuple[Cell, str], Sequence[Score]]) -> dict[str, pa.Array]:
    columns: dict[str, list[float]] = {}
    for scores in rows.values():
        for item in scores:
            columns.setdefault(item.metric, []).append(item.value)
    return {name: pa.array(values, pa.float64()) for name, values in columns.items()}


def write_predictions(
    path: Path, trial: str, epoch: int, predictions: Iterable[Predictions], slices: Slices
) -> None:
    """One row for each cell and slice: ``p_<label>`` the probability, ``y_<label>`` the truth."""
    tables = [_cell_table(trial, epoch, item, slices) for item in predictions]
    _write(path, pa.concat_tables(tables).unify_dictionaries())


def read_predictions(path: Path) -> tuple[list[Predictions], Slices]:
    """The predictions that ``write_predictions`` wrote, cells in the written order."""
    table = _read(path)
    labels = [name[2:] for name in table.column_names if name.startswith("p_")]
    artifacts, levels = table["artifact"].to_pylist(), table["level"].to_pylist()
    cells = [Cell(*pair) for pair in zip(artifacts, levels, strict=True)]
    per_cell = len(cells) // len(set(cells))
    starts = range(0, len(cells), per_cell)
    probability = _matrix(table, "p_", labels)
    first = table.slice(0, per_cell)
    slices = Slices(
        first["slice"].to_pylist(),
        first["patient"].to_pylist(),
        labels,
        _matrix(first, "y_", labels),
    )
    found = [Predictions(cells[at], probability[at : at + per_cell]) for at in starts]
    return found, slices


def _cell_table(trial: str, epoch: int, item: Predictions, slices: Slices) -> pa.Table:
    count = len(slices.keys)
    columns = {
        "trial": _repeated(trial, count),
        "epoch": pa.array(np.full(count, epoch, np.int32)),
        "artifact": _repeated(item.cell.artifact, count),
        "level": pa.array(np.full(count, item.cell.level, np.int32)),
        "slice": pa.array(slices.keys).dictionary_encode(),
        "patient": pa.array(slices.patients).dictionary_encode(),
    }
    for column, label in enumerate(slices.labels):
        columns[f"p_{label}"] = pa.array(item.probability[:, column])
        columns[f"y_{label}"] = pa.array(slices.truth[:, column])
    return pa.table(columns)


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), [text])


def _matrix(table: pa.Table, prefix: str, labels: Sequence[str]) -> NDArray[Any]:
    return np.stack([table[prefix + label].to_numpy() for label in labels], axis=1)


def _write(path: Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise WorkError(
            "the table cannot be read",
            f"{str(path)!r} ({error})",
            "restore the file from a copy, or run the sweep in another folder",
        ) from None

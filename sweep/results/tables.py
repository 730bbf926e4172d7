"""The Parquet tables of a checkpoint: its scores, and every slice's probability."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sweep.core.errors import WorkError
from sweep.core.files import replacing
from sweep.core.mirrors import fetched
from sweep.core.records import (
    CLEAN,
    SCORE_COLUMNS,
    Cell,
    EpochRecord,
    Predictions,
    Score,
    probability_of,
)
from sweep.metrics.summary import summary
from sweep.store import Store

FULL, SCREENED = "full", "screening"  # values of the column `fidelity`


class Slices(NamedTuple):
    """The slices that predictions speak of.

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

    def at(self, positions: NDArray[np.intp]) -> "Slices":
        """Some of them, by their positions."""
        return Slices(
            [self.keys[at] for at in positions],
            [self.patients[at] for at in positions],
            self.labels,
            self.truth[positions],
        )


def validation_slices(store: Store, splits: Sequence[str | int]) -> Slices:
    """The slices that each epoch is evaluated on."""
    return slices_at(store, store.indices(splits))


def slices_at(store: Store, indices: NDArray[np.int64]) -> Slices:
    """What a store says of some of its slices.

    Args:
        store: The store.
        indices: (N,) the slices.

    """
    return Slices(
        keys=store.keys[indices].tolist(),
        patients=store.patients[indices].tolist(),
        labels=list(store.label_names),
        truth=store.labels[indices].astype(bool),
    )


class Outputs(NamedTuple):
    """What a checkpoint says of N clean slices, of any store.

    Attributes:
        trial: The name of the checkpoint's trial.
        epoch: The number of its epoch.
        labels: The L labels of the checkpoint.
        keys: (N,) names of the slices.
        patients: (N,).
        scans: (N,) what was scanned as one; of a slice alone, its own name.
        splits: (N,) folds or named splits.
        log_odds: (N, L) float32.
        truth: Label -> (N,) bool, for the labels that the store has, too.

    """

    trial: str
    epoch: int
    labels: Sequence[str]
    keys: Sequence[str]
    patients: Sequence[str]
    scans: Sequence[str]
    splits: Sequence[str]
    log_odds: NDArray[np.float32]
    truth: Mapping[str, NDArray[np.bool_]]

    @property
    def probability(self) -> NDArray[np.float32]:
        """(N, L) float32."""
        return probability_of(self.log_odds)


def write_scores(path: Path, record: EpochRecord) -> None:
    """One row for each artifact, level and label, one column for each metric.

    The epoch's own values stand in every row. Rows of a screening say so in the column
    ``fidelity``, where others have ``full``.
    """
    parts = [
        _score_table(record, scores, fidelity)
        for fidelity, scores in ((FULL, record.scores), (SCREENED, record.screened))
        if scores
    ]
    _write(path, pa.concat_tables(parts).unify_dictionaries())


def _score_table(record: EpochRecord, scores: Iterable[Score], fidelity: str) -> pa.Table:
    rows = _by_row(scores)
    count, first = len(rows), [items[0] for items in rows.values()]
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
        "fidelity": _repeated(fidelity, count),
    }
    return pa.table(columns)


def read_scores(path: Path) -> EpochRecord:
    """The epoch that ``write_scores`` wrote; the summary metrics are computed anew."""
    rows: list[dict[str, Any]] = _read(path).to_pylist()
    scores = _scores(row for row in rows if row.get("fidelity", FULL) == FULL)
    screened = _scores(row for row in rows if row.get("fidelity", FULL) == SCREENED)
    first = rows[0]
    return EpochRecord(
        trial=first["trial"],
        epoch=first["epoch"],
        train_loss=first["train_loss"],
        images_per_s=first["images_per_s"],
        evaluated_at_ms=first["evaluated_at_ms"],
        scores=scores,
        metrics=summary(scores, screened),
        screened=screened,
    )


def _scores(rows: Iterable[Mapping[str, Any]]) -> tuple[Score, ...]:
    return tuple(
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
    """One row for each cell and slice.

    Columns: ``log_odds_<label>``, ``p_<label>`` the probability, ``y_<label>`` the truth.
    """
    names = _names(slices.keys, slices.patients)
    tables = [_cell_table(trial, epoch, item, slices, names) for item in predictions]
    _write(path, pa.concat_tables(tables).unify_dictionaries())


def read_predictions(path: Path) -> tuple[list[Predictions], Slices]:
    """The predictions that ``write_predictions`` wrote, cells in the written order.

    Earlier versions kept the probabilities alone, of which those that had rounded to 0 or 1 give
    the log-odds at which float32 does so.
    """
    table = _read(path)
    labels = [name[2:] for name in table.column_names if name.startswith("y_")]
    per_cell = len(table["slice"].unique())  # keys are
    starts = list(range(0, len(table), per_cell))
    if f"log_odds_{labels[0]}" in table.column_names:
        log_odds = _matrix(table, "log_odds_", labels)
    else:
        log_odds = _log_odds(_matrix(table, "p_", labels))
    first = table.slice(0, per_cell)
    slices = Slices(
        first["slice"].to_pylist(),
        first["patient"].to_pylist(),
        labels,
        _matrix(first, "y_", labels),
    )
    artifacts, levels = table["artifact"].take(starts), table["level"].take(starts)
    cells = map(Cell, artifacts.to_pylist(), levels.to_pylist())
    found = [
        Predictions(cell, log_odds[at : at + per_cell])
        for cell, at in zip(cells, starts, strict=True)
    ]
    return found, slices


def write_outputs(path: Path, outputs: Outputs) -> None:
    """One row for each slice: the columns of ``write_predictions``, and what else is known.

    ``log_odds_<label>`` stands beside the probability; ``y_<label>`` is there for known labels.
    """
    columns = {
        **_first_columns(
            outputs.trial, outputs.epoch, CLEAN, _names(outputs.keys, outputs.patients)
        ),
        "scan": pa.array(outputs.scans).dictionary_encode(),
        "split": pa.array(outputs.splits).dictionary_encode(),
    }
    probability = outputs.probability
    for column, label in enumerate(outputs.labels):
        columns[f"log_odds_{label}"] = pa.array(outputs.log_odds[:, column])
        columns[f"p_{label}"] = pa.array(probability[:, column])
        if label in outputs.truth:
            columns[f"y_{label}"] = pa.array(outputs.truth[label])
    _write(path, pa.table(columns))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the same columns, as they are."""
    _write(path, pa.Table.from_pylist(list(rows)))


def _names(keys: Sequence[str], patients: Sequence[str]) -> dict[str, pa.Array]:
    """The columns that say which slices: encoded once for all cells."""
    return {
        "slice": pa.array(keys).dictionary_encode(),
        "patient": pa.array(patients).dictionary_encode(),
    }


def _cell_table(
    trial: str, epoch: int, item: Predictions, slices: Slices, names: Mapping[str, pa.Array]
) -> pa.Table:
    columns = _first_columns(trial, epoch, item.cell, names)
    probability = item.probability
    for column, label in enumerate(slices.labels):
        columns[f"log_odds_{label}"] = pa.array(item.log_odds[:, column])
        columns[f"p_{label}"] = pa.array(probability[:, column])
        columns[f"y_{label}"] = pa.array(slices.truth[:, column])
    return pa.table(columns)


def _first_columns(
    trial: str, epoch: int, cell: Cell, names: Mapping[str, pa.Array]
) -> dict[str, pa.Array]:
    count = len(names["slice"])
    return {
        "trial": _repeated(trial, count),
        "epoch": pa.array(np.full(count, epoch, np.int32)),
        "artifact": _repeated(cell.artifact, count),
        "level": pa.array(np.full(count, cell.level, np.int32)),
        **names,
    }


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), [text])


def _log_odds(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    ends = np.finfo(np.float32)
    p = np.clip(probability.astype(np.float64), float(ends.tiny), 1 - float(ends.epsneg) / 2)
    return (np.log(p) - np.log1p(-p)).astype(np.float32)


def _matrix(table: pa.Table, prefix: str, labels: Sequence[str]) -> NDArray[Any]:
    return np.stack([table[prefix + label].to_numpy() for label in labels], axis=1)


def _write(path: Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(fetched(path))
    except (OSError, pa.ArrowException) as error:
        raise WorkError(
            "the table cannot be read",
            f"{str(path)!r} ({error})",
            "restore the file from a copy, or run the sweep in another folder",
        ) from None

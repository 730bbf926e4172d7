"""The Parquet tables of a checkpoint: its scores, and every slice's probability."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from sweep.core.errors import WorkError
from sweep.core.files import replacing
from sweep.core.kinds import require_kind
from sweep.core.mirrors import fetched
from sweep.core.reading import readable, require_file
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


def read_scores(
    path: Path,
    trial: str | None = None,
    epoch: int | None = None,
    of: Collection[str] | None = None,
) -> EpochRecord:
    """The epoch that ``write_scores`` wrote; the summary metrics are computed anew.

    Args:
        path: Of the table.
        trial: The trial, or finalist, that it is to be of; None: any.
        epoch: The number of the epoch that it is to be of; None: any.
        of: The metrics that are needed; others are left out, and their summaries, which takes a
            fifth of the time. None: all.

    Raises:
        WorkError: It is not there, damaged, or of something else.

    """
    with _reading(path):
        table = _read(path, of and {*of, *SCORE_COLUMNS})
        _require(table, {**WHICH, **SCORED}, others=pa.types.is_floating)
        _require_of(table, trial, epoch)
        rows: list[dict[str, Any]] = table.to_pylist()
        scores = _scores(row for row in rows if row.get("fidelity", FULL) == FULL)
        screened = _scores(row for row in rows if row.get("fidelity", FULL) == SCREENED)
        first = rows[0]
        record = EpochRecord(
            trial=first["trial"],
            epoch=first["epoch"],
            train_loss=first["train_loss"],
            images_per_s=first["images_per_s"],
            evaluated_at_ms=first["evaluated_at_ms"],
            scores=scores,
            metrics=summary(scores, screened),
            screened=screened,
        )
        require_kind(EpochRecord, dataclasses.replace(record, scores=(), screened=()))
        return record


def is_in_full(path: Path) -> bool:
    """Whether what ``write_scores`` wrote are scores of a full test, a screening beside or not.

    By the statistics of the file, which does not read its rows.
    """
    with _reading(path):
        known = pq.read_metadata(fetched(path))
        names = known.schema.names
        if "fidelity" not in names:
            return True  # of before there were screenings
        column = known.row_group(0).column(names.index("fidelity"))
        if (found := column.statistics) is not None and found.has_min_max:
            return FULL in (found.min, found.max)
        return FULL in _read(path)["fidelity"].to_pylist()


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


def read_predictions(
    path: Path, trial: str | None = None, epoch: int | None = None
) -> tuple[list[Predictions], Slices]:
    """The predictions that ``write_predictions`` wrote, cells in the written order.

    Earlier versions kept the probabilities alone, of which those that had rounded to 0 or 1 give
    the log-odds at which float32 does so.

    Args:
        path: Of the table.
        trial: See ``read_scores``.
        epoch: See there.

    Raises:
        WorkError: See there.

    """
    with _reading(path):
        table = _read(path)
        labels = [name[2:] for name in table.column_names if name.startswith("y_")]
        if not labels:
            raise ValueError("it has no label")
        odds = f"log_odds_{labels[0]}" in table.column_names
        kinds = {f"y_{label}": pa.types.is_boolean for label in labels}
        prefix = "log_odds_" if odds else "p_"
        kinds |= {f"{prefix}{label}": pa.types.is_floating for label in labels}
        _require(table, {**WHICH, **dict.fromkeys(("slice", "patient"), _is_text), **kinds})
        _require_of(table, trial, epoch)
        starts, per_cell = _blocks(table)
        found = _matrix(table, prefix, labels).astype(np.float32, copy=False)
        log_odds = found if odds else _log_odds(found)
        first = table.slice(0, per_cell)
        slices = Slices(
            first["slice"].to_pylist(),
            first["patient"].to_pylist(),
            labels,
            _matrix(first, "y_", labels),
        )
        artifacts, levels = table["artifact"].take(starts), table["level"].take(starts)
        cells = list(map(Cell, artifacts.to_pylist(), levels.to_pylist()))
        require_kind(tuple[Cell, ...], tuple(cells))
        if len(set(cells)) < len(cells):
            raise ValueError("a cell is there twice")
        predictions = [
            Predictions(cell, log_odds[at : at + per_cell])
            for cell, at in zip(cells, starts, strict=True)
        ]
        return predictions, slices


def _blocks(table: pa.Table) -> tuple[list[int], int]:
    """Where the rows of each cell begin, and how many a cell has: the same slices in each.

    Raises:
        ValueError: They have not.

    """
    names = _codes(table["slice"])
    per_cell = len(set(names.tolist()))
    if len(names) % per_cell:
        raise ValueError(f"{len(names)} rows are not some for each of {per_cell} slices")
    blocks = names.reshape(-1, per_cell)
    cells = [_codes(table[name]).reshape(-1, per_cell) for name in ("artifact", "level")]
    if (blocks != blocks[0]).any() or any((one != one[:, :1]).any() for one in cells):
        raise ValueError("its cells are not of the same slices")
    return list(range(0, len(names), per_cell)), per_cell


def _codes(column: pa.ChunkedArray) -> NDArray[Any]:
    """A number for each value of a column, the same for equal ones."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.to_numpy())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    parts = [chunk.indices.to_numpy() for chunk in column.unify_dictionaries().chunks]
    return np.concatenate(parts)


def write_outputs(path: Path, outputs: Outputs) -> None:
    """One row for each slice: the columns of ``write_predictions``, and what else is known.

    ``log_odds_<label>`` stands beside the probability; ``y_<label>`` is there for known labels. It
    is CSV where the name of the file ends in ``.csv``, else Parquet.
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
    """Rows of the same columns, as they are; CSV where the name ends in ``.csv``, else Parquet."""
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
        if path.suffix.lower() == ".csv":
            csv.write_csv(pa.table(_plain(table)), temporary)
            return
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _plain(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Its columns with texts as they are, which CSV takes alone."""
    return {
        name: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _reading(path: Path) -> AbstractContextManager[None]:
    remedy = "restore the file from a copy, or run the sweep in another folder"
    return readable("the table cannot be read", path, remedy, WorkError)


def _read(path: Path, columns: Collection[str] | None = None) -> pa.Table:
    """The columns of a table, which has rows, as far as they are there; None: all of them.

    Raises:
        WorkError: There is no such file.

    """
    try:
        require_file(fetched(path))
    except FileNotFoundError:
        raise WorkError(
            "the table is not there",
            f"{str(path)!r}",
            "restore the file from a copy, or run the sweep in another folder",
        ) from None
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        wanted = None if columns is None else [name for name in names if name in columns]
        table = file.read(wanted, use_threads=False)  # handing out so few rows takes longer
    if not len(table):
        raise ValueError("it has no rows")
    return table


Kind = Callable[[pa.DataType], bool]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))


# The columns that say of what the others are, and those of scores beside the metrics.
WHICH: dict[str, Kind] = {
    **dict.fromkeys(("trial", "artifact"), _is_text),
    **dict.fromkeys(("epoch", "level"), pa.types.is_integer),
}
SCORED: dict[str, Kind] = {
    "label": _is_text,
    **dict.fromkeys(("positives", "slices", "evaluated_at_ms"), pa.types.is_integer),
    **dict.fromkeys(("train_loss", "images_per_s"), pa.types.is_floating),
}


def _require(table: pa.Table, kinds: Mapping[str, Kind], others: Kind = lambda kind: True) -> None:
    """Raise ``ValueError`` unless a table has these columns, of these kinds and without nulls."""
    known = {**kinds, "fidelity": _is_text}
    names = table.column_names
    if len(set(names)) < len(names):
        raise ValueError("a column is there twice")
    if missing := sorted(kinds.keys() - set(names)):
        raise ValueError(f"there is no column {', '.join(missing)}")
    for name, column in zip(names, table.columns, strict=True):
        if column.null_count or not known.get(name, others)(column.type):
            raise ValueError(f"the column {name} is not what it should be, {column.type}")


def _require_of(table: pa.Table, trial: str | None, epoch: int | None) -> None:
    """Raise ``ValueError`` unless all rows are of one epoch of one trial, and of these."""
    trials, epochs = table["trial"].unique().to_pylist(), table["epoch"].unique().to_pylist()
    of = [trial or trials[0]], [epoch or epochs[0]]
    if (trials, epochs) != of:
        raise ValueError(f"it is of epoch {epochs[0]} of {trials[0]!r}")

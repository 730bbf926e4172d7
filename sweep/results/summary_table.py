"""The table of ``sweep.results.summary``: records of trials as columns, and back.

One row for each trial, and one for each other mode that it is scored in. A score has a column
``metric/<name>``, its interval ``low/<name>`` and ``high/<name>``, the degrees of freedom of that
``df/<name>``. The cell is null where a trial has no such score, and NaN where the score is missing.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sweep.core.files import replacing
from sweep.core.records import TRAINED, Basis, ModeRow, TrialRecord
from sweep.results.trial_files import Entry, Stamp, cells_of, composition_of

METRIC, LOW, HIGH, DF = "metric/", "low/", "high/", "df/"
COLUMNS = {
    **dict.fromkeys(("file", "trial", "norm", "status", "mode", "error", "failure"), pa.string()),
    **dict.fromkeys(("mtime_ns", "size", "number", "seed", "epoch", "last_epoch"), pa.int64()),
    **dict.fromkeys(("started_at_ms", "ended_at_ms"), pa.int64()),
    "scored": pa.string(),  # the name of one of its metrics, which says at what fidelity it is
    # As JSON:
    **dict.fromkeys(("params", "collapsed", "basis", "of_mode"), pa.string()),
}
# Of other columns, or of records that say other things, it is the table of another version.
_VERSION = json.dumps(
    [1, *COLUMNS, *([one.name for one in fields(of)] for of in (TrialRecord, ModeRow, Basis))]
)
_VERSION_KEY, _READ_KEY = b"mrisweep.version", b"mrisweep.read_ns"
_BROKEN = (OSError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError)

Row = dict[str, Any]


@dataclass(frozen=True)
class SummaryTable:
    """A table as it was found.

    Attributes:
        file: The open file.
        read_ns: Before when the files of trials were looked at, Unix time.
        stamps: Those of the files that it was made of, by name.

    """

    file: pq.ParquetFile
    read_ns: int
    stamps: dict[str, Stamp]

    @classmethod
    def open(cls, path: Path) -> "SummaryTable | None":
        """The table in a file; None where there is none, or none of this version."""
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
            told = file.schema_arrow.metadata
            if told[_VERSION_KEY] != _VERSION.encode():
                return None
            names = ("file", "mtime_ns", "size")
            columns = zip(*(_plain(column) for column in file.read(names).columns), strict=True)
            stamps = {name: Stamp(mtime_ns, size) for name, mtime_ns, size in columns}
            return cls(file, int(told[_READ_KEY]), stamps)
        except _BROKEN:
            return None

    def entries(self, names: Collection[str] | None = None) -> dict[str, Entry] | None:
        """The trials, by the names of their files; None where the table is damaged.

        Args:
            names: The metrics that are needed, see ``sweep.results.summary``; None: all.

        """
        try:
            return self._entries(names)
        except _BROKEN:
            return None

    def _entries(self, names: Collection[str] | None) -> dict[str, Entry]:
        known = self.file.schema_arrow.names
        if names is not None:
            wanted = {*names, *self.file.read(["scored"]).column(0).to_pylist()}
            known = [one for one in known if one in COLUMNS or one.partition("/")[2] in wanted]
        table = self.file.read(known)
        columns = {name: _plain(table.column(name)) for name in COLUMNS}
        columns["params"] = json.loads(f"[{','.join(columns['params'])}]")
        metrics, low, high, df = (_values(table, kind) for kind in (METRIC, LOW, HIGH, DF))
        found: dict[str, Entry] = {}
        for at, values in enumerate(zip(*columns.values(), strict=True)):
            row = dict(zip(COLUMNS, values, strict=True))
            basis = _basis(row["basis"])
            ends = zip(low[at].values(), high[at].values(), strict=True)
            told = {
                "metrics": metrics[at],
                "intervals": dict(zip(low[at], ends, strict=True)),
                "collapsed": _collapsed(row["collapsed"]),
                "basis": None if basis is None else Basis(**basis, df=df[at]),
            }
            if row["mode"] == TRAINED:
                found[row["file"]] = Entry(_trial(row, told), row["last_epoch"])
            else:
                found[row["file"]].record.modes[row["mode"]] = _mode(row, told)
        return found


def write(path: Path, trials: Mapping[str, tuple[Stamp, Entry]], read_ns: int) -> None:
    """Replace the table.

    Args:
        path: Of the table.
        trials: By the name of its file, each trial.
        read_ns: Before when the files were looked at, Unix time.

    Raises:
        OSError: It cannot be written.

    """
    rows = [row for name, one in trials.items() for row in _rows(name, *one)]
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()}
    for kind in (METRIC, LOW, HIGH, DF):
        for name in dict.fromkeys(name for row in rows for name in row[kind]):
            columns[f"{kind}{name}"] = pa.array([row[kind].get(name) for row in rows], pa.float64())
    table = pa.table(columns).replace_schema_metadata(
        {_VERSION_KEY: _VERSION, _READ_KEY: str(read_ns)}
    )
    with replacing(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            use_dictionary=[name for name, kind in COLUMNS.items() if kind == pa.string()],
            write_page_checksum=True,
        )


def _rows(file: str, stamp: Stamp, entry: Entry) -> list[Row]:
    record = entry.record
    trial = {
        **{name: getattr(record, name) for name in _OF_TRIAL},
        **stamp._asdict(),
        "file": file,
        "last_epoch": entry.last_epoch,
        "params": json.dumps(record.params),
    }
    trained = {**trial, "mode": TRAINED, "epoch": record.best_epoch, "of_mode": None}
    rows = [{**trained, **_scores(record)}]
    for mode, row in record.modes.items():
        own = {name: getattr(row, name) for name in ("evaluated_at_ms", "settings")}
        own["composition"] = row.composition and asdict(row.composition)
        told = {"mode": mode, "epoch": row.epoch, "of_mode": json.dumps(own)}
        rows.append({**trial, **told, **_scores(row)})
    return rows


_OF_TRIAL = (
    *("trial", "number", "norm", "seed", "status"),
    *("started_at_ms", "ended_at_ms", "error", "failure"),
)


_OF_BASIS = tuple(one.name for one in fields(Basis) if one.name != "df")


def _scores(of: TrialRecord | ModeRow) -> Row:
    basis = of.basis and {name: getattr(of.basis, name) for name in _OF_BASIS}
    present = (name for name, value in of.metrics.items() if math.isfinite(value))
    return {
        "scored": next(present, None),
        "collapsed": None if of.collapsed is None else json.dumps(of.collapsed),
        "basis": basis and json.dumps(basis),
        METRIC: of.metrics,
        LOW: {name: low for name, (low, _) in of.intervals.items()},
        HIGH: {name: high for name, (_, high) in of.intervals.items()},
        DF: of.basis.df if of.basis else {},
    }


def _trial(row: Row, told: Row) -> TrialRecord:
    own = {name: row[name] for name in _OF_TRIAL}
    return TrialRecord(**own, params=row["params"], best_epoch=row["epoch"], modes={}, **told)


def _mode(row: Row, told: Row) -> ModeRow:
    own = json.loads(row["of_mode"])
    own["composition"] = composition_of(own["composition"])
    return ModeRow(**own, epoch=row["epoch"], **told)


@cache
def _collapsed(text: str | None) -> Any:
    return None if text is None else cells_of(json.loads(text))


@cache
def _basis(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Values of a column of texts or whole numbers, None where it is null."""
    if column.null_count or pa.types.is_string(column.type):
        return list(column.to_pylist())
    return list(_numbers(column, np.dtype(np.int64)).tolist())


def _numbers(column: pa.ChunkedArray, kind: np.dtype[Any]) -> NDArray[Any]:
    """Values of a column of numbers, anything where it is null.

    By its buffers, as ``to_numpy`` imports pandas first, where that is installed.
    """
    parts = [
        np.frombuffer(one.buffers()[1], kind, len(one), one.offset * kind.itemsize)
        for one in column.chunks
        if len(one)
    ]
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _there(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Where a column is not null."""
    parts = []
    for one in column.chunks:
        bits = one.buffers()[0]
        if bits is None:
            parts.append(np.ones(len(one), bool))
        else:
            unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
            parts.append(unpacked[one.offset : one.offset + len(one)].astype(bool))
    return np.concatenate(parts) if parts else np.empty(0, bool)


def _values(table: pa.Table, kind: str) -> list[dict[str, float]]:
    """For each row, the numbers in the columns of a kind that are not null, by name."""
    names = [name for name in table.column_names if name.startswith(kind)]
    if not names:
        return [{} for _ in range(len(table))]
    columns = [table.column(name) for name in names]
    values = np.column_stack([_numbers(column, np.dtype(np.float64)) for column in columns])
    there = np.column_stack([_there(column) for column in columns])
    missing = (np.isnan(values) & there).any(axis=1).tolist()
    pick = cache(_picker([name.removeprefix(kind) for name in names]))
    found = []
    for row, mask, lacks in zip(values.tolist(), map(bytes, there), missing, strict=True):
        own, chosen = pick(mask)
        # Missing is always the same object, by which records are equal to copies.
        numbers = [math.nan if one != one else one for one in chosen(row)] if lacks else chosen(row)
        found.append(dict(zip(own, numbers, strict=True)))
    return found


Chosen = tuple[list[str], Callable[[Sequence[float]], Sequence[float]]]


def _picker(names: Sequence[str]) -> Callable[[bytes], Chosen]:
    """Gives, for a mask of columns, their names and what takes their values of a row."""

    def pick(mask: bytes) -> Chosen:
        places = [at for at, one in enumerate(mask) if one]
        own = [names[at] for at in places]
        if len(places) > 1:
            return own, itemgetter(*places)
        return own, lambda row: [row[at] for at in places]

    return pick

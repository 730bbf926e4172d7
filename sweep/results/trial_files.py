"""The records of trials as JSON files, a file each: what a sweep's folder knows of its trials."""

import dataclasses
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sweep.core.errors import WorkError
from sweep.core.files import write_text
from sweep.core.kinds import require_kind, require_part
from sweep.core.reading import read_json, readable
from sweep.core.records import (
    Basis,
    Cell,
    Composition,
    ModeRow,
    TrialRecord,
    missing_as_null,
    null_as_missing,
)
from sweep.core.text import one_line

FOLDER = "trials"
FIRST, LAST = "trial-", ".json"  # of the name of a file
NAME = re.compile(rf"{FIRST}(\d+)", re.ASCII)  # of a trial, with its number
EPOCH = re.compile(r"epoch-(\d{4,})\.parquet", re.ASCII)  # the table of an epoch, with its number


class Stamp(NamedTuple):
    """By what a file is known to be the same.

    Attributes:
        mtime_ns: When it was written.
        size: In bytes.

    """

    mtime_ns: int
    size: int


class Entry(NamedTuple):
    """What the files say of one trial.

    Attributes:
        record: Its record.
        last_epoch: Its last reported epoch, where it has ended; None where it runs.

    """

    record: TrialRecord
    last_epoch: int | None


def is_record(file: str) -> bool:
    """Whether a file of this name is of a trial; others are not the sweep's, such as a copy."""
    return file.endswith(LAST) and NAME.fullmatch(file.removesuffix(LAST)) is not None


def stamps(folder: Path) -> dict[str, Stamp]:
    """The file of each trial of the sweep in a folder, by its name."""
    found = {}
    with suppress(FileNotFoundError), os.scandir(folder / FOLDER) as files:  # before any trial
        for file in files:
            if is_record(file.name):
                known = file.stat()
                found[file.name] = Stamp(known.st_mtime_ns, known.st_size)
    return found


def read_entry(folder: Path, name: str) -> Entry | None:
    """What the files say of the trial whose file has this name; None where it has been removed.

    Raises:
        WorkError: See ``read_trial``.

    """
    try:
        record = read_trial(folder / FOLDER / name)
    except FileNotFoundError:
        return None
    running = record.status == "running"
    return Entry(record, None if running else last_reported(folder, record.trial))


def write_trial(folder: Path, record: TrialRecord) -> None:
    """Replace what is known of a trial of the sweep in a folder."""
    write_text(folder / FOLDER / f"{record.trial}{LAST}", text_of(record))


def text_of(record: TrialRecord) -> str:
    """What the file of a trial holds."""
    return json.dumps(trial_to_plain(record), indent=1)


def read_trial(path: Path | str) -> TrialRecord:
    """The record in one file.

    Raises:
        FileNotFoundError: There is none.
        WorkError: The file is damaged, or is not of the trial that it is named after.

    """
    remedy = (
        "restore the file from a copy; without one remove it, and `mrisweep resume` makes it again "
        "of the journal and of what the trial has scored"
    )
    with readable("the record of a trial cannot be read", path, remedy, WorkError):
        record = _record(read_json(path))
        require_own(record, Path(path).name)
    return record


def require_own(record: TrialRecord, file: str) -> None:
    """Raise ``ValueError`` unless what was read from the file of a trial is the record of it.

    Values of other kinds are none, nor are names that lead elsewhere.

    Args:
        record: As read.
        file: The name of the file.

    """
    require_kind(TrialRecord, record)
    named = NAME.fullmatch(record.trial)
    if named is None or int(named[1]) != record.number or file != f"{record.trial}{LAST}":
        raise ValueError(f"it is of {record.trial!r}, number {record.number}")
    epochs = [record.best_epoch, *(row.epoch for row in record.modes.values())]
    if any(epoch is not None and epoch < 1 for epoch in epochs):
        raise ValueError("an epoch has a number below 1")
    for mode in record.modes:
        require_part(mode)


def last_reported(folder: Path, trial: str) -> int:
    """The number of a trial's last reported epoch; 0 before the first."""
    return max(reported(folder, trial), default=0)


def reported(folder: Path, trial: str) -> list[int]:
    """The numbers of a trial's reported epochs, ascending."""
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        os.scandir(folder / "results" / trial) as files,
    ):
        return sorted(int(found[1]) for file in files if (found := EPOCH.fullmatch(file.name)))
    return []


def trial_to_plain(record: TrialRecord) -> dict[str, Any]:
    """A trial's record as JSON has it."""
    plain = dataclasses.asdict(record) | {"metrics": missing_as_null(record.metrics)}
    plain["modes"] = {name: mode_to_plain(row) for name, row in record.modes.items()}
    return plain


def mode_to_plain(row: ModeRow) -> dict[str, Any]:
    """A row in another mode as JSON has it."""
    return dataclasses.asdict(row) | {"metrics": missing_as_null(row.metrics)}


def _record(plain: dict[str, Any]) -> TrialRecord:
    collapsed, error = plain.get("collapsed"), plain.get("error")
    return TrialRecord(
        **{
            **plain,
            **_scored(plain),
            "error": one_line(error) if isinstance(error, str) else error,  # Ray's are in colours
            "collapsed": None if collapsed is None else cells_of(collapsed),
            "modes": {name: _mode(row) for name, row in plain.get("modes", {}).items()},
        }
    )


def _mode(plain: dict[str, Any]) -> ModeRow:
    found = {
        "collapsed": cells_of(plain["collapsed"]),
        "composition": composition_of(plain["composition"]),
    }
    return ModeRow(**{**plain, **_scored(plain), **found})


def _scored(plain: dict[str, Any]) -> dict[str, Any]:
    basis = plain.get("basis")
    return {
        "basis": None if basis is None else Basis(**basis),
        "metrics": null_as_missing(plain["metrics"]),
        "intervals": {name: (low, high) for name, (low, high) in plain["intervals"].items()},
    }


def composition_of(plain: dict[str, Any] | None) -> Composition | None:
    """A composition, of what JSON has of it."""
    if plain is None:
        return None
    positives = {name: tuple(shares) for name, shares in plain["positives"].items()}
    return Composition(**{**plain, "positives": positives})


def cells_of(pairs: list[tuple[str, int]]) -> tuple[Cell, ...]:
    """Cells, of what JSON has of them."""
    return tuple(Cell(*pair) for pair in pairs)

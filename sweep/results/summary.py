"""All trials of a sweep at once, of ten thousand in a fraction of a second.

The record of a trial is its JSON file, and stays so. Where there are many, what they say is kept
beside them in one table, ``summary.parquet``, which is a cache: it is brought up to date when it is
read, by the names, times and sizes of the files, so that only what has changed is read again. It
may be removed at any time; where it is damaged or of another version it is made anew, and where the
folder cannot be written to, or is another user's, the files are read each time.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sweep.core.errors import WorkError
from sweep.core.records import TrialRecord
from sweep.core.text import listed
from sweep.results import trial_files
from sweep.results.ownership import is_strangers
from sweep.results.trial_files import Entry, Stamp

FILE = "summary.parquet"
LEAST = 200  # of fewer trials the files are read before the table's library is imported
GRAIN_NS = 2_000_000_000  # the coarsest clock of a file system: two changes in it look like one


@dataclass(frozen=True)
class Summary:
    """The trials of a sweep.

    Attributes:
        path: The sweep's folder, absolute.
        trials: Every trial, by number, but those whose records are damaged.
        ended: Trial -> its last reported epoch, of those that have ended.
        damaged: What is wrong with the records that are.

    """

    path: Path
    trials: list[TrialRecord]
    ended: dict[str, int]
    damaged: tuple[WorkError, ...] = ()

    def whole(self) -> "Summary":
        """Itself.

        Raises:
            WorkError: The records of some trials are damaged.

        """
        for error in damage_of([self]):
            raise error
        return self

    def last_reported(self, trial: str) -> int:
        """The number of a trial's last reported epoch; 0 before the first."""
        known = self.ended.get(trial)
        return trial_files.last_reported(self.path, trial) if known is None else known


def summary(folder: Path, names: Collection[str] | None = None, least: int = LEAST) -> Summary:
    """What is known of all trials of a sweep.

    Args:
        folder: Its folder, absolute.
        names: The metrics that are needed; what else a record has may be left out of it, but for
            one metric that says at which fidelity it was scored. None: all.
        least: So many trials are kept in a table.

    """
    now = time.time_ns()
    files, damaged = trial_files.stamps(folder), list[WorkError]()
    if len(files) < least:
        found = [_entry(folder, name, damaged) for name in files]
    else:
        found = _by_table(folder, files, names, now, damaged)
    known = sorted((one for one in found if one), key=lambda one: one.record.number)
    ended = {one.record.trial: one.last_epoch for one in known if one.last_epoch is not None}
    damaged.sort(key=str)
    return Summary(folder, [one.record for one in known], ended, tuple(damaged))


def damage_of(sweeps: Iterable[Summary]) -> list[WorkError]:
    """The damage of the records of trials of some sweeps as one error; none where none is."""
    errors = [error for sweep in sweeps for error in sweep.damaged]
    if len(errors) < 2:
        return errors
    wrong = f"the records of {len(errors)} trials cannot be read"
    received = listed([str(error.args[1]) for error in errors])
    return [WorkError(wrong, received, errors[0].args[2])]


def _entry(folder: Path, name: str, damaged: list[WorkError]) -> Entry | None:
    """What the files say of a trial; None where it has been removed, or where they are damaged."""
    try:
        return trial_files.read_entry(folder, name)
    except WorkError as error:
        damaged.append(error)
        return None


def _by_table(
    folder: Path,
    files: Mapping[str, Stamp],
    names: Collection[str] | None,
    now: int,
    damaged: list[WorkError],
) -> list[Entry | None]:
    # pyarrow takes a tenth of a second to import, which is more than the files of a small sweep.
    from sweep.results.summary_table import SummaryTable, write

    table = SummaryTable.open(folder / FILE)
    fresh: set[str] = set()
    if table is not None:
        # A file that was written just before it was read may have changed since and look the same.
        until = table.read_ns - GRAIN_NS
        known = table.stamps
        fresh = {n for n, one in files.items() if one.mtime_ns <= until and known.get(n) == one}
        whole = table.entries(names) if fresh == files.keys() == known.keys() else None
        if whole is not None and whole.keys() == fresh:
            return list(whole.values())
    read = (table.entries() or {}) if table is not None and fresh else {}
    kept = {name: one for name, one in read.items() if name in fresh}
    found = {n: kept[n] if n in kept else _entry(folder, n, damaged) for n in files}
    with suppress(Exception):  # a full disk, a text that Arrow refuses: it is a cache and no more
        if not is_strangers(folder):
            write(folder / FILE, {n: (files[n], one) for n, one in found.items() if one}, now)
    return list(found.values())

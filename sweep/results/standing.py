"""Where a sweep stands, read from its folder alone, while a process drives it or none does.

Nothing is written, and neither Ray nor torch is needed; of thousands of trials only those are read
again whose files have changed.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.config.search import epochs_of
from sweep.core.kinds import require_part
from sweep.core.mirrors import named
from sweep.core.objective import value_of
from sweep.core.reading import glanced
from sweep.core.records import TrialRecord, is_missing, is_screened, scores_in
from sweep.core.states import FAILED, FINISHED, FINISHING, INTERRUPTED, RUNNING, UNDER_WAY
from sweep.remote.places import refresh
from sweep.results import advice, choice_file, trial_files
from sweep.results.locks import driven
from sweep.results.ranking import goodness
from sweep.results.states import states_of
from sweep.results.sweep_file import FILE, USED, Asked, asked, opened
from sweep.results.trial_files import Entry, Stamp
from sweep.search.forecast import forecast

HOUR_S = 3600.0


@dataclass(frozen=True)
class UnderWay:
    """A trial that has not ended.

    Attributes:
        trial: Its name.
        norm: The norm of its network.
        epoch: Its last reported epoch.
        epochs: How many it may have.
        best_epoch: The epoch that ``value`` is of; None before there is one.
        value: The objective at its best epoch; None before there is one.
        screened: Whether that is the score of a screening.
        state: ``running``, ``waiting`` or ``interrupted``, see ``sweep.core.states``.

    """

    trial: str
    norm: str
    epoch: int
    epochs: int
    best_epoch: int | None
    value: float | None
    screened: bool
    state: str


@dataclass(frozen=True)
class Standing:
    """Where a sweep stands.

    Attributes:
        name: Its name.
        path: Its folder.
        driven: Whether a process drives it; None: the file system does not tell.
        state: ``running``; ``finishing``: all trials have ended, and what follows them is at work;
            ``interrupted``: no process drives it and something is left to do; ``finished``.
        total: The trials that it is to have.
        ended: How many have ended, by state.
        under_way: Those that have not, by name.
        epochs: Reported epochs, of all trials.
        seconds: The time that the driver was at work on trials, over all its runs.
        seconds_left: What is to be expected until the last trial has ended; None: nothing is known.
        silent_s: Seconds since anything was last written of a trial; None before that.
        objective: What the best trial is the best by.
        best: The best trial that was scored in full; None before there is one.
        failed: The trial that failed last; None where none did.
        finalists: How many trainings of finalists have ended, and of how many; None before a plan.
        notes: What a colleague would remark.
        fresh: Trials that have ended since it was looked at before.

    """

    name: str
    path: Path
    driven: bool | None
    state: str
    total: int
    ended: Mapping[str, int]
    under_way: tuple[UnderWay, ...]
    epochs: int
    seconds: float
    seconds_left: float | None
    silent_s: float | None
    objective: str
    best: TrialRecord | None
    failed: TrialRecord | None
    finalists: tuple[int, int] | None
    notes: tuple[str, ...]
    fresh: tuple[Entry, ...] = ()

    @property
    def place(self) -> str:
        """Its folder as a user calls it: by its path, or by its URI."""
        return named(str(self.path))

    @property
    def epochs_an_hour(self) -> float | None:
        """The pace so far; None before it can be told."""
        return self.epochs / self.seconds * HOUR_S if self.seconds >= 1 and self.epochs else None

    def count(self, state: str) -> int:
        """How many of the trials that have not ended are in a state."""
        return sum(one.state == state for one in self.under_way)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        best, failed, pace = self.best, self.failed, self.epochs_an_hour
        return {
            "sweep": self.name,
            "folder": self.place,
            "state": self.state,
            "driven": self.driven,
            "trials": {
                "total": self.total,
                "ended": sum(self.ended.values()),
                **self.ended,
                **{state: self.count(state) for state in UNDER_WAY},
            },
            "under_way": [vars(one) for one in self.under_way],
            "epochs": self.epochs,
            "seconds": self.seconds,
            "epochs_an_hour": pace,
            "seconds_left": self.seconds_left,
            "silent_s": self.silent_s,
            "best": best
            and {
                "trial": best.trial,
                "norm": best.norm,
                "epoch": best.best_epoch,
                "metric": self.objective,
                "value": value_of(best.metrics, self.objective),
                "params": best.params,
            },
            "failed": failed
            and {"trial": failed.trial, "norm": failed.norm, "error": failed.error},
            "finalists": self.finalists
            and dict(zip(("ended", "planned"), self.finalists, strict=True)),
            "notes": list(self.notes),
        }


class Watcher:
    """Looks at a sweep's folder time and again.

    Args:
        path: The folder.
        now: Seconds of the clock that files are stamped by.

    Raises:
        UserError: No sweep's folder.

    """

    def __init__(self, path: str | Path, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = opened(path), now
        self._entries: dict[str, tuple[Stamp, Entry]] = {}
        self._asked: tuple[int, Asked] | None = None
        self._expected: tuple[Asked, float] | None = None
        self._ended: set[str] | None = None

    def look(self) -> Standing:
        """Where it stands now.

        Raises:
            UserError: The folder is a sweep's no more, or its ``sweep.yaml`` cannot be read.
            WorkError: The record of a trial is damaged.

        """
        drives = driven(self._path)  # first: who has ended since then has written all it wrote
        refresh(self._path)
        of = self._asked_for()
        stamps = self._read()
        entries = [entry for _, entry in self._entries.values()]
        records = sorted((entry.record for entry in entries), key=lambda one: one.number)
        running = [one for one in records if one.status == RUNNING]
        last = {one.trial: trial_files.last_reported(self._path, one.trial) for one in running}
        epochs = sum(last.values()) + sum(entry.last_epoch or 0 for entry in entries)
        states = states_of(records, last, of.search, of.epochs, drives)
        ended = Counter(state for state in states.values() if state not in UNDER_WAY)
        finalists = _finalists(self._path) if of.finalists else None
        state = self._state(drives, of, len(running), sum(ended.values()), finalists)
        seconds = _seconds_used(self._path)
        left = None
        if state == RUNNING and drives is not False:
            left = self._left(of, epochs, seconds, of.search.total - sum(ended.values()))
        return Standing(
            name=of.name,
            path=self._path,
            driven=drives,
            state=state,
            total=max(of.search.total, len(records)),
            ended=dict(sorted(ended.items())),
            under_way=tuple(
                _under_way(one, last[one.trial], of, states[one.trial]) for one in running
            ),
            epochs=epochs,
            seconds=seconds,
            seconds_left=left,
            silent_s=self._silent(stamps, last),
            objective=of.search.objective,
            best=_best(records, of.search.objective),
            failed=max(
                (one for one in records if one.status == FAILED),
                key=lambda one: one.ended_at_ms or 0,
                default=None,
            ),
            finalists=finalists,
            notes=tuple(advice.remarks(of.search, of.epochs, records, of.caution)),
            fresh=self._fresh(),
        )

    def _asked_for(self) -> Asked:
        """Read again only where it has changed, as a resume may."""
        file = opened(self._path) / FILE
        stamp = file.stat().st_mtime_ns
        if self._asked is None or self._asked[0] != stamp:
            self._asked = stamp, asked(self._path)
        return self._asked[1]

    def _read(self) -> Mapping[str, Stamp]:
        stamps = trial_files.stamps(self._path)
        for name, stamp in stamps.items():
            known = self._entries.get(name)
            if known and known[0] == stamp:
                continue
            if entry := trial_files.read_entry(self._path, name):
                self._entries[name] = stamp, entry
        for name in self._entries.keys() - stamps.keys():
            del self._entries[name]
        return stamps

    def _fresh(self) -> tuple[Entry, ...]:
        found = [entry for _, entry in self._entries.values() if entry.last_epoch is not None]
        known, self._ended = self._ended, {entry.record.trial for entry in found}
        if known is None:
            return ()
        fresh = (entry for entry in found if entry.record.trial not in known)
        return tuple(sorted(fresh, key=lambda entry: entry.record.ended_at_ms or 0))

    def _state(
        self,
        drives: bool | None,
        of: Asked,
        running: int,
        ended: int,
        finalists: tuple[int, int] | None,
    ) -> str:
        if running or ended < of.search.total:
            return INTERRUPTED if drives is False else RUNNING
        if drives:
            return FINISHING
        lacks = of.finalists and (finalists is None or finalists[0] < finalists[1])
        followed = (self._path / choice_file.FILE).exists() and not lacks
        if followed:
            return FINISHED
        return INTERRUPTED if drives is False else FINISHING

    def _left(self, of: Asked, epochs: int, seconds: float, trials: int) -> float | None:
        """By the pace so far, and the epochs that early stopping is to be expected to leave."""
        if not epochs or seconds < 1:
            return None
        if self._expected is None or self._expected[0] is not of:
            concurrent = max(1, sum(e.record.status == RUNNING for _, e in self._entries.values()))
            self._expected = of, forecast(of.search, of.epochs, concurrent).epochs
        left = max(self._expected[1] - epochs, trials) * seconds / epochs
        hours = of.search.limits.hours
        return left if hours is None else max(0.0, min(left, hours * HOUR_S - seconds))

    def _silent(self, stamps: Mapping[str, Stamp], running: Iterable[str]) -> float | None:
        times = [stamp.mtime_ns for stamp in stamps.values()]
        for trial in running:
            with suppress(FileNotFoundError):  # before its first epoch
                times.append((self._path / "results" / trial).stat().st_mtime_ns)
        return max(0.0, self._now() - max(times) / 1e9) if times else None


def _under_way(record: TrialRecord, epoch: int, of: Asked, state: str) -> UnderWay:
    value = value_of(scores_in(record.metrics), of.search.objective)
    none_yet = record.best_epoch is None or is_missing(value)
    return UnderWay(
        trial=record.trial,
        norm=record.norm,
        epoch=epoch,
        epochs=epochs_of(record.params, of.epochs),
        best_epoch=None if none_yet else record.best_epoch,
        value=None if none_yet else value,
        screened=is_screened(record.metrics),
        state=state,
    )


def _best(records: Sequence[TrialRecord], objective: str) -> TrialRecord | None:
    scored = [
        one
        for one in records
        if one.best_epoch is not None
        and not is_screened(one.metrics)
        and not math.isinf(goodness(one.metrics, objective))
    ]
    return max(scored, key=lambda one: goodness(one.metrics, objective), default=None)


def _seconds_used(folder: Path) -> float:
    """What the driver has noted; a question to a running sweep ends for no damage to it."""
    try:
        seconds = float(glanced(folder / USED)["seconds"])
    except (ValueError, TypeError, LookupError, OverflowError):
        return 0.0
    return seconds if 0 <= seconds < math.inf else 0.0


def _finalists(folder: Path) -> tuple[int, int] | None:
    """How many trainings have a record, and of how many in the plan; None before there is one."""
    place = folder / "finalists"
    try:
        runs = [run["name"] for run in glanced(place / "plan.json")["runs"]]
        for name in runs:
            require_part(name)
        return sum((place / f"{name}.json").exists() for name in runs), len(runs)
    except (OSError, ValueError, TypeError, LookupError):
        return None

"""Live progress on a terminal, or a line for each ended trial in a log."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TextIO

from sweep.core.objective import terms, value_of
from sweep.core.records import EpochRecord, TrialRecord, is_screened, scores_in
from sweep.core.saying import is_terminal, say
from sweep.core.text import clock, number_of
from sweep.results.ranking import leads


class Progress:
    """A callback that says how far the sweep is; may be told from several threads.

    On a terminal one line is rewritten at every report. There and elsewhere a line stays of every
    trial that ends, that has to wait for others, or that goes on after it has waited.

    Args:
        total: The number of trials of the sweep.
        epochs: The epochs of a trial at most.
        objective: What is named with the best trial so far.
        known: The trials of earlier runs of the driver.
        stream: Where to write; None: to stderr.
        now: The clock, monotonic seconds.
        waiting: Of the known, those that wait for others, and the epochs that they have had.

    """

    def __init__(
        self,
        total: int,
        epochs: int,
        objective: str,
        known: Iterable[TrialRecord] = (),
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
        waiting: Mapping[str, int] | None = None,
    ) -> None:
        self.total, self.epochs, self.objective = total, epochs, objective
        self.named = objective if len(terms(objective)) == 1 else "objective"  # a sum is long
        self.stream, self.now = stream, now
        self.live = is_terminal(stream or sys.stderr)
        self.ended_trials: set[str] = set()
        self.best: TrialRecord | None = None
        for record in known:
            self._note(record)
        self.running: dict[str, int] = {}
        self.waiting: dict[str, int] = dict(waiting or {})
        self.looking = bool(waiting)  # trials come to where they wait, and none goes on yet
        self.came: dict[str, int] = {}  # the epochs of trials before they went on
        self.fresh = 0  # trials that ended at the pace that is kept up until all have
        self.started = self.paced_from = now()
        self._lock = threading.RLock()

    def began(self, trial: TrialRecord) -> None:
        """Count it as running."""
        with self._lock:
            self._note(trial)
            if trial.trial in self.waiting:
                self._goes_on(trial)
            self.running.setdefault(trial.trial, 0)
            self._rewrite()

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """Count the epoch."""
        with self._lock:
            self._note(trial)
            self.running[trial.trial] = epoch.epoch
            self._rewrite()

    def waits(self, trial: TrialRecord) -> None:
        """Say how far it came, and count it as waiting."""
        with self._lock:
            self._note(trial)
            self.looking = True
            self.waiting[trial.trial] = epochs = self.running.pop(trial.trial, 0)
            self.say(f"{self._line(trial, 'waits', epochs)}  |  {self.summary()}")
            self._rewrite()

    def ended(self, trial: TrialRecord) -> None:
        """Say how it ended."""
        with self._lock:
            self._note(trial)
            self.fresh += trial.trial in self.running
            epochs = self.running.pop(trial.trial, 0) or self.waiting.pop(trial.trial, 0)
            self.say(f"{self._line(trial, trial.status, epochs)}  |  {self.summary()}")
            self._rewrite()

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._clear()
            say(text, stream=self.stream)

    def rows(self, done: int, total: int, latest: str) -> None:
        """Say how many rows of modes are evaluated, and which is the latest."""
        head = f"[{clock(self.now() - self.started)}]"
        self.say(f"{head} {latest}  |  modes: {done} of {total} rows")

    def close(self, finished: bool) -> None:
        """Leave the terminal's line empty."""
        with self._lock:
            self._clear()

    def summary(self) -> str:
        """Trials done and running, the best so far, the time left."""
        done = len(self.ended_trials)
        parts = [f"{done}/{self.total} done", f"{len(self.running)} running"]
        if self.waiting:
            parts.append(f"{len(self.waiting)} waiting")
        left = self._seconds_left(done)
        if left is not None and done < self.total:
            parts.append(f"about {clock(left)} left")
        if (best := self.best) and not is_screened(best.metrics):
            # Last, as a narrow terminal cuts the line.
            value = value_of(best.metrics, self.objective)
            parts.append(f"best {self.named} {value:.3f} ({best.trial} {best.norm})")
        return ", ".join(parts)

    def _goes_on(self, trial: TrialRecord) -> None:
        """Say so. What is left is long now, so the pace of the short first parts counts no more."""
        if self.looking:
            self.looking, self.fresh, self.paced_from = False, 0, self.now()
        epochs = self.waiting.pop(trial.trial)
        self.running[trial.trial] = self.came[trial.trial] = epochs
        head = self._head(trial, "goes on")
        self.say(f"{head} after {number_of(epochs, 'epoch')}  |  {self.summary()}")

    def _note(self, trial: TrialRecord) -> None:
        """Keep what the summary says, which is then said without a walk through all trials."""
        if trial.status != "running":
            self.ended_trials.add(trial.trial)
        if trial.best_epoch is None:
            return
        if leads(trial, self.best, self.objective):
            self.best = trial

    def _seconds_left(self, done: int) -> float | None:
        """From the pace of this run; trials under way count by their epochs."""
        if self.fresh == 0 or self.looking:  # short first parts say little of the long ones
            return None
        partial = sum(self._part(trial, epoch) for trial, epoch in self.running.items())
        remaining = max(0.0, self.total - done - partial)
        return (self.now() - self.paced_from) / (self.fresh + partial) * remaining

    def _part(self, trial: str, epoch: int) -> float:
        """How much of what it had left, as it began or went on, a trial has done."""
        came = self.came.get(trial, 0)
        return (epoch - came) / (self.epochs - came)

    def _head(self, trial: TrialRecord, what: str) -> str:
        return f"[{clock(self.now() - self.started)}] {trial.trial} {trial.norm:<8} {what:<8}"

    def _line(self, trial: TrialRecord, what: str, epochs: int) -> str:
        head = self._head(trial, what)
        if trial.best_epoch is None:
            return f"{head} {trial.error}"
        how = "screened " if is_screened(trial.metrics) else ""
        value = value_of(scores_in(trial.metrics), self.objective)
        return f"{head} {number_of(epochs, 'epoch'):>9}, {how}{self.named} {value:.3f}"

    def _rewrite(self) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            text = f"[{clock(self.now() - self.started)}] {self.summary()}"
            say(f"\r\x1b[K{text[:width]}", end="", stream=self.stream)

    def _clear(self) -> None:
        if self.live:
            say("\r\x1b[K", end="", stream=self.stream)

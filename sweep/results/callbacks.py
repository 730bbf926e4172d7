"""Callbacks: who is told of what happens to trials, and how one runs in a thread of its own."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from sweep.core.finals import FinalistRecord
from sweep.core.records import EpochRecord, TrialRecord
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder

Say = Callable[[str], None]
REPORT = "report.html"  # in a sweep's folder, and by this name with the trackers
PATIENCE_S = 30.0  # that a tracker may go on without finishing anything once the trials have ended
QUIET_S = 10.0  # of it, before the user is told who is waited for; MLflow opens a database in 5


class Callback(Protocol):
    """Told of everything that happens to trials, in order for each trial.

    A tracker is a callback that writes what it is told somewhere else. It may be told the same
    again, after an interruption or by ``mrisweep sync``, and must then change nothing.
    """

    def began(self, trial: TrialRecord) -> None:
        """A trial started, or went on after an interruption."""

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """An epoch was reported; ``trial`` counts it already."""

    def ended(self, trial: TrialRecord) -> None:
        """A trial ended and is settled: its record is final."""

    def close(self, finished: bool) -> None:
        """The sweep stops here: all its trials ended, or it was interrupted."""


class SilentCallback:
    """A callback that does nothing: to be derived from by those that want to hear of little."""

    def began(self, trial: TrialRecord) -> None:
        """See ``Callback``."""

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """See ``Callback``."""

    def ended(self, trial: TrialRecord) -> None:
        """See ``Callback``."""

    def close(self, finished: bool) -> None:
        """See ``Callback``."""


@runtime_checkable
class ModeCallback(Protocol):
    """A callback that wants to hear of modes too; one that has no such method is not told."""

    def scored(self, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
        """The best epoch of an ended trial is scored in a mode; ``trial.modes`` has the row."""


@runtime_checkable
class WaitingCallback(Protocol):
    """A callback that wants to hear which trials wait for others."""

    def waits(self, trial: TrialRecord) -> None:
        """A trial has stopped until others have come as far; it may go on, and has not ended."""


@runtime_checkable
class FinalCallback(Protocol):
    """A callback that wants to hear what follows the trials."""

    def finalist(self, record: FinalistRecord) -> None:
        """A training of a finalist ended; its scores at every place are in the folder."""

    def concluded(self) -> None:
        """What is said of the sweep as a whole, such as its choice, may have changed.

        It is in the folder; nothing of it is there as long as trials run.
        """


@runtime_checkable
class ReportCallback(Protocol):
    """A callback that takes the report of a sweep."""

    def wrote_report(self, page: Path) -> None:
        """A report was written; ``page`` is its one HTML file."""


Task = Callable[[Callback], None]


def tell_scored(callback: Callback, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
    """Tell a callback that wants to hear of it."""
    if isinstance(callback, ModeCallback):
        callback.scored(trial, mode, epoch)


def tell_waiting(callback: Callback, trial: TrialRecord) -> None:
    """Tell a callback that wants to hear of it."""
    if isinstance(callback, WaitingCallback):
        callback.waits(trial)


def tell_finalist(callback: Callback, record: FinalistRecord) -> None:
    """Tell a callback that wants to hear of it."""
    if isinstance(callback, FinalCallback):
        callback.finalist(record)


def tell_concluded(callback: Callback) -> None:
    """Tell a callback that wants to hear of it."""
    if isinstance(callback, FinalCallback):
        callback.concluded()


def tell_report(callback: Callback, page: Path) -> None:
    """Tell a callback that wants to hear of it."""
    if isinstance(callback, ReportCallback):
        callback.wrote_report(page)


def replay(callback: Callback, folder: SweepFolder) -> None:
    """Tell a callback what is in a sweep's folder."""
    for task in history(folder):
        task(callback)


def history(folder: SweepFolder) -> Iterator[Task]:
    """What a callback would have been told of the trials in a folder, and of what followed."""
    for trial in folder.trials():
        yield partial(_began, trial)
        for epoch in folder.epochs(trial.trial):
            yield partial(_reported, trial, epoch)
        if trial.status != "running":
            yield partial(_ended, trial)
        for mode in trial.modes:
            yield partial(_scored, trial, mode, folder.in_mode(trial.trial, mode))
    yield from aftermath(folder)


def aftermath(folder: SweepFolder) -> Iterator[Task]:
    """What a callback would have been told of what followed the trials in a folder."""
    for record in FinalistFolder(folder).records():
        yield partial(_finalist, record)
    yield tell_concluded
    page = folder.path / REPORT
    if page.exists():
        yield partial(_wrote_report, page)


def _began(trial: TrialRecord, callback: Callback) -> None:
    callback.began(trial)


def _reported(trial: TrialRecord, epoch: EpochRecord, callback: Callback) -> None:
    callback.reported(trial, epoch)


def _ended(trial: TrialRecord, callback: Callback) -> None:
    callback.ended(trial)


def _scored(trial: TrialRecord, mode: str, epoch: EpochRecord, callback: Callback) -> None:
    tell_scored(callback, trial, mode, epoch)


def _finalist(record: FinalistRecord, callback: Callback) -> None:
    tell_finalist(callback, record)


def _wrote_report(page: Path, callback: Callback) -> None:
    tell_report(callback, page)


class InThread:
    """A callback that another one's slowness or failure does not touch.

    The other one is made, brought up to date and told in a thread of its own. Its failure is said
    once and fails no trial; ``close`` then makes it anew and tells it everything again, and what
    it does not take within ``patience_s`` is left to ``mrisweep sync``.

    Args:
        name: What the user knows it by.
        make: Makes the callback.
        folder: The folder of the sweep.
        say: Says something to the user.
        patience_s: Seconds in which ``close`` sees nothing finished before it gives up.
        past: What is in the folder that it is to be told, whenever it is made.

    Attributes:
        lacks: Whether it was given up, known once it is closed.

    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Callback],
        folder: SweepFolder,
        say: Say,
        patience_s: float = PATIENCE_S,
        past: Callable[[SweepFolder], Iterator[Task]] = history,
    ) -> None:
        self.name, self.lacks = name, False
        self._make, self._folder, self._say = make, folder, say
        self._patience_s, self._past = patience_s, past
        self._failed: Exception | None = None
        self._progress = time.monotonic()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._finished = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def began(self, trial: TrialRecord) -> None:
        """See ``Callback``."""
        self._tasks.put(partial(_began, trial))

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """See ``Callback``."""
        self._tasks.put(partial(_reported, trial, epoch))

    def ended(self, trial: TrialRecord) -> None:
        """See ``Callback``."""
        self._tasks.put(partial(_ended, trial))

    def scored(self, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
        """See ``ModeCallback``."""
        self._tasks.put(partial(_scored, trial, mode, epoch))

    def finalist(self, record: FinalistRecord) -> None:
        """See ``FinalCallback``."""
        self._tasks.put(partial(_finalist, record))

    def concluded(self) -> None:
        """See ``FinalCallback``."""
        self._tasks.put(tell_concluded)

    def close(self, finished: bool) -> None:
        """Wait until it has taken everything, or for as long as it gets on."""
        self._finished = finished
        self._tasks.put(None)
        began = time.monotonic()
        told = False
        while self._thread.is_alive():
            self._thread.join(0.1)
            silent = time.monotonic() - max(began, self._progress)
            if silent > self._patience_s:
                self._lacks(f"nothing for {self._patience_s:g} s")
                return
            if silent > min(QUIET_S, self._patience_s / 2) and not told:
                self._say(f"waiting up to {self._patience_s:g} s for {self.name}")
                told = True
        if self._failed is not None:
            self._lacks(_first_line(self._failed))

    def _work(self) -> None:
        callback = None
        try:
            callback = self._opened()
            self._progress = time.monotonic()
            while (task := self._tasks.get()) is not None:
                task(callback)
                self._progress = time.monotonic()
        except Exception as error:  # a tracker is no part of the work: none of its errors is
            callback = None
            self._failed = error
            self._say(
                f"{self.name} does not take the results; received {_first_line(error)}; the "
                f"sweep goes on and keeps them in its folder"
            )
            self._progress = time.monotonic()
            while self._tasks.get() is not None:
                pass  # the folder has what it tells of
        self._close(callback)

    def _close(self, callback: Callback | None) -> None:
        """End it; one that failed gets everything once more, as the server may be back."""
        try:
            callback = callback or self._opened()
            callback.close(self._finished)
            self._failed = None
        except Exception as error:
            self._failed = error

    def _opened(self) -> Callback:
        callback = self._make()
        for task in self._past(self._folder):
            task(callback)
            self._progress = time.monotonic()
        return callback

    def _lacks(self, reason: str) -> None:
        self.lacks = True
        self._say(
            f"{self.name} lacks a part of this sweep; received {reason}; nothing is lost: when "
            f"it answers again, run `mrisweep sync {self._folder.path}`"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""Callbacks: who is told of what happens to trials, and how one runs in a thread of its own."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from sweep.core.errors import UserError, WorkError
from sweep.core.finals import FinalistRecord
from sweep.core.interruption import is_asked
from sweep.core.leaving import leave_behind
from sweep.core.records import EpochRecord, TrialRecord, counting
from sweep.core.stages import stage
from sweep.core.text import without_passwords
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.kept_models import kept_models
from sweep.results.sweep_file import asked

Say = Callable[[str], None]
REPORT = "report.html"  # in a sweep's folder, and by this name with the trackers
# Of the end of a sweep, in seconds: what a tracker may take without finishing anything, what it may
# take in all; in all where a limit ended it, and where a signal did, after which somebody waits for
# the prompt; and when the user is told of the wait.
PATIENCE_S, LONGEST_S, LIMITED_S, ASKED_S, QUIET_S = 30.0, 120.0, 20.0, 3.0, 10.0
# A tracker that failed is tried again while the sweep goes on: after so many seconds, then later.
PAUSE_S, LONGEST_PAUSE_S = 15.0, 600.0


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


@runtime_checkable
class ModelCallback(Protocol):
    """A callback that keeps networks."""

    def keeps_model(self, trial: TrialRecord) -> None:
        """The sweep has ended, and the best checkpoint of this trial is one to be kept."""


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


def replay_to_end(callback: Callback, folder: SweepFolder, finished: bool) -> None:
    """Tell a callback what is in a sweep's folder, and that the sweep stops there."""
    replay(callback, folder)
    for task in ending(callback, folder, finished):
        task(callback)


def history(folder: SweepFolder) -> Iterator[Task]:
    """What a callback would have been told of the trials in a folder, and of what followed."""
    objective = asked(folder.path).search.objective
    for trial in folder.trials():
        yield partial(_began, trial)
        so_far = replace(trial, best_epoch=None, metrics={})
        for epoch in folder.epochs(trial.trial):
            so_far = counting(so_far, epoch, objective)  # as it was told when it was reported
            yield partial(_reported, so_far, epoch)
        if trial.status != "running":
            yield partial(_ended, trial)
        for mode in trial.modes:
            yield partial(_scored, trial, mode, folder.in_mode(trial.trial, mode))
    yield from aftermath(folder)


def ending(callback: Callback, folder: SweepFolder, finished: bool) -> Iterator[Task]:
    """What a callback is told where a sweep stops, for good or for now."""
    if finished and isinstance(callback, ModelCallback):
        for trial in kept_models(folder):
            yield _KeepsModel(trial)
    yield partial(_close, finished)


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


@dataclass(frozen=True)
class _KeepsModel:
    """The task of keeping a network."""

    trial: TrialRecord

    def __call__(self, callback: Callback) -> None:
        if isinstance(callback, ModelCallback):
            callback.keeps_model(self.trial)


def _close(finished: bool, callback: Callback) -> None:
    callback.close(finished)


def _wrote_report(page: Path, callback: Callback) -> None:
    tell_report(callback, page)


# Trackers that are written otherwise than they are named in a sweep file.
SPELLED = {"mlflow": "MLflow"}


class InThread:
    """A callback that another one's slowness or failure does not touch.

    The other one is made, brought up to date and told in a thread of its own. Its failure is said
    once and fails no trial: after a pause it is made anew and told everything again, and once more
    when the sweep ends. What it does not take then within ``patience_s``, or ``longest_s`` in all,
    is left to ``mrisweep sync``.

    Args:
        name: What the user knows it by.
        make: Makes the callback.
        folder: The folder of the sweep.
        say: Says something to the user.
        patience_s: Seconds in which ``close`` sees nothing finished before it gives up.
        past: What is in the folder that it is to be told, whenever it is made.
        longest_s: Seconds after which ``close`` gives up even so.
        pause_s: Seconds after a failure before it is tried again; each time twice as many.

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
        longest_s: float = LONGEST_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.name, self.lacks = name, False
        self._shown = SPELLED.get(name, name)
        self._make, self._folder, self._say = make, folder, say
        self._patience_s, self._longest_s, self._past = patience_s, longest_s, past
        self._pause_s = pause_s
        self._failed: Exception | None = None
        self._progress = time.monotonic()
        self._model = ""  # the trial whose network it is at; empty: it is at something short
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._finished = self._over = False
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
        """Wait until it has taken everything, or for as long as it gets on and there is time."""
        stage(f"telling {self._shown} the rest")
        self._finished = finished
        self._tasks.put(None)
        longest_s = self._longest_s
        if not finished:
            longest_s = min(longest_s, ASKED_S if is_asked() else LIMITED_S)
        began, told = time.monotonic(), False
        while self._thread.is_alive():
            self._thread.join(0.1)
            now = time.monotonic()
            waited, silent = now - began, now - max(began, self._progress)
            # A network is made ready and sent as a whole, which takes what it takes.
            model = self._model and f"not the network of {self._model}"
            for passed, limit_s, reason in (
                (silent, longest_s if model else self._patience_s, model or "no answer"),
                (waited, longest_s, model or "not all of it"),
            ):
                if passed > limit_s:
                    self._lacks(f"{reason} within {limit_s:g} s")
                    return
            if not told and waited > min(QUIET_S, self._patience_s / 2):
                limit_s = self._patience_s if silent == waited else longest_s
                self._say(f"waiting up to {limit_s:g} s for {self._shown}")
                told = True
        if self._failed is not None:
            self._lacks(_received(self._failed))

    def _work(self) -> None:
        pause_s = self._pause_s
        while True:
            was_over = self._over
            try:
                self._serve()
                self._failed = None
            except _GivenUpError:
                return
            except Exception as error:  # a tracker is no part of the work: none of its errors is
                self._fails(error)
            if self._failed is None or was_over:
                return
            self._rest(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _serve(self) -> None:
        """Make it, bring it up to date, and tell it all until the sweep ends."""
        callback = self._make()
        self._tell(callback, self._past(self._folder))
        if self._failed is not None:
            self._failed = None
            if not self._over:
                self._say(f"{self._shown} takes the results again, and has those of before")
        self._tell(callback, self._arriving())
        self._tell(callback, ending(callback, self._folder, self._finished))

    def _arriving(self) -> Iterator[Task]:
        """What it is to be told until the sweep ends, as it happens."""
        while not self._over:
            if (task := self._tasks.get()) is None:
                self._over = True
            else:
                yield task

    def _tell(self, callback: Callback, tasks: Iterator[Task]) -> None:
        for task in tasks:
            if self.lacks:  # nobody waits any more, and another process may have begun to write
                raise _GivenUpError
            self._model = task.trial.trial if isinstance(task, _KeepsModel) else ""
            task(callback)
            self._progress = time.monotonic()

    def _rest(self, pause_s: float) -> None:
        """For a while, or until the sweep ends, let pass what is told: the folder has it."""
        until = time.monotonic() + pause_s
        while not self._over and (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self._over = self._tasks.get(timeout=left) is None

    def _fails(self, error: Exception) -> None:
        if self._failed is None and not self._over:
            self._say(
                f"{self._shown} does not take the results; received {_explained(error)}; the sweep "
                f"goes on and keeps them in its folder"
            )
        self._failed = error

    def _lacks(self, reason: str) -> None:
        self.lacks = True
        leave_behind(self._thread)
        self._say(
            f"{self._shown} lacks a part of this sweep; received {reason}; nothing is lost: when "
            f"it answers again, run `mrisweep sync {self._folder.path}`"
        )


class _GivenUpError(Exception):
    """Nobody waits for a tracker any more."""


def _explained(error: Exception) -> str:
    """What was received, and of an error of ours what is wrong and what to do."""
    if isinstance(error, UserError | WorkError):
        wrong, received, remedy = error.args
        return f"{received}, as {wrong}; {remedy}"
    return _received(error)


def _received(error: Exception) -> str:
    """What was received, of an error of ours or of another."""
    if isinstance(error, UserError | WorkError):
        return str(error.args[1])
    return without_passwords((str(error).strip() or type(error).__name__).splitlines()[0])

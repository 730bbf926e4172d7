"""The trial log: the driver's account of every trial, from its first epoch to its settled end."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from sweep.core.errors import UserError
from sweep.core.failures import AGAIN
from sweep.core.mirrors import remove
from sweep.core.records import (
    DIVERGED,
    EpochRecord,
    ModeRow,
    Predictions,
    Status,
    TrialRecord,
    best_epoch,
    is_screened,
    of_one_fidelity,
    screened,
)
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import CheckpointInfo
from sweep.metrics.collapse import collapsed
from sweep.metrics.robustness import LEAST_SCREENED
from sweep.results.callbacks import Callback, Say, tell_scored, tell_waiting
from sweep.results.folder import SweepFolder
from sweep.results.tables import Slices
from sweep.stats.checkpoint import intervals_of


class TrialLog:
    """Keeps the records of trials in the folder, settles those that ended, tells the callbacks.

    Whatever the callbacks do, a record is on disk before any is told of it. Settling has a thread
    of its own, as intervals may take seconds that the driver needs for the next trial; trials that
    an interruption left unsettled are settled first. To be used in ``with``.

    Args:
        folder: The folder of the sweep; records of earlier runs are taken over.
        objective: The metric that decides the best epoch.
        callbacks: Who is told, in this order.
        say: Says something to the user.
        total: The trials that the sweep is to have.
        task: That of the store; None: the checkpoints of trials are asked.

    """

    def __init__(
        self,
        folder: SweepFolder,
        objective: str,
        callbacks: Sequence[Callback] = (),
        say: Say = lambda text: None,
        total: int = 0,
        task: str | None = None,
    ) -> None:
        self.folder = folder
        self.objective = objective
        self.records = {record.trial: record for record in folder.trials()}
        self._callbacks = callbacks
        self._say = say
        self._total, self._task = total, task
        self._settler = ThreadPoolExecutor(1, "settle")
        for record in self.records.values():
            if record.status != "running" and record.failure not in AGAIN:  # these run again
                self._later(self._settle, record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(finished=kind is None and self.is_whole())

    def began(self, trial: str, number: int, params: dict[str, Any], norm: str, seed: int) -> None:
        """A trial runs; told again after each interruption."""
        self.folder.forget(trial)
        known = self.records.get(trial) or TrialRecord(
            trial=trial,
            number=number,
            params=params,
            norm=norm,
            seed=seed,
            status="running",
            started_at_ms=_now_ms(),
        )
        record = self._keep(self._caught_up(known))
        self._tell(lambda callback: callback.began(record))

    def reported(self, trial: str, epoch: int) -> None:
        """An epoch of a trial is in the folder."""
        self.folder.forget(trial, epoch)
        reported = self.folder.epoch(trial, epoch)
        record = self.records[trial]
        so_far = [] if record.best_epoch is None else [(record.best_epoch, record.metrics)]
        both = sorted([*so_far, (epoch, reported.metrics)], key=lambda item: item[0])
        best = best_epoch(both, self.objective)
        if best is not None and best[0] == epoch:
            metrics = of_one_fidelity(reported.metrics)
            record = dataclasses.replace(record, best_epoch=epoch, metrics=metrics)
            self._keep(record)
        self._tell(lambda callback: callback.reported(record, reported))

    def waits(self, trial: str) -> None:
        """A trial has stopped until others have come as far; it has not ended."""
        record = self.records[trial]
        self._tell(lambda callback: tell_waiting(callback, record))

    def changes(self, trial: str, params: Mapping[str, Any]) -> None:
        """A trial that failed is tried again with some settings changed."""
        record = self.records[trial]
        self._keep(dataclasses.replace(record, params={**record.params, **params}))

    def reopened(self, trial: str) -> None:
        """A trial that failed, for what may go well another time, is to run again."""
        record = self.records[trial]
        self._keep(
            dataclasses.replace(
                record,
                status="running",
                error=None,
                failure=None,
                ended_at_ms=None,
                intervals={},
                basis=None,
                collapsed=None,
            )
        )

    def ended(
        self, trial: str, status: Status, error: str | None = None, failure: str | None = None
    ) -> None:
        """A trial came to its end. One whose objective was always missing has failed.

        Args:
            trial: Its name.
            status: How it ended.
            error: What went wrong, in one sentence; None: nothing.
            failure: Of what kind that was, see ``sweep.core.failures``; None: it diverged.

        """
        record = self.records[trial]
        if record.best_epoch is None:
            status, error = "failed", error or f"{self.objective} {DIVERGED}"
        record = dataclasses.replace(
            record, status=status, error=error, failure=failure, ended_at_ms=_now_ms()
        )
        self._keep(record)
        self._later(self._end, record)

    def scored(
        self,
        trial: str,
        mode: str,
        record: EpochRecord,
        predictions: Sequence[Predictions],
        slices: Slices,
        row: ModeRow,
    ) -> Future[None]:
        """The best epoch of an ended trial is scored in another mode.

        Args:
            trial: Its name.
            mode: The name of the mode.
            record: The scores.
            predictions: Of all cells.
            slices: Those that they are of.
            row: What the trial's record is to say, still without intervals.

        Returns:
            Done once it is kept, or was said to have failed.

        """

        def keep() -> None:
            self.folder.write_mode(mode, record, predictions, slices)
            of = slices.truth, slices.labels, slices.patients
            intervals, basis = intervals_of(predictions, *of)
            before = self.records[trial]
            settled = dataclasses.replace(row, intervals=intervals, basis=basis)
            rows = {**before.modes, mode: settled}
            kept = self._keep(dataclasses.replace(before, modes=rows))
            self._tell(lambda callback: tell_scored(callback, kept, mode, record))

        lacks = f"{trial} is not scored in the mode {mode}"
        return self._settler.submit(self._guarded, lacks, keep)

    def is_whole(self) -> bool:
        """Whether all trials of the sweep have ended; a limit may end it before."""
        ended = sum(record.status != "running" for record in self.records.values())
        return ended == len(self.records) and ended >= self._total

    def params(self, trial: str) -> dict[str, Any]:
        """The searched values of a trial as it is trained; empty before it has begun."""
        record = self.records.get(trial)
        return record.params if record else {}

    def best_metrics(self, trial: str) -> dict[str, float]:
        """The metrics of a trial's best epoch; empty before one that has an objective."""
        record = self.records.get(trial)
        return {} if record is None or record.best_epoch is None else record.metrics

    def close(self, finished: bool) -> None:
        """Wait until every ended trial is settled, then end the callbacks.

        Args:
            finished: Whether all trials ended; otherwise those that run were interrupted.

        """
        self._settler.shutdown(wait=True)
        self._tell(lambda callback: callback.close(finished))

    def _end(self, record: TrialRecord) -> None:
        settled = self._settle(record)
        self._tell(lambda callback: callback.ended(settled))

    def _settle(self, record: TrialRecord) -> TrialRecord:
        settled = settle(self.folder, record, self._task)
        self.records[record.trial] = settled
        return settled

    def _later(self, work: Callable[[TrialRecord], object], record: TrialRecord) -> None:
        lacks = f"{record.trial} has no intervals yet"
        self._settler.submit(self._guarded, lacks, partial(work, record))

    def _guarded(self, lacks: str, work: Callable[[], object]) -> None:
        """What cannot be done now is done by the next ``resume``."""
        try:
            work()
        except Exception as error:
            self._say(
                f"{lacks}; received {type(error).__name__}: {error}; "
                f"mend the cause, then run `mrisweep resume {self.folder.path}`"
            )

    def _caught_up(self, record: TrialRecord) -> TrialRecord:
        """The record with the best of the folder's epochs: the driver may have died before one."""
        epochs = {epoch.epoch: epoch.metrics for epoch in self.folder.epochs(record.trial)}
        best = best_epoch(epochs.items(), self.objective)
        if best is None:
            return record
        metrics = of_one_fidelity(epochs[best[0]])
        return dataclasses.replace(record, best_epoch=best[0], metrics=metrics)

    def _keep(self, record: TrialRecord) -> TrialRecord:
        self.records[record.trial] = record
        self.folder.write_trial(record)
        return record

    def _tell(self, what: Callable[[Callback], None]) -> None:
        for callback in self._callbacks:
            what(callback)


def settle(folder: SweepFolder, record: TrialRecord, task: str | None = None) -> TrialRecord:
    """Settle an ended trial: intervals of its best epoch, and no checkpoint but that one's.

    Safe to repeat: a trial that is settled stays as it is. Of one that an earlier version settled,
    the collapsed cells are found.

    Args:
        folder: The folder of the sweep.
        record: The trial, with its final status and best epoch.
        task: That of the store; None: the checkpoint is asked.

    """
    files = CheckpointFolder(folder.checkpoints(record.trial))
    if record.failure not in AGAIN:  # else its latest epoch is where it goes on
        files.keep([record.best_epoch])
        remove(files.state)
    only_screened = is_screened(record.metrics)
    known = bool(record.intervals) or record.basis is not None
    has_intervals = known or only_screened  # these are ranked with nothing
    if record.best_epoch is None or (has_intervals and record.collapsed is not None):
        return record
    task = task or _task(folder.checkpoint(record.trial, record.best_epoch))
    if known and task is None:
        return record
    predictions, slices = folder.predictions(record.trial, record.best_epoch)
    intervals, basis = record.intervals, record.basis
    if not known:
        least = LEAST_SCREENED if only_screened else 1
        of = slices.truth, slices.labels, slices.patients
        intervals, basis = intervals_of(predictions, *of, least=least)
    if only_screened and not known:
        intervals = {screened(name): interval for name, interval in intervals.items()}
    found = None if task is None else collapsed(predictions, slices.truth, task)
    settled = dataclasses.replace(record, intervals=intervals, collapsed=found, basis=basis)
    folder.write_trial(settled)
    return settled


def _task(checkpoint: Path) -> str | None:
    """The task of a checkpoint; None where somebody has removed it."""
    with suppress(UserError):
        return CheckpointInfo.read(checkpoint).task
    return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

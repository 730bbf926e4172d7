"""The trial log: the driver's account of every trial, from its first epoch to its settled end."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from sweep.core.errors import UserError
from sweep.core.records import (
    DIVERGED,
    EpochRecord,
    ModeRow,
    Predictions,
    Status,
    TrialRecord,
    best_epoch,
    counting,
    is_screened,
    of_one_fidelity,
    screened,
)
from sweep.core.stages import stage
from sweep.learn.checkpoints import CheckpointInfo
from sweep.metrics.collapse import collapsed
from sweep.metrics.robustness import LEAST_SCREENED
from sweep.results.callbacks import Callback, Say, tell_scored, tell_waiting
from sweep.results.folder import SweepFolder
from sweep.results.keeper import Keeper
from sweep.results.keeping import is_over, is_settled
from sweep.results.tables import Slices
from sweep.results.trial_records import TrialRecords
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
        task: That of the store; None: a checkpoint is asked.

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
        self.records = TrialRecords(folder)
        self._callbacks = callbacks
        self._say = say
        self._total = total
        self._task = task  # of all checkpoints; to ask one is to read the whole of it
        self._settler = ThreadPoolExecutor(1, "settle")
        for record in self.records.values():
            if is_over(record) and not is_settled(record):
                self._later(self._settle, record.trial)

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

    def reported(self, trial: str, epoch: int, read: EpochRecord | None = None) -> None:
        """An epoch of a trial is in the folder, ``read`` from it before or not."""
        if read is None:
            self.folder.forget(trial, epoch)
        reported = read or self.folder.epoch(trial, epoch)
        before = self.records[trial]
        record = counting(before, reported, self.objective)
        if record != before:  # else it is said again
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
            record,
            status=status,
            error=error,
            failure=failure,
            ended_at_ms=max(_now_ms(), record.started_at_ms),  # the clock may have been set back
        )
        self._keep(record)
        self._later(self._end, trial)

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
        ended = self.records.ended()
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
        stage("estimating intervals of the trials that ended last")
        self._settler.shutdown(wait=True)
        self._tell(lambda callback: callback.close(finished))

    def _end(self, trial: str) -> None:
        settled = self._settle(trial)
        self._tell(lambda callback: callback.ended(settled))

    @cached_property
    def _keeper(self) -> Keeper:
        """Made where there is a trial to settle, as it reads the whole of the sweep's settings."""
        return Keeper(self.folder, self.folder.config())

    def _settle(self, trial: str) -> TrialRecord:
        record = self.records[trial]
        if self._task is None and record.best_epoch is not None and not is_settled(record):
            self._task = task_of(self.folder.checkpoint(trial, record.best_epoch))
        settled = settle(self.folder, record, self._task)
        self._keeper.before_settled(settled)
        if settled is not record:
            self._keep(settled)
        self._keeper.settled(settled)
        return settled

    def _later(self, work: Callable[[str], object], trial: str) -> None:
        lacks = f"{trial} has no intervals yet"
        self._settler.submit(self._guarded, lacks, partial(work, trial))

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
        self.records.write(record)
        return record

    def _tell(self, what: Callable[[Callback], None]) -> None:
        for callback in self._callbacks:
            what(callback)


def settle(folder: SweepFolder, record: TrialRecord, task: str | None = None) -> TrialRecord:
    """An ended trial with the intervals of its best epoch, and the cells in which it collapsed.

    Safe to repeat: a trial that has them stays as it is. Of one that an earlier version settled,
    the collapsed cells are found.

    Args:
        folder: The folder of the sweep.
        record: The trial, with its final status and best epoch.
        task: ``multiclass`` or ``multilabel``; None: as its checkpoint says, where it is there.

    """
    if record.best_epoch is None or is_settled(record):
        return record
    only_screened = is_screened(record.metrics)
    known = bool(record.intervals) or record.basis is not None
    task = task or task_of(folder.checkpoint(record.trial, record.best_epoch))
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
    return dataclasses.replace(record, intervals=intervals, collapsed=found, basis=basis)


def task_of(checkpoint: Path) -> str | None:
    """The task of a checkpoint; None where somebody has removed it."""
    with suppress(UserError):
        return CheckpointInfo.read(checkpoint).task
    return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""The driver's account of a sweep while it runs: trial records, and who is told of them."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any, Protocol

from sweep.core.records import EpochRecord, Status, TrialRecord
from sweep.results.folder import SweepFolder


class Callback(Protocol):
    """Told of everything that happens in a sweep, in order; must not fail and must not block."""

    def began(self, trial: TrialRecord) -> None:
        """A trial started, or went on after an interruption."""

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """An epoch was reported; ``trial`` counts it already."""

    def ended(self, trial: TrialRecord) -> None:
        """A trial ended; its record is final but for the intervals."""


class TrialLog:
    """Keeps the records of trials in the folder, then tells the callbacks.

    Args:
        folder: of the sweep; records of earlier runs are taken over.
        objective: that decides the best epoch.
        callbacks: in the order in which they are told.

    """

    def __init__(
        self, folder: SweepFolder, objective: str, callbacks: Sequence[Callback] = ()
    ) -> None:
        self.folder = folder
        self.objective = objective
        self.callbacks = callbacks
        self.records = {record.trial: record for record in folder.trials()}

    def began(self, trial: str, number: int, params: dict[str, Any], norm: str, seed: int) -> None:
        """A trial runs; told again after each interruption."""
        known = self.records.get(trial)
        record = known or TrialRecord(
            trial=trial,
            number=number,
            params=params,
            norm=norm,
            seed=seed,
            status="running",
            started_at_ms=_now_ms(),
        )
        self._keep(record)
        for callback in self.callbacks:
            callback.began(record)

    def reported(self, trial: str, epoch: int) -> None:
        """An epoch of a trial is in the folder."""
        reported = self.folder.epoch(trial, epoch)
        record = self.records[trial]
        value = reported.metrics[self.objective]
        if value > record.metrics.get(self.objective, -math.inf):
            record = dataclasses.replace(record, best_epoch=epoch, metrics=reported.metrics)
            self._keep(record)
        for callback in self.callbacks:
            callback.reported(record, reported)

    def ended(self, trial: str, status: Status, error: str | None = None) -> None:
        """A trial came to its end. One without a finite objective has failed."""
        record = self.records[trial]
        if record.best_epoch is None:
            status, error = "failed", error or f"{self.objective} was never finite: it diverged"
        record = dataclasses.replace(record, status=status, error=error, ended_at_ms=_now_ms())
        self._keep(record)
        for callback in self.callbacks:
            callback.ended(record)

    def _keep(self, record: TrialRecord) -> None:
        self.records[record.trial] = record
        self.folder.write_trial(record)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

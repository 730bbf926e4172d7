"""One trial as Tune runs it: ``fit`` with remote evaluators, every epoch kept and reported."""

import math
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import torch
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError
from ray.tune import Trainable

from sweep.cluster.pool import RemoteEvaluator, limit_torch
from sweep.cluster.staging import Staging
from sweep.config.sweep import SweepConfig
from sweep.core.errors import WorkError, told
from sweep.core.failures import failure_of
from sweep.core.objective import value_of
from sweep.core.pulse import pass_on
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.fit import Run
from sweep.results.folder import SweepFolder
from sweep.results.tables import validation_slices
from sweep.search.study import Suggestion

PAUSE_S = 5.0


class SweepTrial(Trainable):
    """Trains one suggestion, a reported epoch for each step.

    A trial that was interrupted continues from its files in the sweep's folder. Tune's own
    checkpoints are not used: what is in the folder is always at least as new. One worker runs
    trial after trial, as starting a worker costs more than many an epoch.

    What goes wrong is a report, too, and the last (``core.failures``): of an error that is raised
    Tune would keep a pickle in the sweep's folder. A trial begins with its first step, so that
    nothing can go wrong before Tune counts it as running.
    """

    def setup(
        self,
        config: dict[str, Any],
        sweep: SweepConfig,
        folder: SweepFolder,
        pool: Sequence[ActorHandle],
        staging: Staging,
    ) -> None:
        """Begin a worker's first trial.

        Args:
            config: The fields of a ``Suggestion``.
            sweep: The sweep's settings.
            folder: The folder of the sweep, on a file system that all nodes see, or in a bucket.
            pool: The evaluators.
            staging: How to get the store.

        """
        limit_torch(sweep.cluster.trial)
        self.sweep, self.pool, self.staging = sweep, pool, staging
        self.folder = folder
        self.suggestion = Suggestion.from_tune(config)
        self.run: Run | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial of this worker; the one before may have been stopped."""
        self._close()
        self.suggestion = Suggestion.from_tune(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Go on until the next epoch is reported; the last is when all is scored that is to be."""
        try:
            return self._report()
        except Exception as error:
            failure, objective = failure_of(_cause(error)), self.sweep.search.objective
            if failure.kind == "raised":
                with suppress(OSError, WorkError):  # the reason is what counts
                    self.folder.write_error(self.suggestion.trial, traceback.format_exc())
            if failure.kind == "surroundings":
                time.sleep(PAUSE_S)  # they may be back before the next try
            return {**failure.to_result(), objective: math.nan, "done": True}

    def _report(self) -> dict[str, Any]:
        if self.run is None:
            self.run, self.records = self._begun(self.suggestion)
        run = self.run
        record = next(self.records)
        over = run.over()
        completed = run.complete() if over else []
        metrics, objective = run.history[record.epoch - 1].metrics, self.sweep.search.objective
        return {
            "epoch": record.epoch,
            "done": over,
            "completed": completed,
            objective: value_of(metrics, objective),  # Tune asks for it; NaN: the epoch lacks it
            **metrics,
        }

    def cleanup(self) -> None:
        """Cancel what is under evaluation; free the model and its optimizer."""
        self._close()

    def _close(self) -> None:
        pass_on(None)
        if self.run is not None:
            self.run.close()
            self.run, self.records = None, iter(())
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _begun(self, suggestion: Suggestion) -> tuple[Run, Iterator[EpochRecord]]:
        """The trial where it left off, and what it is to report."""
        pass_on(lambda at: self.pool[0].hear.remote(suggestion.trial, at))
        trial_config = self.sweep.trial(suggestion.params)
        store = self.staging.open()
        slices = validation_slices(store, trial_config.data.validation)
        self.folder.take_up(suggestion.trial)
        history = self.folder.epochs(suggestion.trial)

        def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
            part = run.screening
            scored = slices if record.scores or part is None else slices.at(part.slices)
            self.folder.write_epoch(record, predictions, scored)

        run = Run(
            trial_config,
            store,
            self.folder.checkpoints(suggestion.trial),
            evaluator=RemoteEvaluator(self.pool, trial_config.stress),
            report=report,
            history=history,
            trial=suggestion.trial,
            waits_after=self.sweep.search.waits_after(self.sweep.train.epochs),
            keeps_all=self.sweep.keep.keeps_all,
        )
        # The last epoch is said again: it may have been written without Tune hearing of it, and
        # it may be the last of all.
        return run, chain(history[-1:], run.epochs())


def _cause(error: Exception) -> Exception:
    """What an evaluator raised, or the trial itself."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, Exception):
        return error.cause
    if isinstance(error, RayError):
        return WorkError("an evaluator was lost", told(error), "look at its node")
    return error

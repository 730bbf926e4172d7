"""One trial as Tune runs it: ``fit`` with remote evaluators, every epoch kept and reported."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from ray.actor import ActorHandle
from ray.tune import Trainable

from sweep.cluster.pool import RemoteEvaluator, limit_torch
from sweep.cluster.staging import Staging
from sweep.config.sweep import SweepConfig
from sweep.core.objective import value_of
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.fit import Run
from sweep.results.folder import SweepFolder
from sweep.results.tables import validation_slices
from sweep.search.study import Suggestion


class SweepTrial(Trainable):
    """Trains one suggestion, a reported epoch for each step.

    A trial that was interrupted continues from its files in the sweep's folder. Tune's own
    checkpoints are not used: what is in the folder is always at least as new. One worker runs
    trial after trial, as starting a worker costs more than many an epoch.
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
        self._begin(Suggestion.from_tune(config))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial of this worker; the one before may have been stopped."""
        self.run.close()
        self._begin(Suggestion.from_tune(new_config))
        return True

    def step(self) -> dict[str, Any]:
        """Go on until the next epoch is reported; the last is when all is scored that is to be."""
        record = next(self.records)
        over = self.run.over()
        completed = self.run.complete() if over else []
        metrics, objective = self.run.history[record.epoch - 1].metrics, self.sweep.search.objective
        return {
            "epoch": record.epoch,
            "done": over,
            "completed": completed,
            objective: value_of(metrics, objective),  # Tune asks for it; NaN: the epoch lacks it
            **metrics,
        }

    def cleanup(self) -> None:
        """Cancel what is under evaluation; free the model and its optimizer."""
        self.run.close()
        del self.records, self.run
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _begin(self, suggestion: Suggestion) -> None:
        trial_config = self.sweep.trial(suggestion.params)
        store = self.staging.open()
        slices = validation_slices(store, trial_config.data.validation)
        self.folder.take_up(suggestion.trial)
        history = self.folder.epochs(suggestion.trial)

        def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
            part = self.run.screening
            scored = slices if record.scores or part is None else slices.at(part.slices)
            self.folder.write_epoch(record, predictions, scored)

        self.run = Run(
            trial_config,
            store,
            self.folder.checkpoints(suggestion.trial),
            evaluator=RemoteEvaluator(self.pool, trial_config.stress),
            report=report,
            history=history,
            trial=suggestion.trial,
            waits_after=self.sweep.search.waits_after(self.sweep.train.epochs),
        )
        # The last epoch is said again: it may have been written without Tune hearing of it, and
        # it may be the last of all.
        self.records = chain(history[-1:], self.run.epochs())

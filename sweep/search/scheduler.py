"""Early stopping that is fair between norms, and that a restart does not make forget."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from sweep.core.records import EpochRecord, is_missing
from sweep.search.study import Suggestion


class StratifiedASHA(FIFOScheduler):
    """ASHA (Li et al., arXiv 1810.05934) with rungs of their own for each stratum.

    Norms learn at different speeds; a norm that starts slowly would lose its trials to one that
    starts fast before either has shown what it can do. Within a stratum this is Tune's ASHA.

    Rungs are keyed by the sweep's own trial keys, so that those of an interrupted sweep can be
    filled again from its records (``replay``).

    Args:
        objective: The metric to maximise.
        epochs: After which a trial ends by itself.
        grace_epochs: No trial is stopped before.
        reduction: The factor by which trials become fewer from rung to rung.

    """

    def __init__(self, objective: str, epochs: int, grace_epochs: int, reduction: float) -> None:
        super().__init__()
        self.objective = objective
        self.epochs = epochs
        self.options = {
            "time_attr": "epoch",
            "metric": "objective",
            "mode": "max",
            "max_t": epochs,
            "grace_period": min(grace_epochs, epochs),
            "reduction_factor": reduction,
            "stop_last_trials": False,
        }
        self.strata: dict[str, AsyncHyperBandScheduler] = {}
        self.known: set[str] = set()
        self.ended_early: set[str] = set()

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Metric and mode are set already, and are those of the sweep."""
        return True

    def stopped(self, trial: str) -> bool:
        """Whether this scheduler ended the trial."""
        return trial in self.ended_early

    def observe(self, trial: str, stratum: str, epoch: int, objective: float) -> str:
        """Take one report and decide.

        A missing objective enters no rung (the trial ends by itself), nor does the last epoch.
        """
        if trial in self.ended_early:
            return str(TrialScheduler.STOP)
        if epoch >= self.epochs or is_missing(objective):
            return str(TrialScheduler.CONTINUE)
        asha = self.strata.setdefault(stratum, AsyncHyperBandScheduler(**self.options))
        stand_in = SimpleNamespace(trial_id=trial)
        if trial not in self.known:
            self.known.add(trial)
            asha.on_trial_add(None, stand_in)
        report = {"epoch": epoch, "objective": objective}
        decision = str(asha.on_trial_result(None, stand_in, report))
        if decision == TrialScheduler.STOP:
            self.ended_early.add(trial)
        return decision

    def replay(self, records: Iterable[tuple[str, EpochRecord]]) -> None:
        """Fill the rungs with the reports of earlier runs of the driver.

        Args:
            records: (stratum, epoch) in any order; they count in the order of their evaluation.

        """
        for stratum, record in sorted(records, key=lambda item: item[1].evaluated_at_ms):
            self.observe(record.trial, stratum, record.epoch, record.metrics[self.objective])

    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        """Decide on a report as it comes from Tune."""
        suggestion = Suggestion.from_tune(trial.config)
        return self.observe(
            suggestion.trial, suggestion.stratum, result["epoch"], result[self.objective]
        )

"""Early stopping that is fair between norms, and that a restart does not make forget."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from sweep.core.records import EpochRecord, is_missing
from sweep.search.order import Values
from sweep.search.stopping.base import StoppingRule
from sweep.search.study import Suggestion


class StratifiedScheduler(FIFOScheduler):
    """One rule of early stopping for each stratum, as Tune's scheduler.

    Norms learn at different speeds; a norm that starts slowly would lose its trials to one that
    starts fast before either has shown what it can do.

    Rules know trials by the sweep's own numbers, so that those of an interrupted sweep can be
    filled again from its records (``replay``).

    Args:
        new_rule: Makes the rule of a stratum.
        values_of: (epoch, metrics of its report) -> what is compared at that epoch, each to be
            maximised, one value for each objective; any NaN: nothing is.
        last_epoch: The searched values of a trial -> its last epoch, where it ends by itself.

    """

    def __init__(
        self,
        new_rule: Callable[[], StoppingRule],
        values_of: Callable[[int, Mapping[str, float]], Values],
        last_epoch: Callable[[Mapping[str, Any]], int],
    ) -> None:
        super().__init__()
        self.new_rule, self.values_of, self.last_epoch = new_rule, values_of, last_epoch
        self.strata: dict[str, StoppingRule] = {}
        self.ended_early: set[str] = set()

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """What is compared is set already."""
        return True

    def stopped(self, trial: str) -> bool:
        """Whether this scheduler ended the trial."""
        return trial in self.ended_early

    def observe(self, suggestion: Suggestion, epoch: int, metrics: Mapping[str, float]) -> str:
        """Take one report and decide.

        No rule is shown the last epoch of a trial, nor a report that lacks a value (such a trial
        ends by itself).
        """
        if suggestion.trial in self.ended_early:
            return str(TrialScheduler.STOP)
        values = self.values_of(epoch, metrics)
        if epoch >= self.last_epoch(suggestion.params) or any(map(is_missing, values)):
            return str(TrialScheduler.CONTINUE)
        if suggestion.stratum not in self.strata:
            self.strata[suggestion.stratum] = self.new_rule()
        if not self.strata[suggestion.stratum].stops(suggestion.number, epoch, values):
            return str(TrialScheduler.CONTINUE)
        self.ended_early.add(suggestion.trial)
        return str(TrialScheduler.STOP)

    def replay(self, reports: Iterable[tuple[Suggestion, EpochRecord]]) -> None:
        """Fill the rules with the reports of earlier runs of the driver.

        Args:
            reports: In any order; they count in the order of their evaluation.

        """
        ordered = sorted(reports, key=lambda item: item[1].evaluated_at_ms)
        last = {record.trial: record.epoch for _, record in ordered}
        for suggestion, record in ordered:
            self.observe(suggestion, record.epoch, record.metrics)
            if record.epoch < last[record.trial]:
                self.ended_early.discard(record.trial)  # it went on, whichever report came first

    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        """Decide on a report as it comes from Tune."""
        return self.observe(Suggestion.from_tune(trial.config), result["epoch"], result)

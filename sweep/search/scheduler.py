"""Early stopping that is fair between norms, and that a restart does not make forget."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, Self

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from sweep.config.search import SearchSettings, epochs_of
from sweep.core.records import EpochRecord, is_missing
from sweep.search.fidelity import Fidelity
from sweep.search.order import Values
from sweep.search.stopping.base import StoppingRule
from sweep.search.stopping.rules import make_rule
from sweep.search.stopping.topk import TopK
from sweep.search.study import Suggestion


class Waiting(NamedTuple):
    """A trial that has stopped until it is known whether it goes on, and its last epoch."""

    suggestion: Suggestion
    epoch: int


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
        self.waiting: dict[str, Waiting] = {}

    @classmethod
    def of(cls, search: SearchSettings, epochs: int) -> Self | None:
        """That of a search; None where nothing is stopped early.

        Args:
            search: The search.
            epochs: ``train.epochs`` as set.

        """
        if search.scheduler == "none":
            return None
        fidelity = Fidelity(search, epochs)
        return cls(
            new_rule=lambda: make_rule(search, epochs),
            values_of=lambda epoch, metrics: search.compared(fidelity(epoch, metrics)),
            last_epoch=lambda params: epochs_of(params, epochs),
        )

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """What is compared is set already."""
        return True

    def stopped(self, trial: str) -> bool:
        """Whether this scheduler ended the trial."""
        return trial in self.ended_early

    def waits(self, trial: str) -> bool:
        """Whether a trial has stopped until others have come as far, see ``choose``."""
        return trial in self.waiting

    def is_to_be_compared(self, suggestion: Suggestion) -> bool:
        """Whether a trial has yet to come to where it may have to wait."""
        rule = self.strata.get(suggestion.stratum)
        if rule is None:
            rule = self.strata[suggestion.stratum] = self.new_rule()
        return isinstance(rule, TopK) and suggestion.number not in rule.reached

    def choose(self) -> tuple[list[Waiting], list[Waiting]]:
        """End the waiting, as all trials have come as far: those that go on, and those that do not.

        Both are in the order of their numbers.
        """
        numbers: set[int] = set()
        for rule in self.strata.values():
            if isinstance(rule, TopK):
                numbers |= rule.choose()
        ordered = sorted(self.waiting.values(), key=lambda one: one.suggestion.number)
        self.waiting.clear()
        going_on = [one for one in ordered if one.suggestion.number in numbers]
        left_out = [one for one in ordered if one.suggestion.number not in numbers]
        self.ended_early.update(one.suggestion.trial for one in left_out)
        return going_on, left_out

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
        rule = self.strata[suggestion.stratum]
        if not rule.stops(suggestion.number, epoch, values):
            return str(TrialScheduler.CONTINUE)
        if isinstance(rule, TopK):
            self.waiting[suggestion.trial] = Waiting(suggestion, epoch)
        else:
            self.ended_early.add(suggestion.trial)
        return str(TrialScheduler.STOP)

    def replay(
        self, reports: Iterable[tuple[Suggestion, EpochRecord]], ended: Collection[str] = ()
    ) -> None:
        """Fill the rules with the reports of earlier runs of the driver.

        Args:
            reports: In the order in which they count.
            ended: The names of the trials that have ended; none of them waits.

        """
        ordered = list(reports)
        last: dict[str, int] = {}
        for _, record in ordered:
            last[record.trial] = max(record.epoch, last.get(record.trial, 0))
        for suggestion, record in ordered:
            self.observe(suggestion, record.epoch, record.metrics)
            if record.epoch < last[record.trial]:
                self.ended_early.discard(record.trial)  # it went on, whichever report came first
                self.waiting.pop(record.trial, None)
        for trial in ended:
            self.waiting.pop(trial, None)

    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        """Decide on a report as it comes from Tune."""
        return self.observe(Suggestion.from_tune(trial.config), result["epoch"], result)

"""Where Optuna meets Tune: a searcher over the sweep's own study.

Ray's own wrapper leaves a trial RUNNING for ever when its objective is NaN or missing, tells an
early-stopped trial as COMPLETE with an immature value, and orphans trials in a crash. Here each
trial ends as COMPLETE (with its best epoch's objectives), PRUNED or FAIL, and a trial that was
interrupted goes on under its old number.

A trial that diverged, so that its objective was missing in every epoch, is PRUNED without a report:
nothing is to be found there. So is, with its reports, one that has no score but of screenings.
FAIL, for dead workers and bugs, says nothing of the values; samplers pass it over, and would come
back to where trials diverge.

A trial that failed is in doubt until the driver says whether it is tried again (``again``), which
is another trial to Tune, or has come to its end (``fails``).
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from optuna.trial import TrialState
from ray.tune.search import Searcher

from sweep.core.failures import Failure
from sweep.core.records import is_missing
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.study import Study, Suggestion


class StudySearcher(Searcher):
    """Hands unfinished trials out first, then new ones up to a total, then those that waited.

    Where the scheduler has trials wait for others (``topk``), such a trial has not ended, in the
    study no more than in the folder. When all have come as far, those that go on are handed out a
    second time, and the others end.

    Args:
        study: The study of the sweep.
        objective: The metric to maximise.
        total: The total of trials, those of earlier runs of the driver included.
        scheduler: Asked whether it was the one to end a trial; None: nothing is stopped early.
        best_metrics: The metrics of a trial's best epoch, which the trial log decides; empty where
            its objective was missing in every epoch.
        fidelity: Which scores of an epoch are told.
        leave_out: Told of each trial that waited and does not go on, once the study has ended it.
        changed: The searched values of a trial as it is trained, where a try changed them.

    """

    def __init__(
        self,
        study: Study,
        objective: str,
        total: int,
        scheduler: StratifiedScheduler | None,
        best_metrics: Callable[[str], Mapping[str, float]],
        fidelity: Fidelity,
        leave_out: Callable[[str], None] = lambda trial: None,
        changed: Callable[[str], Mapping[str, Any]] = lambda trial: {},
    ) -> None:
        super().__init__(metric=objective, mode="max")
        self.study = study
        self.scheduler = scheduler
        self.best_metrics = best_metrics
        self.fidelity = fidelity
        self.leave_out, self.changed = leave_out, changed
        unfinished = map(study.suggestion, study.unfinished())
        self.unfinished = deque(one for one in unfinished if not self._waits(one.trial))
        self.going_on: deque[Suggestion] = deque()
        self.coming: set[str] = set()  # that run, and may have to wait
        self.new = max(0, total - study.asked())
        self.running: dict[str, Suggestion] = {}
        self.epochs: dict[str, int] = {}
        self.in_doubt: dict[str, tuple[Suggestion, int]] = {}  # by name, with their last epochs

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its searcher to restore it, and a resume builds it anew."""
        return {}

    @property
    def remaining(self) -> bool:
        """Whether a trial is still to be handed out."""
        waiting = len(self.scheduler.waiting) if self.scheduler else 0
        return bool(self.unfinished or self.new or waiting)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next configuration, the fields of a ``Suggestion``; None: not before others end."""
        if self.unfinished:
            suggestion = self.unfinished.popleft()
        elif self.new:
            self.new -= 1
            suggestion = self.study.ask()
        elif self.coming:
            return None  # each of them may yet be among those that go on
        else:
            self._choose()
            if not self.going_on:  # what runs may yet fail, and be tried again
                return None if self.running else str(Searcher.FINISHED)
            suggestion = self.going_on.popleft()
        params = {**suggestion.params, **self.changed(suggestion.trial)}
        suggestion = suggestion._replace(params=params)
        self.running[trial_id] = suggestion
        if self.scheduler is not None and self.scheduler.is_to_be_compared(suggestion):
            self.coming.add(trial_id)
        return suggestion.to_tune()

    def _choose(self) -> None:
        """Once all that wait have been compared, end those that do not go on."""
        if self.scheduler is None or not self.scheduler.waiting:
            return
        going_on, left_out = self.scheduler.choose()
        self.going_on.extend(one.suggestion for one in going_on)
        for suggestion, epoch in left_out:
            metrics = self.best_metrics(suggestion.trial)
            self.study.tell(suggestion.number, TrialState.PRUNED, metrics, epoch)
            self.leave_out(suggestion.trial)

    def _waits(self, trial: str) -> bool:
        return self.scheduler is not None and self.scheduler.waits(trial)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Record what is maximised of one epoch; what is missing is recorded nowhere."""
        self.epochs[trial_id] = result["epoch"]
        values = self.study.settings.values(self.fidelity(result["epoch"], result))
        if not any(map(is_missing, values)):
            self.study.report(self.running[trial_id].number, result["epoch"], *values)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """End the trial in the study.

        The last result comes here only: Tune does not report a result that ends its trial.
        """
        failed = error or Failure.of_result(result) is not None
        if result and "epoch" in result and not failed:
            self.on_trial_result(trial_id, result)
        suggestion, epochs = self.running.pop(trial_id), self.epochs.pop(trial_id, 0)
        self.coming.discard(trial_id)
        if failed:
            self.in_doubt[suggestion.trial] = suggestion, epochs
            return
        if self._waits(suggestion.trial):
            return
        metrics = self.best_metrics(suggestion.trial)
        stopped = self.scheduler is not None and self.scheduler.stopped(suggestion.trial)
        lacking = any(map(is_missing, self.study.settings.values(metrics)))
        state = TrialState.PRUNED if stopped or lacking else TrialState.COMPLETE
        self.study.tell(suggestion.number, state, metrics, epochs)

    def again(self, trial: str) -> None:
        """Hand a trial out again that failed, before any other."""
        suggestion, _ = self.in_doubt.pop(trial)
        self.unfinished.appendleft(suggestion)

    def fails(self, trial: str) -> None:
        """End a trial that failed."""
        suggestion, epochs = self.in_doubt.pop(trial)
        metrics = self.best_metrics(trial)
        self.study.tell(suggestion.number, TrialState.FAIL, metrics, epochs)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal holds every answer already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

"""What Tune's driver sees, told to the chronicle."""

from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from sweep.config.sweep import SweepConfig
from sweep.results.trials import Chronicle
from sweep.search.scheduler import StratifiedASHA
from sweep.search.study import Suggestion


class Watch(Callback):
    """Translates Tune's events.

    Args:
        chronicle: that is told.
        config: of the sweep.
        scheduler: asked whether it ended a trial; None: nothing is stopped early.

    """

    def __init__(
        self, chronicle: Chronicle, config: SweepConfig, scheduler: StratifiedASHA | None
    ) -> None:
        self.chronicle = chronicle
        self.config = config
        self.scheduler = scheduler

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks to restore them, and a resume builds them anew."""
        return {}

    def on_trial_start(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial's worker is up, for the first time or again."""
        suggestion = Suggestion(**trial.config)
        recipe = self.config.recipe(suggestion.params)
        self.chronicle.began(
            suggestion.trial, suggestion.number, suggestion.params, recipe.model.norm, recipe.seed
        )

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """An epoch is reported."""
        self.chronicle.reported(Suggestion(**trial.config).trial, result["epoch"])

    def on_trial_complete(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial ended by itself or was stopped."""
        key = Suggestion(**trial.config).trial
        pruned = self.scheduler is not None and self.scheduler.stopped(key)
        self.chronicle.ended(key, "pruned" if pruned else "finished")

    def on_trial_error(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial failed for good, after all its retries."""
        self.chronicle.ended(Suggestion(**trial.config).trial, "failed", _cause(trial))


def _cause(trial: Trial) -> str:
    """The innermost error of a failed trial, on one line."""
    error = trial.get_pickled_error() or trial.get_error()
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "its worker died"

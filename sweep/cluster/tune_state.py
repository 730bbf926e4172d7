"""What Tune keeps of trials, in memory and on disk, and nobody reads: it is forgotten.

A sweep is resumed from its own folder. Tune keeps statistics of every number that a trial has
reported, hundreds of kilobytes for each trial, and writes all of it to disk again and again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from sweep.results.keeper import clear_tune


class Forgetting(Callback):
    """Lets go of what Tune knows of trials that have ended; to be the last of the callbacks."""

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks to restore them, and a resume builds them anew."""
        return {}

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial ended by itself or was stopped."""
        _forget(trial)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial failed for good."""
        _forget(trial)


@contextmanager
def cleared(folder: Path) -> Iterator[None]:
    """Remove what Tune leaves in its folder, before, of runs that were killed, and after."""
    clear_tune(folder)
    try:
        yield
    finally:
        clear_tune(folder)


def _forget(trial: Trial) -> None:
    known = trial.run_metadata
    known.metric_analysis, known.metric_n_steps = {}, {}
    known.last_result = {"done": True}  # of an empty one, Tune would ask the worker again

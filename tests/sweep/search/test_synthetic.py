"""What the samplers find where the best is known, within bounds; nothing is trained.

``benchmarks/search_synthetic.py`` has the long form, with every sampler.
"""

import statistics
from typing import Any

import pytest
from optuna.trial import TrialState

from benchmarks.landscapes import DIFFERENT, Landscape, Trial, diverging, regret, search
from sweep.config.search import SearchSettings

PRUNED = TrialState.PRUNED


def settings(landscape: Landscape, trials: int, **changes: Any) -> SearchSettings:
    return SearchSettings(trials=trials, space=landscape.space(), **changes)


def regrets(trials: int, seeds: int, **changes: Any) -> float:
    found = settings(DIFFERENT, trials, **changes)
    return statistics.fmean(
        regret(DIFFERENT, search(DIFFERENT, found, seed, PRUNED)) for seed in range(seeds)
    )


def test_few_trials_are_worth_more_than_random_ones() -> None:
    """Four for each of three norms: regrets of .040 and .062 are known from elsewhere."""
    even, chance = regrets(12, 12), regrets(12, 12, sampler="random")
    assert even < 0.05
    assert even < 0.75 * chance


def test_every_norm_is_tuned_at_its_own_rate() -> None:
    """Twenty trials for each of three norms; one study with norms in turns has .020 elsewhere."""
    assert regrets(60, 5, scheduler="asha") < 0.016


def test_a_gaussian_process_is_better_where_nothing_is_stopped() -> None:
    assert regrets(30, 1, scheduler="none") < 0.014


def later(best: float, trials: int, seed: int, told: TrialState, **changes: Any) -> float:
    """The share that diverges of the trials from the 16th on."""
    landscape = diverging(best)
    tried: list[Trial] = search(landscape, settings(landscape, trials, **changes), seed, told)
    after = tried[15:]
    return sum(trial.score is None for trial in after) / len(after)


@pytest.mark.parametrize("best", [3e-4, 2e-3])
def test_the_search_does_not_come_back_to_where_trials_diverge(best: float) -> None:
    learns = {"scheduler": "asha"}
    shares = [later(best, 40, seed, PRUNED, **learns) for seed in range(4)]
    failed = [later(best, 40, seed, TrialState.FAIL, **learns) for seed in range(4)]
    assert statistics.fmean(shares) < 0.4
    assert statistics.fmean(shares) < 0.5 * statistics.fmean(failed)


def test_nor_does_the_gaussian_process() -> None:
    assert later(3e-4, 22, 0, PRUNED, scheduler="none") <= 0.3

"""The best of so many trials, against all ways to draw them."""

from itertools import product

import numpy as np
import pytest

from sweep.stats.budget import expected_best

SCORES = [0.7, 0.9, 0.8, 0.8]


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("higher", [True, False])
def test_it_is_the_mean_over_all_ways_to_draw(missing: int, higher: bool) -> None:
    scores = [*SCORES[missing:], *[np.nan] * missing]
    found = expected_best(scores, higher)
    best = np.nanmax if higher else np.nanmin
    for at, trials in enumerate(found.trials):
        drawn = [row for row in product(scores, repeat=trials) if not np.isnan(row).all()]
        values = np.array([best(row) for row in drawn])
        assert found.mean[at] == pytest.approx(values.mean())
        assert found.sd[at] == pytest.approx(values.std(), abs=1e-9)
        low, high = np.quantile(values, (0.05, 0.95), method="inverted_cdf")
        assert (found.low[at], found.high[at]) == pytest.approx((low, high))


def test_more_trials_are_never_worse_and_stay_within_what_was_seen() -> None:
    scores = np.random.default_rng(0).normal(0.8, 0.05, 60)
    found = expected_best(scores)
    assert found.mean[0] == pytest.approx(scores.mean())
    assert found.sd[0] == pytest.approx(scores.std())
    assert (np.diff(found.mean) > 0).all()
    assert found.mean[-1] < scores.max()
    assert (found.low <= found.mean).all()
    assert (found.high >= found.mean).all()
    assert found.trials.tolist() == list(range(1, 61))


def test_without_a_score_nothing_is_expected() -> None:
    assert np.isnan(expected_best([np.nan, np.nan]).mean).all()
    assert len(expected_best([]).mean) == 0

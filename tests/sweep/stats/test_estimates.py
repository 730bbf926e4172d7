"""Estimates over patients: against brute force and a reference, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from sweep.metrics.functions import auroc, balanced_accuracy, brier
from sweep.stats.clustered import AT_A_TIME, estimate, wins
from sweep.stats.estimate import mean, numbered, resampled_patients, weighted
from sweep.stats.interval import degrees_of_freedom, interval, p_value, standard_error

SEEDS = st.integers(0, 10_000)


def drawn(seed: int, patients: int = 12, most: int = 6, steps: int = 8):
    """Scores with ties, patients of unequal size, some of whom have one class alone."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, most + 1, patients)
    of = generator.permutation(np.repeat(np.arange(patients), sizes))
    truth = generator.random(len(of)) < generator.choice([0, 0.3, 1], patients)[of]
    truth[:2] = True, False
    return generator.integers(0, steps, len(of)) / steps, truth, of


@given(SEEDS)
def test_wins_are_those_of_every_pair_of_slices(seed: int) -> None:
    scores, truth, of = drawn(seed)
    expected = np.zeros((12, 12))
    for i in np.flatnonzero(truth):
        for k in np.flatnonzero(~truth):
            won = float(scores[i] > scores[k]) + float(scores[i] == scores[k]) / 2
            expected[of[i], of[k]] += won
    np.testing.assert_array_equal(wins(scores, truth, of, 12), expected)


def test_more_patients_than_are_counted_at_a_time() -> None:
    patients = 2 * AT_A_TIME + 5
    scores, truth, of = drawn(3, patients=patients)
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    ahead = scores[positive][:, None] - scores[negative]
    expected = np.zeros((patients, patients))
    np.add.at(expected, (of[positive][:, None], of[negative]), (1 + np.sign(ahead)) / 2)
    np.testing.assert_array_equal(wins(scores, truth, of, patients), expected)


@settings(deadline=None)
@given(SEEDS)
def test_every_resample_is_the_reference_s_weighted_auroc(seed: int) -> None:
    scores, truth, of = drawn(seed)
    weights = resampled_patients(12, 20, seed)
    found = estimate(auroc, scores, truth, of, weights)
    assert found.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    for row, value in zip(weights, found.draws, strict=True):
        kept = row[of] > 0
        if len(np.unique(truth[kept])) < 2:
            assert np.isnan(value)
        else:
            expected = roc_auc_score(truth, scores, sample_weight=row[of])
            assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("function", [auroc, brier])
def test_the_influence_is_what_the_score_loses_without_a_patient(function) -> None:
    scores, truth, of = drawn(4)
    found = estimate(function, scores, truth, of, np.ones((1, 12)))
    without = np.array([function(scores[of != j], truth[of != j])[0] for j in range(12)])
    np.testing.assert_allclose(found.influence, 11 / 12 * (without.mean() - without), atol=1e-12)
    squares = ((without - without.mean()) ** 2).sum()
    assert standard_error(found) == pytest.approx(math.sqrt(11 / 12 * squares))


def test_of_many_patients_the_influence_is_the_slope_in_a_patient_s_weight() -> None:
    """As it is to first order: Obuchowski, Biometrics 1997."""
    scores, truth, of = drawn(4, patients=400)
    found = estimate(auroc, scores, truth, of, np.ones((1, 400)))
    step = 1e-6
    for patient in range(0, 400, 40):
        weights = np.ones((1, 400))
        weights[0, patient] += step
        (moved,) = estimate(auroc, scores, truth, of, weights).draws
        slope = (moved - found.value) / step
        assert found.influence[patient] == pytest.approx(slope, abs=1e-4)


@given(SEEDS)
def test_a_metric_of_the_table_is_that_of_weighted_slices(seed: int) -> None:
    scores, truth, of = drawn(seed)
    weights = resampled_patients(12, 15, seed)
    for function in (balanced_accuracy, brier):
        found = estimate(function, scores - 0.4, truth, of, weights)
        expected = function(scores - 0.4, truth, weights[:, of])
        np.testing.assert_allclose(found.draws, expected, atol=1e-12)
        assert found.influence.sum() == pytest.approx(0, abs=1e-9)


@given(SEEDS)
def test_the_order_of_slices_does_not_matter(seed: int) -> None:
    scores, truth, of = drawn(seed)
    weights = resampled_patients(12, 30, 0)
    order = np.random.default_rng(seed).permutation(len(of))
    one = estimate(auroc, scores, truth, of, weights)
    other = estimate(auroc, scores[order], truth[order], of[order], weights)
    np.testing.assert_allclose(one.draws, other.draws, atol=1e-12)
    np.testing.assert_allclose(one.influence, other.influence, atol=1e-12)


def test_resamples_are_keyed_and_of_whole_patients() -> None:
    one, again, other = (resampled_patients(9, 50, seed) for seed in (3, 3, 4))
    assert (one == again).all()
    assert (one != other).any()
    assert (one.sum(axis=1) == 9).all()
    count, of = numbered(["b", "a", "b", "c"])
    assert (count, of.tolist()) == (3, [1, 0, 1, 2])


def test_a_model_does_not_differ_from_itself() -> None:
    scores, truth, of = drawn(1)
    one = estimate(auroc, scores, truth, of, resampled_patients(12))
    nothing = one - one
    assert (nothing.value, set(nothing.draws)) == (0, {0})
    assert interval(nothing)[:2] == (0, 0)
    assert p_value(nothing) == 1


def test_sums_of_estimates_are_those_of_their_values() -> None:
    weights = resampled_patients(12, 40)
    scores, truth, of = drawn(2)
    parts = [estimate(auroc, scores + shift * truth, truth, of, weights) for shift in (0, 0.1, 0.4)]
    average = mean(parts)
    assert average.value == pytest.approx(np.mean([part.value for part in parts]))
    np.testing.assert_allclose(average.draws, np.mean([part.draws for part in parts], axis=0))
    broken = estimate(auroc, scores * np.nan, truth, of, weights)
    assert math.isnan(mean([*parts, broken]).value), "a missing part is not filled"
    assert weighted([parts[0], broken], [1, 0]).value == parts[0].value


def test_the_degrees_of_freedom_are_fewer_where_one_patient_decides() -> None:
    assert degrees_of_freedom(np.array([1.0, -1.0] * 20)) == math.inf
    normal = np.random.default_rng(0).normal(0, 1, 4000)
    # Kurtosis 3 of a normal distribution: 2 P / 2.
    assert degrees_of_freedom(normal) == pytest.approx(4000, rel=0.1)
    assert 2 <= degrees_of_freedom(np.array([5.0, *[-0.1] * 50])) < 2.2
    assert math.isnan(degrees_of_freedom(np.zeros(5)))


def test_of_many_patients_alike_the_interval_is_the_percentile_one() -> None:
    scores, truth, of = drawn(5, patients=2000, most=1, steps=1000)
    found = estimate(auroc, scores, truth, of, resampled_patients(2000, 4000))
    low, high, _ = interval(found)
    expected = np.quantile(found.draws, (0.025, 0.975))
    assert [low, high] == pytest.approx(expected, abs=1e-3)
    spread = (high - low) / 2 / t.ppf(0.975, 2000)
    assert standard_error(found) == pytest.approx(spread, rel=0.05)
    narrow = interval(found, 0.9)
    assert low < narrow.low < narrow.high < high


def test_few_patients_widen_it() -> None:
    scores, truth, of = drawn(6, patients=30)
    found = estimate(auroc, scores, truth, of, resampled_patients(30))
    low, high, df = interval(found)
    plain = np.nanquantile(found.draws, (0.025, 0.975))
    assert low < plain[0]
    assert high > plain[1]
    assert df < 100


@pytest.mark.parametrize("case", ["one class", "no number", "rare", "one patient"])
def test_what_nothing_can_be_said_of_has_no_interval(case: str) -> None:
    scores, truth, of = drawn(7)
    if case == "one class":
        truth[:] = True
    if case == "no number":
        scores[0] = np.nan
    if case == "rare":
        truth[:] = False
        truth[np.flatnonzero(of == 0)] = True
    if case == "one patient":
        of[:] = 0
    weights = resampled_patients(1 if case == "one patient" else 12)
    found = interval(estimate(auroc, scores, truth, of, weights))
    assert math.isnan(found.low)
    assert math.isnan(found.high)

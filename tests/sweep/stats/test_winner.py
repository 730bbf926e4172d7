"""What a choice is worth: nothing is lost where there was none, and luck is taken off."""

import numpy as np
import pytest

from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics import metrics
from sweep.metrics.functions import auroc
from sweep.stats.clustered import estimate
from sweep.stats.estimate import resampled_patients
from sweep.stats.winner import Candidate, candidate_of, left_out, optimism, weights_of


def candidate(group: str, value: np.ndarray, draws: np.ndarray) -> Candidate:
    return Candidate(group, value, draws.astype(np.float32), draws.astype(np.float32))


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("clean", [1, 0, 0, 0, 0]),
        ("mean", [0, 0.25, 0.25, 0.25, 0.25]),
        ("worst", [0, 0, 1, 0, 0]),
        ("cvar", [0, 0, 1, 0, 0]),
    ],
)
def test_the_weights_of_cells(summary: str, expected: list[float]) -> None:
    values = np.array([0.1, 0.9, 0.5, 0.7, 0.8])
    assert weights_of(summary, values).tolist() == expected
    assert weights_of(summary, np.stack([values, values])).tolist() == [expected, expected]


def test_a_choice_of_one_by_its_clean_score_loses_nothing() -> None:
    draws = np.full((50, 3), 0.8)
    found = optimism([candidate("a", np.full(3, 0.8), draws)], "clean")
    assert found[None] == found["a"] == pytest.approx((0.8, 0.8))


def test_of_equal_models_the_winner_s_luck_is_taken_off() -> None:
    """Twelve models that know as much as each other, asked of forty patients."""
    errors = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        of, truth = np.repeat(np.arange(40), 3), np.repeat(np.arange(40) % 2 == 0, 3)
        weights = resampled_patients(40, 200)
        candidates = []
        for _ in range(12):
            parts = [1.19 * truth + generator.normal(0, 1, 120) for _ in range(2)]  # AUROC .80
            inside, outside = (
                np.stack([estimate(auroc, one, truth, of, rows).draws for one in parts], axis=-1)
                for rows in (weights, left_out(weights))
            )
            value = np.array([auroc(one, truth)[0] for one in parts])
            candidates.append(Candidate("a", value, inside, outside))
        found = optimism(candidates, "clean")[None]
        errors.append((found.naive - 0.8, found.corrected - 0.8))
    naive, corrected = np.mean(errors, axis=0)
    assert naive > 0.03
    assert abs(corrected) < 0.012, "half a percent, and what forty studies leave to chance"


def of_patients(seed: int, cells: int) -> Candidate:
    """One model of forty patients that knows as much in every cell: an AUROC of .80."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(40) % 2 == 0, 3)[:, None]
    found = [
        Predictions(cell, (1.19 * truth + generator.normal(0, 1, truth.shape)).astype(np.float32))
        for cell in [CLEAN, *(Cell("noise", level) for level in range(1, cells + 1))]
    ]
    patients = [f"p{at:02}" for at in np.repeat(np.arange(40), 3)]
    weights = resampled_patients(40, 200)
    return candidate_of("a", metrics()["auroc"], found, truth, patients, {}, weights)


def test_a_candidate_has_the_scores_of_its_predictions_with_the_clean_cell_first() -> None:
    generator = np.random.default_rng(0)
    truth = (np.arange(60) % 3 == 0)[:, None] | (np.arange(60) % 5 == 0)[:, None] * [True, False]
    patients = [f"p{at:02}" for at in np.repeat(np.arange(20), 3)]
    cells = [Cell("noise", 1), CLEAN, Cell("noise", 2)]
    found = [Predictions(cell, generator.random((60, 2)).astype(np.float32)) for cell in cells]
    weights = resampled_patients(20, 30)
    one = candidate_of("a", metrics()["auroc"], found, truth, patients, {}, weights)
    for place, item in enumerate((found[1], found[0], found[2])):
        rows = np.repeat(weights, 3, axis=1)
        columns = zip(item.log_odds.T, truth.T, strict=True)
        inside, outside = zip(
            *((auroc(s, t, rows), auroc(s, t, (rows == 0) * 1.0)) for s, t in columns), strict=True
        )
        np.testing.assert_allclose(one.inside[:, place], np.mean(inside, axis=0), atol=1e-6)
        np.testing.assert_allclose(one.outside[:, place], np.mean(outside, axis=0), atol=1e-6)


@pytest.mark.parametrize("summary", ["clean", "mean"])
def test_where_there_was_no_choice_there_is_no_optimism(summary: str) -> None:
    """One trial, one epoch, and cells that are always the same ones."""
    found = [optimism([of_patients(seed, 4)], summary)[None] for seed in range(20)]
    assert np.mean([one.naive - one.corrected for one in found]) == pytest.approx(0, abs=0.003)


def test_cells_that_are_worst_by_chance_make_a_score_too_low_and_its_correction_not() -> None:
    """Of a model that is as good in every cell, its worst quarter is worth what all are."""
    found = [optimism([of_patients(seed, 12)], "cvar")[None] for seed in range(40)]
    naive, corrected = (np.mean([one[at] for one in found]) - 0.8 for at in (0, 1))
    assert naive < -0.03
    assert abs(corrected) < 0.012


def test_groups_are_chosen_in_by_themselves() -> None:
    low, high = np.full((20, 3), 0.6), np.full((20, 3), 0.9)
    found = optimism(
        [candidate("a", low[0], low), candidate("b", high[0], high)],
        "mean",
    )
    assert found["a"].naive == pytest.approx(0.6)
    assert found["b"] == found[None] == pytest.approx((0.9, 0.9))


def test_a_model_with_a_missing_cell_is_never_chosen() -> None:
    broken = np.array([0.99, np.nan, 0.99])
    whole = np.full((20, 3), 0.7)
    found = optimism(
        [candidate("a", broken, np.tile(broken, (20, 1))), candidate("b", whole[0], whole)], "cvar"
    )
    assert "a" not in found
    assert found[None] == pytest.approx((0.7, 0.7))

"""What a choice is worth: nothing is lost where there was none, and luck is taken off."""

import numpy as np
import pytest

from sweep.metrics.functions import auroc
from sweep.stats.clustered import estimate
from sweep.stats.estimate import resampled_patients
from sweep.stats.winner import Candidate, left_out, optimism, weights_of


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

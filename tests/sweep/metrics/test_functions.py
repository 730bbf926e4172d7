"""Scores against a reference library, and the rules on what is missing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from sweep.core.records import CLEAN, Cell, Predictions, Score
from sweep.metrics.functions import auroc, balanced_accuracy
from sweep.metrics.summary import cvar, score, summarize

SIZES = st.integers(4, 60)


def draw(seed: int, size: int, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random(size) < 0.4
    truth[:2] = True, False
    probability = generator.integers(0, steps, size) / steps  # few steps: many ties
    return probability, truth, generator.integers(1, 5, size).astype(float)


@given(st.integers(0, 10_000), SIZES, st.sampled_from([2, 5, 1000]))
def test_auroc_is_the_reference_s_with_ties_and_weights(seed: int, size: int, steps: int) -> None:
    probability, truth, weights = draw(seed, size, steps)
    expected = [
        roc_auc_score(truth, probability),
        roc_auc_score(truth, probability, sample_weight=weights),
    ]
    found = auroc(probability, truth, np.stack([np.ones(size), weights]))
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000), SIZES)
def test_only_the_order_counts_and_negation_mirrors(seed: int, size: int) -> None:
    probability, truth, _ = draw(seed, size, 10)
    value = auroc(probability, truth)
    assert auroc(np.exp(3 * probability), truth) == pytest.approx(value)
    assert auroc(-probability, truth) == pytest.approx(1 - value)


def test_a_whole_number_weight_is_a_repeated_slice() -> None:
    probability, truth, weights = draw(3, 40, 7)
    repeats = weights.astype(int)
    expected = auroc(np.repeat(probability, repeats), np.repeat(truth, repeats))
    assert auroc(probability, truth, weights[None]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("probability", "truth"),
    [
        ([0.1, 0.9], [True, True]),
        ([0.1, 0.9], [False, False]),
        ([0.1, math.nan], [True, False]),
        ([], []),
    ],
)
def test_an_undefined_auroc_is_missing(probability: list[float], truth: list[bool]) -> None:
    assert np.isnan(auroc(np.array(probability), np.array(truth, bool))).all()


def test_cvar_is_the_mean_of_the_worst_quarter() -> None:
    assert cvar(np.array([0.9, 0.2, 0.8, 0.4, 0.7, 0.6, 0.5, 1.0])) == pytest.approx(0.3)
    assert cvar(np.array([0.9, 0.2, 0.8])) == pytest.approx(0.2), "at least one cell"
    assert np.isnan(cvar(np.array([0.9, math.nan, 0.8, 0.7]))), "a missing cell is not filled"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_worst_cvar_mean_are_in_order(values: list[float]) -> None:
    cells = np.array(values)
    assert cells.min() - 1e-12 <= cvar(cells) <= cells.mean() + 1e-12


def scores(**cells: dict[str, float]) -> list[Score]:
    return [
        Score(CLEAN if name == "clean" else Cell(name, 1), label, "auroc", value, 5, 10)
        for name, labels in cells.items()
        for label, value in labels.items()
    ]


def test_the_summary_takes_macro_means_and_leaves_clean_out_of_robust() -> None:
    metrics = summarize(
        scores(
            clean={"a": 1.0, "b": 0.8},
            noise={"a": 0.6, "b": 0.8},
            motion={"a": 0.5, "b": 0.5},
        )
    )
    assert metrics == pytest.approx(
        {
            "clean/auroc": 0.9,
            "clean/auroc_a": 1.0,
            "clean/auroc_b": 0.8,
            "robust/auroc_mean": 0.6,
            "robust/auroc_worst": 0.5,
            "robust/auroc_cvar": 0.5,
        }
    )


def test_a_missing_cell_leaves_every_robust_summary_missing() -> None:
    metrics = summarize(scores(clean={"a": 1.0}, noise={"a": math.nan}, motion={"a": 0.5}))
    assert metrics["clean/auroc"] == 1.0
    assert all(math.isnan(value) for name, value in metrics.items() if name.startswith("robust/"))


def test_scores_say_how_many_slices_stand_behind_them() -> None:
    truth = np.array([[1, 0], [0, 1], [0, 1]], bool)
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], np.float32)
    found = score([Predictions(CLEAN, probability)], truth, ["a", "b"], ["x", "y", "z"])
    assert {(item.label, item.positives, item.slices) for item in found} == {
        ("a", 1, 3),
        ("b", 2, 3),
    }
    assert {item.metric for item in found} == {"auroc", "balanced_accuracy"}
    assert {item.value for item in found} == {1.0}


@given(st.integers(0, 10_000), SIZES)
def test_balanced_accuracy_is_the_reference_s_with_weights(seed: int, size: int) -> None:
    probability, truth, weights = draw(seed, size, 10)
    named = probability > 0.5
    expected = [
        balanced_accuracy_score(truth, named),
        balanced_accuracy_score(truth, named, sample_weight=weights),
    ]
    found = balanced_accuracy(probability, truth, np.stack([np.ones(size), weights]))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("probability", "truth"),
    [([0.1, 0.9], [True, True]), ([0.1, 0.9], [False, False]), ([0.1, math.nan], [True, False])],
)
def test_an_undefined_balanced_accuracy_is_missing(
    probability: list[float], truth: list[bool]
) -> None:
    assert np.isnan(balanced_accuracy(np.array(probability), np.array(truth, bool))).all()


def test_the_worst_cells_of_an_error_are_the_largest() -> None:
    errors = np.array([0.1, 0.8, 0.2, 0.6, 0.3, 0.4, 0.5, 0.0])
    assert cvar(errors, higher_is_better=False) == pytest.approx(0.7)

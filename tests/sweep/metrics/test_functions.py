"""Scores against a reference library, and the rules on what is missing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    recall_score,
    roc_auc_score,
)

from sweep.core.records import CLEAN, Cell, Predictions, Score
from sweep.metrics import metrics
from sweep.metrics.functions import (
    ECE_BINS,
    auroc,
    average_precision,
    balanced_accuracy,
    brier,
    ece,
    sensitivity,
    specificity,
)
from sweep.metrics.summary import by_unit, score, summarize

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


@given(st.integers(0, 10_000), SIZES, st.sampled_from([2, 5, 1000]))
def test_average_precision_is_the_reference_s(seed: int, size: int, steps: int) -> None:
    probability, truth, weights = draw(seed, size, steps)
    expected = [
        average_precision_score(truth, probability),
        average_precision_score(truth, probability, sample_weight=weights),
    ]
    found = average_precision(probability, truth, np.stack([np.ones(size), weights]))
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000), SIZES)
def test_sensitivity_and_specificity_are_the_reference_s(seed: int, size: int) -> None:
    scores, truth, weights = draw(seed, size, 10)
    margin, rows = scores - 0.5, np.stack([np.ones(size), weights])
    named = scores >= 0.5
    for function, positive in ((sensitivity, True), (specificity, False)):
        expected = [
            recall_score(truth, named, pos_label=positive),
            recall_score(truth, named, pos_label=positive, sample_weight=weights),
        ]
        assert function(margin, truth, rows) == pytest.approx(expected, abs=1e-12)
    assert balanced_accuracy(margin, truth, rows) == pytest.approx(
        [
            balanced_accuracy_score(truth, named),
            balanced_accuracy_score(truth, named, sample_weight=weights),
        ],
        abs=1e-12,
    )


@given(st.integers(0, 10_000), SIZES)
def test_brier_is_the_reference_s(seed: int, size: int) -> None:
    probability, truth, weights = draw(seed, size, 1000)
    expected = [
        brier_score_loss(truth, probability),
        brier_score_loss(truth, probability, sample_weight=weights),
    ]
    found = brier(probability, truth, np.stack([np.ones(size), weights]))
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000), SIZES)
def test_ece_is_the_sum_over_its_bins(seed: int, size: int) -> None:
    probability, truth, weights = draw(seed, size, 50)
    expected = 0.0
    for bin_ in range(ECE_BINS):
        low, high = bin_ / ECE_BINS, (bin_ + 1) / ECE_BINS
        inside = (probability >= low) & (probability < high)
        if inside.any():
            w = weights[inside]
            distance = np.average(probability[inside], weights=w) - np.average(
                truth[inside], weights=w
            )
            expected += w.sum() / weights.sum() * abs(distance)
    assert ece(probability, truth, weights[None]) == pytest.approx([expected], abs=1e-12)


def test_ece_at_its_limits() -> None:
    truth = np.array([True, False])
    assert ece(np.array([1.0, 0.0]), truth) == pytest.approx([0]), "sure and right"
    assert ece(np.array([0.0, 1.0]), truth) == pytest.approx([1]), "sure and wrong"
    assert ece(np.array([0.5, 0.5]), truth) == pytest.approx([0]), "knows nothing, and says so"


UNDEFINED = {
    "all with the label": ([0.1, 0.9], [True, True]),
    "none with the label": ([0.1, 0.9], [False, False]),
    "no number": ([0.1, math.nan], [True, False]),
    "without end": ([0.1, math.inf], [True, False]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("case", UNDEFINED)
@pytest.mark.parametrize(
    ("function", "defined"),
    [
        (auroc, []),
        (average_precision, []),
        (balanced_accuracy, []),
        (sensitivity, ["all with the label"]),
        (specificity, ["none with the label"]),
        (brier, ["all with the label", "none with the label"]),
        (ece, ["all with the label", "none with the label"]),
    ],
)
def test_what_is_undefined_is_missing(case: str, function: object, defined: list[str]) -> None:
    scores, truth = UNDEFINED[case]
    assert callable(function)
    found = function(np.array(scores), np.array(truth, bool))
    assert np.isnan(found).all() == (case not in defined)


def test_the_mean_probability_of_a_patient_is_not_of_rounded_ones() -> None:
    """A shift of all log-odds moves the mean of a patient with one slice by no rank."""
    generator = np.random.default_rng(0)
    truth = generator.random(200) < 0.5
    log_odds = (generator.normal(0, 1, 200) + 2 * truth).astype(np.float32)
    patients = [f"p{n}" for n in range(200)]
    metric = metrics()["patient_mean_auroc"]
    found = []
    for shift in (-20, 0, 20):
        pooled, shown, _ = by_unit(metric, log_odds + np.float32(shift), truth, patients, 0.0)
        found.append(float(auroc(pooled, shown)[0]))
    assert found == pytest.approx([found[1]] * 3, abs=1e-3), "float32 of the shifted log-odds"


def test_scores_that_an_artifact_shifts_far_keep_their_order() -> None:
    """Sixteen more in the log-odds of all slices rounds their probabilities to 1."""
    generator = np.random.default_rng(0)
    truth = generator.random(400)[:, None] < 0.5
    log_odds = (generator.normal(0, 1, (400, 1)) + 2 * truth).astype(np.float32)
    patients = [f"p{n}" for n in range(400)]
    cells = [Predictions(CLEAN, log_odds), Predictions(Cell("bias", 1), log_odds + 16)]
    assert len(np.unique(cells[1].probability)) < 100, "the case is one that saturates"
    found = {
        item.cell: item.value
        for item in score(cells, truth, ["a"], patients)
        if item.metric == "auroc"
    }
    assert found[Cell("bias", 1)] == pytest.approx(found[CLEAN], abs=1e-4)


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
            "robust/auroc_retention": (0.2 / 0.4 + 0) / 2,
            "robust/auroc_area": ((0.9 + 0.7) / 2 + (0.9 + 0.5) / 2) / 2,
            "robust/auroc_degradation": (0.2 + 0.4) / 2,
        }
    )


def test_a_missing_cell_leaves_every_robust_summary_missing() -> None:
    metrics = summarize(scores(clean={"a": 1.0}, noise={"a": math.nan}, motion={"a": 0.5}))
    assert metrics["clean/auroc"] == 1.0
    assert all(math.isnan(value) for name, value in metrics.items() if name.startswith("robust/"))


def test_scores_say_how_many_slices_stand_behind_them() -> None:
    truth = np.array([[1, 0], [0, 1], [0, 1]], bool)
    log_odds = np.array([[3, -3], [-2, 2], [-1, 1]], np.float32)
    found = score([Predictions(CLEAN, log_odds)], truth, ["a", "b"], ["x", "y", "z"])
    assert {(item.label, item.positives, item.slices) for item in found} == {
        ("a", 1, 3),
        ("b", 2, 3),
    }
    assert {item.metric for item in found} == set(metrics())
    assert {item.value for item in found if metrics()[item.metric].higher_is_better} == {1.0}

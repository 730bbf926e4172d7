"""The operating point: where sensitivity is reached on clean slices, and frozen from there on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics.operating import SENSITIVITY, operating_point, operating_points
from sweep.metrics.summary import score


@given(st.integers(0, 10_000), st.integers(4, 80), st.sampled_from([3, 10, 1000]))
def test_it_is_the_reference_s_first_threshold_of_that_sensitivity(
    seed: int, size: int, steps: int
) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.random(size) < 0.4
    truth[:2] = True, False
    scores = generator.integers(0, steps, size).astype(float)
    _, sensitivities, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    first = thresholds[np.argmax(sensitivities >= SENSITIVITY - 1e-12)]
    assert operating_point(scores, truth) == first


@pytest.mark.parametrize(
    ("scores", "truth"),
    [([1, 2], [True, True]), ([1, 2], [False, False]), ([1, math.nan], [True, False]), ([], [])],
)
def test_there_is_none_without_both_classes(scores: list[float], truth: list[bool]) -> None:
    assert math.isnan(operating_point(np.array(scores, float), np.array(truth, bool)))


def cells() -> tuple[list[Predictions], np.ndarray, list[str]]:
    generator = np.random.default_rng(0)
    truth = generator.random((200, 1)) < 0.3
    clean = (2 * truth + generator.normal(0, 1, (200, 1))).astype(np.float32)
    shifted = Predictions(Cell("bias", 3), clean + 1)  # the same order, all more positive
    return [Predictions(CLEAN, clean), shifted], truth, [f"p{n}" for n in range(200)]


def values(found: tuple, metric: str) -> dict[Cell, float]:
    return {item.cell: item.value for item in found if item.metric == metric}


def test_it_is_chosen_on_clean_slices_and_not_again() -> None:
    predictions, truth, patients = cells()
    found = score(predictions, truth, ["a"], patients)
    stressed = predictions[1].cell
    named = values(found, "sensitivity")
    assert named[CLEAN] >= SENSITIVITY
    assert named[stressed] > named[CLEAN]
    refused = values(found, "specificity")
    assert refused[stressed] < refused[CLEAN], "the price of a shift, which a new point would hide"
    order = values(found, "auroc")
    assert order[stressed] == pytest.approx(order[CLEAN], abs=1e-6)


def test_of_other_patients_it_is_that_of_the_validation_slices() -> None:
    predictions, truth, patients = cells()
    points = operating_points(predictions, truth, ["a"])
    again = score(predictions[1:], truth, ["a"], patients, points)
    whole = score(predictions, truth, ["a"], patients)
    stressed = predictions[1].cell
    for metric in ("sensitivity", "specificity", "balanced_accuracy"):
        assert values(again, metric)[stressed] == values(whole, metric)[stressed]
    unknown = score(predictions[1:], truth, ["a"], patients, {})
    assert math.isnan(values(unknown, "sensitivity")[stressed])
    assert not math.isnan(values(unknown, "auroc")[stressed])

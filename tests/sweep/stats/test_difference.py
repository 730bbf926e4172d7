"""Paired differences: on the same patients only, and what two models share cancels."""

import dataclasses
import math

import numpy as np
import pytest

from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics import metrics
from sweep.metrics.functions import auroc
from sweep.metrics.summary import macro_by_cell, score
from sweep.stats.clustered import estimate
from sweep.stats.difference import (
    Answers,
    Difference,
    differences,
    equal_weights,
    tail_weights,
)
from sweep.stats.estimate import mean, resampled_patients
from sweep.stats.interval import standard_error

AUROC = metrics()["auroc"]
CELLS = [CLEAN, Cell("noise", 1), Cell("noise", 3), Cell("noise", 5), Cell("motion", 3)]


def answers(model: int, patients: int = 60, drop: float = 0.0) -> Answers:
    """Two labels; what a patient adds to all slices is the same for every model."""
    common = np.random.default_rng(0)
    of = np.repeat(np.arange(patients), 1 + np.arange(patients) % 4)
    truth = (common.random((patients, 2)) < 0.5)[of]
    base = common.normal(0, 2, (patients, 2))[of] + truth
    draws = np.random.default_rng(model + 1)
    found = [
        Predictions(
            cell, (base - drop * level * truth + draws.normal(0, 1, base.shape)).astype(np.float32)
        )
        for level, cell in enumerate(CELLS)
    ]
    keys = [f"slice-{at}" for at in range(len(of))]
    return Answers(found, keys, [f"p{at:03}" for at in of], ["a", "b"], truth)


def values(of: Answers) -> dict[Cell, float]:
    return macro_by_cell(score(of.predictions, of.truth, of.labels, of.patients), "auroc")


def test_a_difference_is_that_of_the_scores() -> None:
    one, other = answers(0), answers(1, drop=0.2)
    found = differences(AUROC, one, other, resamples=50)
    a, b = values(one), values(other)
    for cell in CELLS:
        assert found.cells[cell].one == pytest.approx(a[cell])
        assert found.cells[cell].value == pytest.approx(a[cell] - b[cell])
    noise = np.mean([a[cell] - b[cell] for cell in CELLS[1:4]])
    motion = a[CELLS[4]] - b[CELLS[4]]
    assert found.artifacts["noise"].value == pytest.approx(noise)
    assert found.levels[3].value == pytest.approx((a[CELLS[2]] - b[CELLS[2]] + motion) / 2)
    assert found.overall.value == pytest.approx((noise + motion) / 2), "artifacts count alike"
    assert found.tail is None


def test_a_model_does_not_differ_from_itself() -> None:
    one = answers(0)
    weights = tail_weights(AUROC, values(one))
    found = differences(AUROC, one, one, (weights, weights), resamples=50)
    for part in [*found.cells.values(), found.overall, found.tail]:
        assert (part.value, *part.interval()[:2], part.p) == (0, 0, 0, 1)


def test_what_two_models_share_cancels() -> None:
    """Patients add as much to both models, so that a difference is surer than the scores are."""
    found = differences(AUROC, answers(0), answers(1), resamples=500).overall
    again = differences(AUROC, answers(0), answers(1), resamples=500).overall
    assert again.interval() == found.interval(), "the resamples are keyed"
    apart = differences(AUROC, answers(0), mute(answers(1)), resamples=500).overall
    widths = [high - low for low, high, _ in (found.interval(), apart.interval())]
    assert widths[0] < 0.8 * widths[1]


def mute(of: Answers) -> Answers:
    """One that knows nothing."""
    nothing = [Predictions(item.cell, item.log_odds * 0) for item in of.predictions]
    return dataclasses.replace(of, predictions=nothing)


def test_the_order_of_models_slices_and_cells_does_not_matter() -> None:
    one, other = answers(0), answers(1, drop=0.2)
    order = np.random.default_rng(0).permutation(len(one.keys))
    shuffled = Answers(
        [Predictions(item.cell, item.log_odds[order]) for item in reversed(other.predictions)],
        [other.keys[at] for at in order],
        [other.patients[at] for at in order],
        other.labels,
        other.truth[order],
    )
    there = differences(AUROC, one, other, resamples=300)
    back = differences(AUROC, shuffled, one, resamples=300)
    low, high, df = there.overall.interval()
    assert back.overall.value == pytest.approx(-there.overall.value)
    assert back.overall.interval() == pytest.approx((-high, -low, df))
    assert back.overall.p == pytest.approx(there.overall.p)


def test_a_patient_given_twice_is_one_of_weight_two() -> None:
    """Of every patient a copy under another name: the same difference, surer by a root of two."""
    one, other = answers(0), answers(1, drop=0.2)
    once = differences(AUROC, one, other, resamples=50).overall
    twice = differences(AUROC, doubled(one), doubled(other), resamples=50).overall
    assert twice.value == pytest.approx(once.value)
    assert twice.p < once.p
    ratio = standard_error(once.estimate) / standard_error(twice.estimate)
    assert ratio == pytest.approx(math.sqrt(2), rel=0.03), "but for 1 / P"


def doubled(of: Answers) -> Answers:
    return Answers(
        [Predictions(item.cell, np.tile(item.log_odds, (2, 1))) for item in of.predictions],
        [*of.keys, *(f"{key}-again" for key in of.keys)],
        [*of.patients, *(f"{name}-again" for name in of.patients)],
        of.labels,
        np.tile(of.truth, (2, 1)),
    )


def test_the_cells_of_cvar_are_those_that_were_fixed() -> None:
    one, other = answers(0), answers(1, drop=0.2)
    first, second = (dict.fromkeys(CELLS[1:], 0.0) for _ in range(2))
    first[CELLS[1]], second[CELLS[4]] = 1.0, 1.0
    found = differences(AUROC, one, other, (first, second), resamples=50)
    expected = values(one)[CELLS[1]] - values(other)[CELLS[4]]
    assert found.tail.value == pytest.approx(expected)
    with pytest.raises(UserError, match=r"chosen among other cells.*noise 1"):
        differences(AUROC, one, other, (dict.fromkeys(CELLS[2:], 1.0), second))


def test_the_worst_quarter_is_fixed_by_values_elsewhere() -> None:
    cells = [Cell("noise", level) for level in range(1, 6)]
    there = dict(zip(cells, (0.9, 0.8, 0.5, 0.7, 0.6), strict=True))
    expected = dict(zip(cells, (0, 0, 0.8, 0, 0.2), strict=True))
    assert tail_weights(AUROC, {CLEAN: 0.1, **there}) == pytest.approx(expected)


def test_every_artifact_counts_the_same_whatever_its_levels() -> None:
    weights = equal_weights(CELLS)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights[Cell("motion", 3)] == pytest.approx(0.5)
    assert weights[Cell("noise", 1)] == pytest.approx(1 / 6)


def test_a_missing_cell_leaves_missing_what_it_counts_in_and_says_so() -> None:
    one, other = answers(0), answers(1)
    gone = CELLS[1]
    broken = dataclasses.replace(
        other,
        predictions=[
            Predictions(item.cell, item.log_odds * (np.nan if item.cell == gone else 1))
            for item in other.predictions
        ],
    )
    unknown = tail_weights(AUROC, values(broken))
    found = differences(AUROC, one, broken, (unknown, unknown), resamples=50)
    for part in (found.cells[gone], found.artifacts["noise"], found.levels[1], found.overall):
        assert math.isnan(part.value)
        assert part.reason == "there is no value in noise 1"
        assert math.isnan(part.p)
        assert math.isnan(part.interval().low)
    assert found.tail.reason == "a cell had no value where the worst cells were chosen"
    for part in (found.cells[CLEAN], found.artifacts["motion"], found.levels[3]):
        assert part.reason is None
        assert not math.isnan(part.p)


def test_few_patients_leave_the_difference_and_no_interval() -> None:
    found = differences(AUROC, answers(0, patients=12), answers(1, patients=12), resamples=50)
    assert not math.isnan(found.overall.value)
    assert math.isnan(found.overall.p)
    assert "fewer than 10" in str(found.overall.reason)


def other_data() -> dict[str, Answers]:
    of = answers(1)
    return {
        "slices": dataclasses.replace(of, keys=["another", *of.keys[1:]]),
        "labels": dataclasses.replace(of, labels=["a", "c"]),
        "cells": dataclasses.replace(of, predictions=of.predictions[1:]),
        "patients": dataclasses.replace(of, patients=["another", *of.patients[1:]]),
    }


@pytest.mark.parametrize("what", other_data())
def test_models_that_were_asked_otherwise_are_refused(what: str) -> None:
    with pytest.raises(UserError, match=f"same {what} only; received .*; score both"):
        differences(AUROC, answers(0), other_data()[what])


@pytest.mark.parametrize("name", ["brier", "sensitivity", "patient_auroc"])
def test_other_metrics_are_compared_alike(name: str) -> None:
    metric = metrics()[name]
    one, other = answers(0), answers(1, drop=0.3)
    found = differences(metric, one, other, resamples=300).cells[CELLS[4]]
    expected = [
        macro_by_cell(score(of.predictions, of.truth, of.labels, of.patients), name)[CELLS[4]]
        for of in (one, other)
    ]
    assert found.value == pytest.approx(expected[0] - expected[1])
    low, high, _ = found.interval()
    assert low < found.value < high
    again = differences(metric, one, one, resamples=50).cells[CELLS[4]]
    assert again.value == 0


def test_a_difference_of_forty_patients_is_covered_and_its_p_holds_its_level() -> None:
    """Two models as good as each other: .95 and .05, less what 200 studies leave to chance."""
    held, small = [], []
    for seed in range(200):
        draws = np.random.default_rng(seed)
        of = np.repeat(np.arange(40), draws.integers(1, 12, 40))
        truth = (np.arange(40) < 16)[draws.permutation(40)][of]
        weights = resampled_patients(40, 1000)
        shared = 1.1 * truth + draws.normal(0, 0.6, 40)[of]
        one, other = (
            mean(
                [
                    estimate(auroc, shared + draws.normal(0, 1, len(of)), truth, of, weights)
                    for _ in range(2)
                ]
            )
            for _ in range(2)
        )
        found = Difference(one.value, other.value, one - other)
        low, high, _ = found.interval()
        held.append(low <= 0 <= high)
        small.append(found.p < 0.05)
    assert 0.90 < np.mean(held) < 0.995
    assert 0.005 < np.mean(small) < 0.10

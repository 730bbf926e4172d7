"""Intervals of a checkpoint: what they rest on, what they refuse, and that they cover."""

import math

import numpy as np
import pytest

from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics import metrics
from sweep.metrics.summary import score, summarize
from sweep.stats.checkpoint import basis_of, by_artifact, cells_of, intervals_of, summed_up
from sweep.stats.estimate import resampled_patients
from sweep.stats.interval import interval

NOISE = Cell("noise", 1)


def predictions(slices_per_patient: int, patients: int = 40, labels: int = 1):
    """Every slice of a patient says the same, as correlated as slices can be."""
    generator = np.random.default_rng(0)
    of = np.repeat(np.arange(patients), slices_per_patient)
    truth = (np.arange(patients)[:, None] % (labels + 1) == np.arange(labels))[of]
    value = generator.normal(0, 1, (patients, labels))[of] + truth
    cells = [CLEAN, NOISE, Cell("noise", 5), Cell("motion", 3)]
    shifts = [0, -0.1, -0.5, -0.3]
    found = [
        Predictions(cell, (value + shift * truth).astype(np.float32))
        for cell, shift in zip(cells, shifts, strict=True)
    ]
    return found, truth, ["a", "b", "c"][:labels], [f"p{n:03}" for n in of]


def test_more_slices_of_the_same_patients_make_no_score_surer() -> None:
    one, _ = intervals_of(*predictions(1), resamples=400)
    many, basis = intervals_of(*predictions(10), resamples=400)
    assert one["clean/auroc"] == pytest.approx(many["clean/auroc"])
    assert one["clean/auroc"][1] - one["clean/auroc"][0] > 0.1
    assert (basis.patients, basis.positive) == (40, {"a": 20})


def test_an_interval_holds_the_score_and_narrows_with_patients() -> None:
    few, _ = intervals_of(*predictions(1, patients=40), resamples=400)
    many, _ = intervals_of(*predictions(1, patients=400), resamples=400)
    widths = [of["robust/auroc_cvar"][1] - of["robust/auroc_cvar"][0] for of in (few, many)]
    assert widths[0] > 2 * widths[1]
    low, high = many["clean/auroc"]
    assert low < 0.76 < high, "normal scores one standard deviation apart: AUROC .760"


def test_every_score_with_an_interval_lies_in_it() -> None:
    cells, truth, labels, patients = predictions(3, patients=60, labels=2)
    summary = summarize(score(cells, truth, labels, patients))
    found, basis = intervals_of(cells, truth, labels, patients, resamples=300)
    expected = {
        name
        for metric in metrics().values()
        if metric.has_interval
        for name in (metric.clean, *map(metric.robust, ("mean", "worst", "cvar")))
    }
    assert set(found) == set(basis.df) == expected
    for name, (low, high) in found.items():
        assert low <= summary[name] <= high


def test_the_mean_of_an_artifact_has_the_interval_of_a_sweep_that_has_it_alone() -> None:
    cells, truth, labels, patients = predictions(3, patients=60, labels=2)
    of = truth, labels, patients
    metric = metrics()["auroc"]
    noise, motion = by_artifact(metric, cells, *of)
    assert (noise.artifact, noise.levels, noise.worst_level) == ("noise", (1, 5), 5)
    assert (motion.artifact, motion.levels, motion.mean) == ("motion", (3,), motion.worst)
    alone = [item for item in cells if item.cell.artifact != "motion"]
    assert noise.mean == pytest.approx(summarize(score(alone, *of))["robust/auroc_mean"])
    assert noise.interval == pytest.approx(intervals_of(alone, *of)[0]["robust/auroc_mean"])


def test_an_operating_point_of_elsewhere_moves_what_depends_on_it() -> None:
    cells, truth, labels, patients = predictions(3, patients=60, labels=2)
    of = cells, truth, labels, patients
    low = intervals_of(*of, resamples=200, points=dict.fromkeys(labels, -9.0))[0]
    own = intervals_of(*of, resamples=200)[0]
    assert low["clean/sensitivity"] == pytest.approx((1, 1)) != own["clean/sensitivity"]
    assert low["clean/auroc"] == own["clean/auroc"]


def test_sums_over_cells_are_those_of_the_scores() -> None:
    cells, truth, labels, patients = predictions(3, patients=60, labels=2)
    summary = summarize(score(cells, truth, labels, patients))
    metric, weights = metrics()["auroc"], resampled_patients(60, 10)
    found = summed_up(metric, cells_of(metric, cells, truth, patients, {}, weights))
    for name, value in found.items():
        assert value.value == pytest.approx(summary[name])


def test_few_patients_with_or_without_a_label_are_said() -> None:
    found, basis = intervals_of(*predictions(2, patients=18))
    assert found == {}
    assert basis.reason == "a is shown by 9 patients: fewer than 10"
    truth = np.array([[True]] * 11 + [[False]])
    patients = [f"p{n}" for n in range(12)]
    assert basis_of(truth, ["a"], patients).reason == ("a is not shown by 1 patient: fewer than 10")
    assert basis_of(truth, ["a"], patients).positive == {"a": 11}


def test_one_label_with_few_patients_leaves_the_mean_over_labels_without() -> None:
    cells, truth, labels, patients = predictions(2, patients=40, labels=2)
    truth[:, 1] &= np.arange(len(truth)) < 6
    found, basis = intervals_of(cells, truth, labels, patients)
    assert found == {}
    assert "b is shown by" in str(basis.reason)


def test_a_missing_cell_leaves_the_robust_scores_without_and_the_clean_one_with() -> None:
    cells, truth, labels, patients = predictions(2)
    broken = [*cells[:-1], Predictions(cells[-1].cell, cells[-1].log_odds * np.nan)]
    found, _ = intervals_of(broken, truth, labels, patients, resamples=200)
    assert "clean/auroc" in found
    assert not [name for name in found if name.startswith("robust/")]


def test_intervals_of_forty_patients_cover() -> None:
    """.95, less what 150 studies leave to chance: 3 standard errors of .018."""
    held = []
    for seed in range(150):
        generator = np.random.default_rng(seed)
        of = np.repeat(np.arange(40), generator.integers(1, 12, 40))
        truth = (np.arange(40) < 16)[generator.permutation(40)][of][:, None]
        effect = generator.normal(0, 0.6, 40)[of][:, None]
        value = 1.1 * truth + effect + generator.normal(0, 1, (len(of), 1))
        cells = [Predictions(CLEAN, value.astype(np.float32))]
        metric, weights = metrics()["auroc"], resampled_patients(40, 1000)
        estimate = cells_of(metric, cells, truth, [f"{n:02}" for n in of], {}, weights)[CLEAN]
        low, high, _ = interval(estimate)
        true = 0.5 * (1 + math.erf(1.1 / math.sqrt(2 * (1 + 0.36)) / math.sqrt(2)))
        held.append(low <= true <= high)
    assert 0.89 < np.mean(held) <= 1

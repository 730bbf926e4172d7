"""The patient bootstrap: whole patients, keyed draws, honest width."""

import numpy as np

from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics.intervals import bootstrap, resample_patients


def test_slices_of_a_patient_are_drawn_together() -> None:
    patients = ["x", "y", "x", "z", "y"]
    weights = resample_patients(patients, 50, seed=1)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all(), "as many patients as there are"


def test_the_same_key_gives_the_same_resamples() -> None:
    patients = [f"p{n}" for n in range(9)]
    first, again, other = (resample_patients(patients, 20, seed) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def predictions(slices_per_patient: int, patients: int = 40) -> tuple[list, np.ndarray, list[str]]:
    """Every slice of a patient says the same, as correlated as slices can be."""
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(patients) % 2 == 0, slices_per_patient)[:, None]
    value = np.repeat(generator.normal(0, 1, patients), slices_per_patient)[:, None] + truth
    names = np.repeat([f"p{n}" for n in range(patients)], slices_per_patient).tolist()
    log_odds = value.astype(np.float32)
    cells = [Predictions(CLEAN, log_odds), Predictions(Cell("noise", 1), log_odds)]
    return cells, truth, names


def test_more_slices_of_the_same_patients_make_no_score_surer() -> None:
    one = bootstrap(*predictions(1), resamples=400)["clean/auroc"]
    many = bootstrap(*predictions(10), resamples=400)["clean/auroc"]
    assert np.allclose(one, many)
    assert one[1] - one[0] > 0.1


def test_an_interval_holds_the_score_and_narrows_with_patients() -> None:
    few = bootstrap(*predictions(1, patients=40), resamples=400)["robust/auroc_cvar"]
    many = bootstrap(*predictions(1, patients=400), resamples=400)["robust/auroc_cvar"]
    assert few[1] - few[0] > 2 * (many[1] - many[0])
    assert many[0] < 0.76 < many[1], "normal scores one standard deviation apart: AUROC .760"


def test_a_label_that_few_patients_have_gets_no_interval() -> None:
    truth = np.zeros((30, 1), bool)
    truth[0] = True
    cells = [
        Predictions(c, np.random.default_rng(0).random((30, 1), np.float32))
        for c in (CLEAN, Cell("noise", 1))
    ]
    found = bootstrap(cells, truth, [f"p{n}" for n in range(30)], resamples=200)
    assert not [name for name in found if "auroc" in name]

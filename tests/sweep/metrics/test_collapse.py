"""Cells in which nothing is said of the slices any more."""

import numpy as np
import pytest

from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics.collapse import collapsed

ONE, OTHER = Cell("motion", 3), Cell("spike", 5)


def one_of(named):
    """Probabilities (N, 3) of a multi-class task in which these labels are the most probable."""
    return (0.2 + 0.4 * np.eye(3)[named]).astype(np.float32)


def cells(probability, truth, task):
    """The collapsed of three cells, in the second of which these are the probabilities."""
    good = truth.astype(np.float32) * 0.8 + 0.1
    found = [(CLEAN, good), (ONE, probability), (OTHER, good)]
    return collapsed([Predictions(cell, np.log(p / (1 - p))) for cell, p in found], truth, task)


TRUTH = np.eye(3, dtype=bool)[[0, 1, 2, 0, 1, 2]]


def test_a_good_model_is_not_collapsed() -> None:
    assert cells(one_of([0, 1, 2, 0, 1, 1]), TRUTH, "multiclass") == ()


def test_the_same_label_for_every_slice_is() -> None:
    """Though its order of slices, by the small probabilities, is the right one."""
    probability = one_of([0] * 6)
    probability[:, 1:] += 0.1 * TRUTH[:, 1:]
    assert cells(probability, TRUTH, "multiclass") == (ONE,)


def test_below_chance_is() -> None:
    assert cells(one_of([1, 2, 0, 1, 2, 0]), TRUTH, "multiclass") == (ONE,)


@pytest.mark.parametrize("shown", [(0.1, 0.4), (0.6, 0.9)])
def test_the_same_labels_for_every_slice_of_a_multi_label_task_are(shown) -> None:
    truth = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], bool)
    probability = np.where(truth, shown[1], shown[0]).astype(np.float32)
    assert cells(probability, truth, "multilabel") == (ONE,)
    crossing = np.where(truth, 0.6, 0.4).astype(np.float32)
    assert cells(crossing, truth, "multilabel") == ()


def test_slices_that_all_show_the_same_do_not_collapse() -> None:
    truth = np.eye(3, dtype=bool)[[1, 1, 1]]
    assert cells(one_of([1, 1, 1]), truth, "multiclass") == ()


def test_a_missing_value_is_missing_and_no_collapse() -> None:
    assert cells(np.full((6, 3), np.nan, np.float32), TRUTH, "multiclass") == ()

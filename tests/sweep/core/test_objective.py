"""An objective as it is written: a metric, or a weighted sum of metrics."""

import math

import pytest

from sweep.core.objective import leading, mean_of, terms, value_of
from sweep.core.records import best_epoch

A, B = "clean/auroc", "robust/auroc_cvar"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (A, {A: 1}),
        (f"0.7 {A} + 0.3 {B}", {A: 0.7, B: 0.3}),
        (f"  2 {A}  +  .5 {B} ", {A: 2, B: 0.5}),
        (f"{A} + 1e-1 {B}", {A: 1, B: 0.1}),
        (f"0.5 {A} + 0.25 {A}", {A: 0.75}),
        ("clean/auroc_left-sided tear", {"clean/auroc_left-sided tear": 1}),
    ],
)
def test_terms_have_weights(text: str, expected: dict[str, float]) -> None:
    assert dict(terms(text)) == expected


def test_the_mean_of_two_is_a_sum_that_reads_back() -> None:
    assert mean_of((A, B)) == f"0.5 {A} + 0.5 {B}"
    assert dict(terms(mean_of((A, B)))) == {A: 0.5, B: 0.5}
    assert leading(mean_of((A, B))) == leading(A) == A


def test_the_value_of_a_sum_is_missing_where_one_of_its_metrics_is() -> None:
    metrics = {A: 0.9, B: 0.7, "clean/auroc_1 + 2": 0.3}
    assert value_of(metrics, A) == 0.9
    assert value_of(metrics, mean_of((A, B))) == pytest.approx(0.8)
    assert value_of(metrics, "clean/auroc_1 + 2") == 0.3, "the name of a label, as it is"
    assert math.isnan(value_of({A: 0.9}, mean_of((A, B))))
    assert math.isnan(value_of({A: 0.9, B: math.nan}, mean_of((A, B))))
    assert math.isnan(value_of({}, A))


def test_the_best_epoch_by_a_sum_has_all_its_metrics() -> None:
    epochs = [
        (1, {A: 0.9, B: 0.5}),
        (2, {A: 0.8, B: 0.7}),
        (3, {A: 1.0, B: math.nan}),
        (4, {A: 0.7, B: 0.8}),
    ]
    best = best_epoch(epochs, mean_of((A, B)))
    assert best is not None
    assert best == (2, pytest.approx(0.75)), "of equals the first"
    assert best_epoch(epochs, f"0.9 {A} + 0.1 {B}") == (1, pytest.approx(0.86))
    assert best_epoch([(3, {A: 1.0})], mean_of((A, B))) is None

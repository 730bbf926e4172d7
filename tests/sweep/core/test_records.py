"""Missing values, and which epoch is the best."""

import json
import math

import pytest

from sweep.core.records import (
    best_epoch,
    is_missing,
    missing_as_null,
    null_as_missing,
    without_missing,
)


def test_a_missing_value_is_never_the_best_and_of_equals_the_first_is() -> None:
    values = [math.nan, 0.4, math.nan, 0.6, 0.5, 0.6, math.inf]
    epochs = [(number, {"m": value}) for number, value in enumerate(values, start=1)]
    assert best_epoch(epochs, "m") == (4, 0.6)
    assert best_epoch(epochs[:1], "m") is None
    assert best_epoch([(1, {"other": 1.0})], "m") is None
    assert best_epoch([], "m") is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_finite_number_is_missing(value: float | None) -> None:
    assert is_missing(value)


def test_missing_values_survive_json_and_are_left_out_where_asked() -> None:
    values = {"a": 0.5, "b": math.nan}
    plain = json.loads(json.dumps(missing_as_null(values), allow_nan=False))
    assert plain == {"a": 0.5, "b": None}
    back = null_as_missing(plain)
    assert back["a"] == 0.5
    assert math.isnan(back["b"])
    assert without_missing(back) == {"a": 0.5}

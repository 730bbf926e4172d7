"""Limits: what a user may set, and a record that has none where none is set."""

import math

import pytest

from sweep.config.limits import LimitSettings, given_limits
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

PLAIN = {"name": "x", "data": {"store": "a.h5", "train": [1], "validation": [2]}}


@pytest.mark.parametrize("name", ["hours", "gpu_hours", "epochs"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_limit_is_a_finite_number_above_0(name: str, value: float) -> None:
    config = SweepConfig.from_dict(PLAIN)
    with pytest.raises(UserError, match=name):
        config.replace({f"search.limits.{name}": value})


def test_a_sweep_with_limits_is_read_back_and_one_without_has_the_record_it_had() -> None:
    plain = SweepConfig.from_dict(PLAIN)
    assert "limits" not in plain.to_plain()["search"]
    limited = plain.replace({"search.limits.hours": 2})
    assert SweepConfig.from_dict(limited.to_plain()) == limited
    assert limited.search.limits == LimitSettings(hours=2)
    assert limited.replace({"search.limits.hours": None}) == plain


def test_gpu_hours_are_refused_where_nothing_takes_a_gpu() -> None:
    asked = {"search.limits.gpu_hours": 2}
    config = SweepConfig.from_dict(PLAIN)
    with pytest.raises(UserError, match="neither a trial nor an evaluator takes a GPU"):
        config.replace(asked)
    assert config.replace({**asked, "cluster.evaluator.gpu": 0.5})


def test_limits_as_texts() -> None:
    assert given_limits(["hours=1e-1", "epochs=none"]) == {"hours": 0.1, "epochs": None}
    with pytest.raises(UserError, match=r"--limit cannot be read; received 'hours'; give NAME="):
        given_limits(["hours"])
    with pytest.raises(UserError, match=r"--limit has an unknown name; .* did you mean 'hours'"):
        given_limits(["hour=3"])

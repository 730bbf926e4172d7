"""How long epochs take, and what limits allow of them."""

from typing import Any

import pytest

from sweep.api.pace import Pace, allowed
from sweep.config.sweep import SweepConfig
from sweep.search.forecast import forecast

PLAIN = {
    "name": "x",
    "data": {"store": "a.h5", "train": [1], "validation": [2]},
    "train": {"epochs": 8},
    "cluster": {"evaluators": 2, "trial": {"gpu": 0.25}, "evaluator": {"gpu": 0.5}},
    "search": {
        "trials": 12,
        "scheduler": "none",
        "screen": None,
        "space": {"model.norm": {"choice": ["batch", "group"]}},
    },
}


def config_of(**search: Any) -> SweepConfig:
    return SweepConfig.from_dict(PLAIN).replace({f"search.{k}": v for k, v in search.items()})


@pytest.mark.parametrize(("train_s", "evaluate_s", "seconds"), [(10, 1, 240), (1, 10, 480)])
def test_whoever_is_slower_decides(train_s: float, evaluate_s: float, seconds: float) -> None:
    """96 epochs, four trials at a time, two evaluators."""
    pace = Pace(config_of(), 4, train_s, evaluate_s, None)
    assert pace.seconds([12] * 8) == pytest.approx(seconds)


def test_screened_epochs_take_what_a_screening_takes() -> None:
    config = config_of(screen={"full": [4]})
    pace = Pace(config, 1, 0, 10, 1)
    # Six are screened, the fourth is scored in full, with the last one the best of the trial too.
    assert pace.seconds([1] * 8) == pytest.approx((6 * 1 + 10 + 2 * 10) / 2)


def limits(config: SweepConfig, seconds: float) -> list[str]:
    expected = forecast(config.search, 8, 4)
    pace = Pace(config, 4, 1, 1, None)
    return list(allowed(config, expected, seconds, pace))


def test_what_limits_allow() -> None:
    """Nothing is stopped: four trials side by side end together, at 32, 64 and 96 epochs."""
    assert limits(config_of(), 7200) == []
    (epochs,) = limits(config_of(**{"limits.epochs": 70}), 7200)
    assert epochs == "search.limits.epochs 70 allows about 8 of 12 trials; about 96 for all"
    hours, gpus = limits(config_of(**{"limits.hours": 1, "limits.gpu_hours": 4.5}), 7200)
    assert hours == "search.limits.hours 1 allows about 4 of 12 trials; about 2 for all"
    # Two hours of four quarters and two halves of a GPU.
    assert gpus == "search.limits.gpu_hours 4.5 is not expected to be reached"

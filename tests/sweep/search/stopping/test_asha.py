"""ASHA: the decisions of Tune's, rung by rung."""

from types import SimpleNamespace

import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler

from sweep.config.search import SearchSettings
from sweep.search.stopping.asha import Asha
from tests.support.stopping import arriving, courses, decided

TRIALS = 60


def of_tune(
    values: list[list[float]], order: list[tuple[int, int]], epochs: int, grace: int, by: float
) -> dict[int, int]:
    """Trial -> the epoch at which Tune's scheduler stops it."""
    tune = AsyncHyperBandScheduler(
        "epoch", "value", "max", epochs, grace, by, stop_last_trials=False
    )
    known: set[int] = set()
    stopped: dict[int, int] = {}
    for trial, epoch in order:
        stand_in = SimpleNamespace(trial_id=trial)
        if trial not in known:
            known.add(trial)
            tune.on_trial_add(None, stand_in)
        report = {"epoch": epoch, "value": values[trial][epoch - 1]}
        if trial not in stopped and tune.on_trial_result(None, stand_in, report) == "STOP":
            stopped[trial] = epoch
    return stopped


@pytest.mark.parametrize("key", range(5))
@pytest.mark.parametrize("epochs", [2, 8, 27])
@pytest.mark.parametrize("grace", [1, 2, 3])
@pytest.mark.parametrize("reduction", [1.1, 1.5, 2.0, 3.0])
def test_the_decisions_are_those_of_tune(
    key: int, epochs: int, grace: int, reduction: float
) -> None:
    grace = min(grace, epochs)
    values = courses(key, TRIALS, epochs)
    order = [(t, e) for t, e in arriving(key + 100, TRIALS, epochs) if e < epochs]
    search = SearchSettings(scheduler="asha", grace_epochs=grace, reduction=reduction)
    rungs = search.rungs(epochs)
    stopped = decided(Asha(rungs, reduction), values, order)
    assert stopped == of_tune(values, order, epochs, grace, reduction)
    assert bool(stopped) == (grace < epochs)


def test_the_first_at_a_rung_and_one_that_equals_the_cut_go_on() -> None:
    rule = Asha((1, 2), 2)
    assert not rule.stops(0, 1, (0.0,))
    assert not rule.stops(1, 1, (0.0,))
    assert rule.stops(2, 1, (-0.1,))
    assert not rule.stops(3, 1, (1.0,))
    assert not rule.stops(3, 2, (-9.0,)), "the first to come to the second rung"


def test_between_rungs_nothing_is_compared() -> None:
    rule = Asha((2, 4), 2)
    for trial in range(4):
        assert not any(rule.stops(trial, epoch, (1.0,)) for epoch in (1, 2, 3))
    assert not rule.stops(4, 1, (0.0,))
    assert not rule.stops(4, 3, (0.0,)), "without a value at a rung it is not compared there"
    assert rule.stops(5, 2, (0.0,))

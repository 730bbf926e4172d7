"""The median rule: the decisions of Tune's, and who is compared."""

from types import SimpleNamespace

import pytest
from ray.tune.schedulers import MedianStoppingRule

from sweep.search.stopping.median import FEWEST, Median
from tests.support.stopping import arriving, courses, decided

CONTROLLER = SimpleNamespace(get_live_trials=list)  # nobody waits, so Tune never pauses


def of_tune(values: list[list[float]], order: list[tuple[int, int]], grace: int) -> dict[int, int]:
    """Trial -> the epoch at which Tune's scheduler stops it."""
    tune = MedianStoppingRule("epoch", "value", "max", grace, min_samples_required=FEWEST)
    trials = [SimpleNamespace(trial_id=str(number)) for number in range(len(values))]
    hashable = [type("Trial", (), vars(trial))() for trial in trials]
    stopped: dict[int, int] = {}
    for trial, epoch in order:
        report = {"epoch": epoch, "value": values[trial][epoch - 1]}
        if trial not in stopped:
            said = tune.on_trial_result(CONTROLLER, hashable[trial], report)
            stopped |= {trial: epoch} if said == "STOP" else {}
    return stopped


@pytest.mark.parametrize("key", range(6))
@pytest.mark.parametrize("grace", [1, 2, 5])
def test_the_decisions_are_those_of_tune(key: int, grace: int) -> None:
    values, order = courses(key, 40, 12), list(arriving(key + 50, 40, 12))
    stopped = decided(Median(grace), values, order)
    assert stopped == of_tune(values, order, grace)
    assert stopped
    assert min(stopped.values()) >= grace


def test_a_median_of_few_decides_nothing_and_one_that_equals_it_goes_on() -> None:
    rule = Median(1)
    for trial in range(FEWEST):
        assert not rule.stops(trial, 1, (1.0 - trial,))
    assert rule.stops(FEWEST, 1, (-9.0,))
    assert not rule.stops(FEWEST + 1, 1, (0.0 - 1.0,)), "the median of 1, 0, -1, -2 and -9"


def test_the_best_so_far_counts_before_the_grace_too() -> None:
    rule = Median(2)
    for trial in range(FEWEST):
        assert not rule.stops(trial, 1, (0.9,))
        assert not rule.stops(trial, 2, (0.5,))
    rule.stops(8, 1, (0.6,))
    assert not rule.stops(8, 2, (0.1,))
    rule.stops(9, 1, (0.4,))
    assert rule.stops(9, 2, (0.1,))


def test_of_two_objectives_a_trial_that_is_good_at_one_goes_on() -> None:
    rule = Median(1)
    for trial in range(FEWEST + 1):
        assert not rule.stops(trial, 1, (0.5 + trial / 100, 0.5 + trial / 100))
    assert not rule.stops(8, 1, (0.1, 0.9))
    assert rule.stops(9, 1, (0.1, 0.1))

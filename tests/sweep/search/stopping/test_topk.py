"""Top-k: after the grace the best few go on, among those that came so far."""

import random

import pytest

from sweep.search.stopping.topk import TopK


def test_the_first_go_on_and_so_does_one_that_equals_the_worst_of_them() -> None:
    rule = TopK(1, 2)
    assert not rule.stops(0, 1, (0.5,))
    assert not rule.stops(1, 1, (0.4,))
    assert not rule.stops(2, 1, (0.4,))
    assert rule.stops(3, 1, (0.3,))
    assert not rule.stops(4, 1, (0.9,))
    assert not rule.stops(5, 1, (0.5,))
    assert rule.stops(6, 1, (0.4,))


def test_a_trial_that_goes_on_runs_to_its_end() -> None:
    rule = TopK(2, 1)
    assert not rule.stops(0, 1, (0.9,))
    assert not rule.stops(1, 1, (0.1,))
    assert not rule.stops(1, 2, (0.1,))
    assert rule.stops(2, 2, (0.0,))
    assert not rule.stops(0, 2, (0.9,))
    assert not rule.stops(1, 3, (0.0,)), "one is ahead of it by now, and it was let go on"


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_how_many_go_on_of_trials_in_no_order(keep: int) -> None:
    drawn, trials, repeats = random.Random(keep), 24, 400
    went_on = 0
    for _ in range(repeats):
        rule = TopK(1, keep)
        went_on += sum(not rule.stops(trial, 1, (drawn.random(),)) for trial in range(trials))
    expected = sum(min(1.0, keep / place) for place in range(1, trials + 1))
    assert went_on / repeats == pytest.approx(expected, abs=0.35)

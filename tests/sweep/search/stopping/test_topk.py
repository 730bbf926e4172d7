"""Top-k: after the grace all wait, and the best few go on."""

import random

import pytest

from sweep.search.stopping.topk import TopK


def told(values: dict[int, tuple[float, ...]], keep: int = 2, grace: int = 1) -> TopK:
    rule = TopK(grace, keep)
    for trial, found in values.items():
        assert rule.stops(trial, grace, found)
    return rule


def test_the_best_go_on_and_of_equals_the_first() -> None:
    rule = told({0: (0.5,), 3: (0.4,), 1: (0.9,), 2: (0.5,)})
    assert rule.choose() == {0, 1}
    assert not rule.stops(0, 1, (0.5,)), "it says its last epoch again as it goes on"
    assert rule.stops(2, 1, (0.5,))
    assert not rule.stops(1, 2, (0.0,)), "nothing stops it later"


@pytest.mark.parametrize("key", range(5))
def test_the_order_in_which_trials_come_changes_nothing(key: int) -> None:
    drawn = random.Random(key)
    values = {trial: (drawn.random(), drawn.random())[: 1 + key % 2] for trial in range(20)}
    shuffled = dict(drawn.sample(list(values.items()), len(values)))
    assert told(values, keep=4).choose() == told(shuffled, keep=4).choose()


def test_no_trial_waits_before_the_grace() -> None:
    rule = TopK(3, 1)
    assert not rule.stops(0, 1, (0.1,))
    assert not rule.stops(0, 2, (0.1,))
    assert rule.stops(0, 3, (0.1,))


def test_trials_that_are_added_later_go_on_if_they_are_among_the_best_of_all() -> None:
    rule = told({0: (0.5,), 1: (0.9,), 2: (0.1,)})
    assert rule.choose() == {0, 1}
    assert rule.stops(3, 1, (0.7,))
    assert rule.stops(4, 1, (0.3,))
    assert rule.choose() == {1, 3}


def test_of_two_objectives_the_better_front_goes_on() -> None:
    rule = told({0: (0.1, 0.1), 1: (0.9, 0.2), 2: (0.2, 0.9), 3: (0.15, 0.85)})
    assert rule.choose() == {1, 2}

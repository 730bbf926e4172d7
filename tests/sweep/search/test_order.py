"""How values are compared."""

import random

import numpy as np
import pytest

from sweep.search.order import ahead, best, falls_below


def test_those_ahead_are_strictly_greater() -> None:
    others = [(0.1,), (0.5,), (0.5,), (0.9,)]
    assert [ahead(others, (value,)) for value in (0.0, 0.1, 0.5, 0.9)] == [4, 3, 1, 0]
    assert ahead([], (0.5,)) == 0


def test_of_two_objectives_those_of_a_better_front_are_ahead() -> None:
    front = [(0.9, 0.1), (0.5, 0.5), (0.1, 0.9)]
    assert [ahead(front, mine) for mine in [*front, (0.8, 0.2), (0.9, 0.5)]] == [0] * 5
    assert ahead(front, (0.5, 0.4)) == 3
    assert ahead([*front, (0.5, 0.4)], (0.1, 0.1)) == 4


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_of_a_front_of_equals_none_falls_below_and_whom_all_beat_does(share: float) -> None:
    front = [(place / 10, 1 - place / 10) for place in range(1, 10)]
    assert not any(
        falls_below([*front[:at], *front[at + 1 :]], front[at], share) for at in range(9)
    )
    assert falls_below(front, (0.05, 0.05), share)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_two_equal_objectives_are_compared_as_one(share: float) -> None:
    drawn = random.Random(1)
    for _ in range(30):
        others = [(drawn.random(),) for _ in range(9)]  # so that the quantile is one of them
        mine = (drawn.choice([drawn.random(), drawn.choice(others)[0]]),)
        twice = [(one, one) for (one,) in others]
        assert ahead(twice, mine * 2) == ahead(others, mine)
        assert falls_below(twice, mine * 2, share) == falls_below(others, mine, share)


def test_the_best_are_the_greatest_of_equals_the_first() -> None:
    assert best([(0.2,), (0.9,), (0.9,), (0.5,)], 3) == [1, 2, 3]
    assert best([], 2) == []
    assert best([(0.5, 0.5), (0.9, 0.9), (0.1, 0.95)], 2) == [1, 2]


def test_nobody_falls_below_nobody() -> None:
    assert not falls_below([], (-1.0,), 0.5)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_of_one_objective_the_quantile_decides(share: float) -> None:
    drawn = random.Random(0)
    for _ in range(50):
        others = [(drawn.random(),) for _ in range(drawn.randint(1, 12))]
        mine = drawn.choice([drawn.random(), drawn.choice(others)[0]])
        expected = mine < np.percentile(others, 100 * share)
        assert falls_below(others, (mine,), share) == expected


@pytest.mark.parametrize("number", [1, 3, 7, 13])
def test_where_the_quantile_is_a_value_places_say_the_same_as_values(number: int) -> None:
    """Pairs of equal values are ordered as the values; the median of an odd number is one."""
    drawn = random.Random(number)
    for _ in range(50):
        values = [drawn.random() for _ in range(number)]
        mine = drawn.choice([drawn.random(), drawn.choice(values)])
        by_value = falls_below([(value,) for value in values], (mine,), 0.5)
        by_place = falls_below([(value, value) for value in values], (mine, mine), 0.5)
        assert by_place == by_value


def test_of_two_objectives_one_that_is_best_at_one_lies_below_none() -> None:
    others = [(0.9, 0.1), (0.8, 0.3), (0.7, 0.4)]
    assert not falls_below(others, (0.1, 0.9), 0.5)
    assert falls_below(others, (0.6, 0.05), 0.5)

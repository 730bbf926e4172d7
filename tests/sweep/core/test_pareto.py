"""The Pareto front: what dominance means, laws of ranks and areas, parity with Optuna."""

import itertools
import math

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume
from optuna.study._multi_objective import _fast_non_domination_rank

from sweep.core.keys import generator
from sweep.core.pareto import Point, ahead, best, hypervolume, ranks


def cloud(seed: int, count: int, steps: int | None = None) -> list[Point]:
    """Points in the square; with ``steps`` on a grid, so that many share a value or are equal."""
    drawn = generator(seed, "cloud").random((count, 2))
    drawn = drawn if steps is None else np.floor(drawn * steps) / steps
    return [(first, second) for first, second in drawn.tolist()]


CLOUDS = [
    cloud(seed, count, steps) for seed, count, steps in [(0, 1, 5), (1, 40, None), (2, 60, 5)]
]


def dominates(one: Point, other: Point) -> bool:
    return one[0] >= other[0] and one[1] >= other[1] and one != other


def test_the_ranks_of_a_few_points_by_hand() -> None:
    points = [(0.9, 0.1), (0.5, 0.5), (0.1, 0.9), (0.5, 0.4), (0.1, 0.1), (0.5, 0.5)]
    assert ranks(points) == [0, 0, 0, 1, 2, 0]
    assert ranks([]) == []


@pytest.mark.parametrize("points", CLOUDS)
def test_a_rank_is_one_more_than_the_greatest_of_those_that_dominate(points: list[Point]) -> None:
    found = dict(zip(points, ranks(points), strict=True))
    for point in points:
        above = [found[other] for other in points if dominates(other, point)]
        assert found[point] == max((rank + 1 for rank in above if rank is not None), default=0)


@pytest.mark.parametrize("points", CLOUDS)
def test_ranks_and_area_are_those_of_optuna(points: list[Point]) -> None:
    losses = -np.array(points)
    assert ranks(points) == _fast_non_domination_rank(losses).tolist()
    inside = losses[(losses < 0).all(axis=1)]  # Optuna takes points that are above the reference
    area = compute_hypervolume(inside, np.zeros(2)) if len(inside) else 0.0
    assert hypervolume(points) == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("points", CLOUDS)
def test_the_order_of_trials_and_their_repetition_change_nothing(points: list[Point]) -> None:
    order = generator(0, "order").permutation(len(points)).tolist()
    shuffled = [points[place] for place in order]
    found = ranks(points)
    assert ranks(shuffled) == [found[place] for place in order]
    assert ranks([*points, *points]) == [*found, *found]
    assert hypervolume(shuffled) == hypervolume(points) == hypervolume([*points, *points])


@pytest.mark.parametrize("points", CLOUDS)
def test_the_area_is_that_of_the_front_and_no_point_makes_it_smaller(points: list[Point]) -> None:
    front = [point for point, rank in zip(points, ranks(points), strict=True) if rank == 0]
    assert hypervolume(front) == hypervolume(points)
    grown = [hypervolume(points[:count]) for count in range(len(points) + 1)]
    assert grown == sorted(grown)
    assert max(first * second for first, second in points) <= grown[-1] <= 1


def test_the_area_of_one_point_is_a_rectangle_and_of_chance_a_quarter() -> None:
    assert hypervolume([(0.8, 0.6)]) == pytest.approx(0.48)
    assert hypervolume([(0.5, 0.5)]) == 0.25
    assert hypervolume([(1.0, 1.0)]) == 1
    assert hypervolume([(0.8, 0.2), (0.2, 0.8)]) == pytest.approx(0.16 + 0.16 - 0.04)
    assert hypervolume([]) == hypervolume([(0.0, 1.0), (-0.5, 0.5), (0.5, -1.0)]) == 0


@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf])
def test_a_missing_value_has_no_rank_and_no_effect(gap: float) -> None:
    points = CLOUDS[1]
    with_gaps = [*points, (gap, 0.9), (0.9, gap), (gap, gap)]
    assert ranks(with_gaps) == [*ranks(points), None, None, None]
    assert hypervolume(with_gaps) == hypervolume(points)
    assert ahead(with_gaps, (0.5, 0.5)) == ahead(points, (0.5, 0.5))
    assert ahead(points, (gap, 0.1)) == 0


@pytest.mark.parametrize("points", CLOUDS)
def test_those_ahead_are_of_a_better_front_and_equals_are_not(points: list[Point]) -> None:
    for place, point in enumerate(points):
        others = points[:place] + points[place + 1 :]
        front = [one for one, rank in zip(points, ranks(points), strict=True) if rank == 0]
        count = ahead(others, point)
        assert (count == 0) == (point in front)
        assert count >= sum(dominates(other, point) for other in front)
    assert ahead([points[0]] * 3, points[0]) == 0


@pytest.mark.parametrize("points", CLOUDS)
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_the_best_are_of_the_best_fronts_whatever_the_order(
    points: list[Point], count: int
) -> None:
    taken, found = best(points, count), ranks(points)
    assert len(set(taken)) == len(taken) == min(count, len(points))
    assert [found[place] for place in taken] == sorted(found, key=int)[:count]
    order = generator(1, "order").permutation(len(points)).tolist()
    shuffled = [points[place] for place in order]
    again = [shuffled[place] for place in best(shuffled, count)]
    assert hypervolume(again) == pytest.approx(hypervolume([points[place] for place in taken]))


def test_few_of_a_front_are_spread_over_it() -> None:
    front = [(0.9, 0.2), (0.89, 0.21), (0.88, 0.22), (0.6, 0.6), (0.59, 0.61), (0.2, 0.9)]
    assert best(front, 1) == [3]
    assert best(front, 3) in ([3, 0, 5], [3, 2, 5], [3, 5, 0])
    assert best([*front, (math.nan, 1.0)], 9)[-1] != 6
    inner = [(first / 2, second / 2) for first, second in front]
    assert best([*front, *inner], 7)[-1] == 9, "the middle of the second front"


def test_who_dominates_has_no_more_ahead() -> None:
    points = CLOUDS[2]
    for one, other in itertools.permutations(points[:25], 2):
        if dominates(one, other):
            assert ahead(points, one) <= ahead(points, other)

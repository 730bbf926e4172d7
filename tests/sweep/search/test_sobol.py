"""Sobol points: as even as they are meant to be, and the same whatever else is drawn."""

import math
from collections import Counter
from itertools import pairwise

from sweep.config.search import SearchSettings
from sweep.search.sobol import sobol_point

SPACE = {
    "model.norm": {"choice": ["a", "b", "c", "d"]},
    "train.lr": {"log": [1e-4, 1e-2]},
    "train.weight_decay": {"uniform": [1.0, 3.0]},
    "model.width": {"int": [1, 8]},
    "train.batch_size": {"int_log": [8, 128]},
}
POINTS = 16
DIMENSIONS = SearchSettings(space=SPACE).dimensions()


def test_a_power_of_two_of_points_falls_evenly_on_every_dimension() -> None:
    points = [sobol_point(DIMENSIONS, 3, place) for place in range(POINTS)]
    assert set(Counter(one["model.norm"] for one in points).values()) == {POINTS // 4}
    assert Counter(one["model.width"] for one in points) == dict.fromkeys(range(1, 9), 2)
    rates = sorted((math.log10(one["train.lr"]) + 4) / 2 for one in points)
    decays = sorted((one["train.weight_decay"] - 1) / 2 for one in points)
    for shares in (rates, decays):
        assert [int(share * POINTS) for share in shares] == list(range(POINTS))
    sizes = [one["train.batch_size"] for one in points]
    assert all(isinstance(size, int) and 8 <= size <= 128 for size in sizes)
    assert sum(size <= 32 for size in sizes) in (7, 8, 9), "even on a scale of logarithms"


def test_two_dimensions_are_filled_together() -> None:
    """Each of the 4 x 4 boxes has its point, as in no random draw."""
    names = ("train.lr", "train.weight_decay")
    two = {name: DIMENSIONS[name] for name in names}
    points = [sobol_point(two, 0, place) for place in range(POINTS)]
    boxes = {
        (
            int((math.log10(one["train.lr"]) + 4) / 2 * 4),
            int((one["train.weight_decay"] - 1) / 2 * 4),
        )
        for one in points
    }
    assert len(boxes) == POINTS


def test_a_point_depends_on_its_place_and_the_seed_and_not_on_the_file() -> None:
    turned = dict(reversed(DIMENSIONS.items()))
    points = [sobol_point(DIMENSIONS, 0, place) for place in range(6)]
    assert [sobol_point(turned, 0, place) for place in reversed(range(6))] == points[::-1]
    assert all(one != other for one, other in pairwise(points))
    assert sobol_point(DIMENSIONS, 1, 0) != points[0]
    assert sobol_point({}, 0, 0) == {}

"""How values are compared."""

import random

import numpy as np
import pytest

from sweep.search.order import ahead, falls_below


def test_those_ahead_are_strictly_greater() -> None:
    others = [(0.1,), (0.5,), (0.5,), (0.9,)]
    assert [ahead(others, (value,)) for value in (0.0, 0.1, 0.5, 0.9)] == [4, 3, 1, 0]
    assert ahead([], (0.5,)) == 0


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

"""The configurations of a search as far as they are known before it begins."""

from functools import cache
from typing import Any

from sweep.config.search import SearchSettings
from sweep.config.space import applying
from sweep.search.grid import grid_order
from sweep.search.sobol import sobol_point

MOST = 64  # different points of a stratum; they fill the space, and later trials have them again


def points(search: SearchSettings, seed: int) -> list[dict[str, Any]]:
    """The searched values of every trial, as if nothing were learnt from those before.

    That is what ``sobol`` and ``grid`` try, and what every sampler but ``random`` begins with:
    points of the Sobol sequence, of which each stratum has the same.

    Args:
        search: The search.
        seed: The seed of the sweep.

    """
    if search.sampler == "grid":
        return grid_order(search, seed)[: search.total]
    dimensions, free = search.dimensions(), search.free()
    strata = search.strata() if search.apart() else ()
    turns = [{str(search.stratify): value} for value in strata] or [{}]

    @cache
    def point(place: int) -> dict[str, Any]:
        return sobol_point(free, seed, place)

    return [
        applying(dimensions, {**point(number // len(turns) % MOST), **turns[number % len(turns)]})
        for number in range(search.total)
    ]

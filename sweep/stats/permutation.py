"""A check of a norm's effect that assumes no distribution: configurations change their norms."""

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np

from sweep.core.keys import generator
from sweep.stats.estimate import Array
from sweep.stats.mixed import Run

MOST_EXACT = 20_000


class Permuted(NamedTuple):
    """The outcome of a permutation test.

    Attributes:
        p: Two-sided P.
        least: The smallest P that so few configurations can give.

    """

    p: float
    least: float


def permuted(runs: Sequence[Run], first: str, second: str, seed: int = 0) -> Permuted:
    """Exchange the norms of whole configurations, each with the runs of all its seeds.

    A configuration is what is drawn; its runs with several seeds are alike, and to exchange them
    one by one would take them for configurations of their own. Within a seed nothing else changes,
    so what a seed adds to all stays where it is. All exchanges are counted where there are few,
    else 20,000 that are drawn.

    Args:
        runs: Of two norms or more.
        first: A norm.
        second: Another.
        seed: Key of the draws.

    """
    means = [_means(runs, norm) for norm in (first, second)]
    pooled = np.concatenate(means)
    size, total = len(means[0]), len(pooled)
    observed = abs(means[0].mean() - means[1].mean())
    exact = comb(total, size)
    if exact <= MOST_EXACT:
        chosen = np.zeros((exact, total))
        for row, kept in enumerate(combinations(range(total), size)):
            chosen[row, list(kept)] = 1
    else:
        draws = generator("permutation", seed, total, size)
        order = draws.permuted(np.tile(np.arange(total), (MOST_EXACT, 1)), axis=1)
        chosen = np.zeros((MOST_EXACT, total))
        np.put_along_axis(chosen, order[:, :size], 1, axis=1)
    differences = np.abs(chosen @ pooled / size - (1 - chosen) @ pooled / (total - size))
    as_far = int((differences >= observed - 1e-12).sum())
    same = 2 if size == total - size else 1  # the mirror image of each exchange is one, too
    if exact <= MOST_EXACT:
        return Permuted(as_far / exact, same / exact)
    return Permuted((as_far + 1) / (MOST_EXACT + 1), 1 / (MOST_EXACT + 1))


def _means(runs: Sequence[Run], norm: str) -> Array:
    """Of each configuration of a norm the mean over its seeds, less what each seed adds to all."""
    seeds = {run.seed for run in runs}
    overall = np.mean([run.value for run in runs])
    added = {s: np.mean([r.value for r in runs if r.seed == s]) - overall for s in seeds}
    own: dict[object, list[float]] = {}
    for run in runs:
        if run.norm == norm:
            own.setdefault(run.config, []).append(run.value - float(added[run.seed]))
    return np.array([np.mean(values) for values in own.values()])

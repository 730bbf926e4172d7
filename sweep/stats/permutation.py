"""A check of a norm's effect that assumes no distribution: labels of norms change places.

What changes its label is what was drawn for a norm: a whole configuration, with the runs of all its
seeds. It tests that configurations of these norms score alike with these seeds, on these patients:
what a seed adds to all runs of one norm counts as the norm's. To exchange the labels of single runs
within a seed looks like a test with many more arrangements, but the runs of one configuration are
alike, and count as so many of their own: it finds a difference in up to four of ten tables of norms
that are alike (``benchmarks/norm_effect.py``). Only where every norm has one configuration labels
change within seeds; that tests whether *these configurations* score alike, and says nothing of
norms.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, permutations, product
from math import factorial, prod
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.keys import generator
from sweep.stats.estimate import Array
from sweep.stats.mixed import Run, indicator

MOST_EXACT = 20_000
Labels = NDArray[np.int8]


class Permuted(NamedTuple):
    """The outcome of a permutation test.

    Attributes:
        p: P that labels do not matter; two-sided of two norms.
        least: The smallest P that so few units can give.
        unit: What changed its label.

    """

    p: float
    least: float
    unit: Literal["configuration", "run"]


def permuted(runs: Sequence[Run], norms: Sequence[str], seed: int = 0) -> Permuted:
    """Test whether norms score alike, by the spread of their means.

    All arrangements are counted where there are few, else 20,000 that are drawn, and the one that
    was found is one of them: P is (b + 1) / (m + 1). Of configurations with unequal numbers of runs
    it is approximate.

    Args:
        runs: Of these norms and, for what a seed adds to all, of others.
        norms: Two or more, each with a run.
        seed: Key of the draws.

    """
    configs = Counter(norm for norm, _ in {(run.norm, run.config) for run in runs})
    if max(configs.values()) == 1:
        return _within_seeds(runs, norms, seed)
    centres = _config_means(runs, norms)
    sizes = [configs[norm] for norm in norms]
    alike = prod(map(factorial, Counter(sizes).values()))  # norms that trade all they have
    count = factorial(sum(sizes)) // prod(map(factorial, sizes))
    labels = np.repeat(np.arange(len(norms), dtype=np.int8), sizes)
    if count <= MOST_EXACT:
        arranged = _arrangements(tuple(sizes))
    else:
        draws = generator("permutation", seed, *sizes)
        arranged = draws.permuted(np.tile(labels, (MOST_EXACT, 1)), axis=1)
    found = _spread(labels[None], centres, sizes)
    as_far = _as_far(found, _spread(arranged, centres, sizes))
    return _permuted(as_far, count, alike, "configuration")


def _within_seeds(runs: Sequence[Run], norms: Sequence[str], seed: int) -> Permuted:
    values = {(run.norm, run.seed): run.value for run in runs}
    seeds = sorted({run.seed for run in runs})
    shared = [s for s in seeds if all((norm, s) in values for norm in norms)]
    if not shared:
        return Permuted(float("nan"), float("nan"), "run")
    table = np.array([[values[norm, s] for norm in norms] for s in shared])
    orders = np.array(list(permutations(range(len(norms)))))
    count = len(orders) ** len(shared)
    if count <= MOST_EXACT:
        chosen = np.array(list(product(range(len(orders)), repeat=len(shared))))
    else:
        draws = generator("permutation within seeds", seed, *table.shape)
        chosen = draws.integers(len(orders), size=(MOST_EXACT, len(shared)))
    sums = sum(row[orders[picks]] for row, picks in zip(table, chosen.T, strict=True))
    as_far = _as_far(table.sum(axis=0).var(keepdims=True), np.asarray(sums).var(axis=1))
    return _permuted(as_far, count, len(orders), "run")


def _permuted(
    as_far: int, count: int, alike: int, unit: Literal["configuration", "run"]
) -> Permuted:
    if count <= MOST_EXACT:
        return Permuted(as_far / count, alike / count, unit)
    return Permuted((as_far + 1) / (MOST_EXACT + 1), 1 / (MOST_EXACT + 1), unit)


def _as_far(found: Array, others: Array) -> int:
    return int((others >= found[0] * (1 - 1e-9) - 1e-300).sum())


def _spread(labels: Labels, centres: Array, sizes: Sequence[int]) -> Array:
    """(arrangements,) squares between norms, of which more is farther from alike."""
    moved = centres - centres.mean()
    squares = [((labels == n) @ moved) ** 2 / size for n, size in enumerate(sizes)]
    return np.asarray(np.sum(squares, axis=0))


@lru_cache(maxsize=16)
def _arrangements(sizes: tuple[int, ...]) -> Labels:
    """Every way to give as many units of each norm their labels."""
    rows = [np.full(sum(sizes), len(sizes) - 1, np.int8)]
    for norm, size in enumerate(sizes[:-1]):
        longer = []
        for row in rows:
            free = np.flatnonzero(row == len(sizes) - 1)
            for chosen in combinations(free, size):
                longer.append(row.copy())
                longer[-1][list(chosen)] = norm
        rows = longer
    return np.stack(rows)


def _config_means(runs: Sequence[Run], norms: Sequence[str]) -> Array:
    """Of the configurations of the norms in turn, the mean less what seeds add to all runs.

    By least squares of configurations and seeds, which know nothing of norms.
    """
    configs = list(dict.fromkeys((run.norm, run.config) for run in runs))
    parts = [
        indicator([(run.norm, run.config) for run in runs]),
        indicator([run.seed for run in runs]),
    ]
    both = np.hstack([parts[0], parts[1][:, 1:]])
    # Where each configuration has a seed of its own, what a seed adds cannot be taken off.
    design = both if np.linalg.matrix_rank(both) == both.shape[1] else parts[0]
    y = np.array([run.value for run in runs])
    solved = np.linalg.lstsq(design, y - y.mean(), rcond=None)[0]
    return np.array(
        [solved[at] for norm in norms for at, config in enumerate(configs) if config[0] == norm]
    )

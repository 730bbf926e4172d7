"""What the best of so many trials is expected to score, from trials that were run.

A comparison of two ways to search, or of two norms, depends on how many trials each had. Dodge et
al. 2019 (arXiv 1909.03004): the best of n trials that are drawn with replacement from those N that
were run.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweep.stats.estimate import Array


class ExpectedBest(NamedTuple):
    """The best score of n trials, for each n.

    Attributes:
        trials: (n,) how many, from 1 on.
        mean: (n,) what their best is expected to score.
        sd: (n,) how much that differs from one search to the next.
        low: (n,) nine in ten searches end between this
        high: (n,) and this.

    """

    trials: NDArray[np.intp]
    mean: Array
    sd: Array
    low: Array
    high: Array


def expected_best(scores: ArrayLike, higher_is_better: bool = True) -> ExpectedBest:
    """Estimate from trials that were drawn alike and independently, as by a random search.

    With the share F(v) of trials that score v or less, the best of n is v or less with the chance
    F(v)^n. A trial without a score costs as much as another and is never the best: what is given is
    the best of those searches in which at least one trial has a score. Of as many trials as were
    run, and no more: what lies beyond is not in the data. The estimate is a little low, as the best
    that there is may not have been drawn (Tang et al. 2020, arXiv 2004.13705).

    Args:
        scores: (N,) of the trials; NaN for one that has none.
        higher_is_better: Of the scores.

    Returns:
        Of 1 to N trials; all NaN where no trial has a score.

    """
    values = np.asarray(scores, np.float64)
    trials = np.arange(1, len(values) + 1, dtype=np.intp)
    missing = int(np.isnan(values).sum())
    sign = 1.0 if higher_is_better else -1.0
    known = np.sort(sign * values[~np.isnan(values)])
    if not len(known):
        nothing = np.full(len(values), np.nan)
        return ExpectedBest(trials, nothing, nothing, nothing, nothing)
    up_to = (np.arange(missing, len(values) + 1) / len(values)) ** trials[:, None]
    at_most = (up_to - up_to[:, :1]) / (1 - up_to[:, :1])
    chances = np.diff(at_most, axis=1)
    mean = chances @ known
    sd = np.sqrt((chances * (known - mean[:, None]) ** 2).sum(axis=1))
    ends = [
        sign * known[(at_most[:, 1:] >= level * (1 - 1e-12)).argmax(axis=1)]
        for level in (0.05, 0.95)
    ]
    return ExpectedBest(trials, sign * mean, sd, np.minimum(*ends), np.maximum(*ends))

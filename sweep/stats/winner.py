"""How much of a winner's score is its luck: it was chosen on the patients that it is scored on.

Bootstrap bias correction (Tsamardinos et al. 2018, doi 10.1007/s10994-018-5714-4): in each resample
of the patients the choice of trial and epoch is made again on the patients that were drawn, and
what is chosen is scored on those that were not. The mean of these scores is what such a choice is
worth.

The cells that count there are those that are worst for what is chosen among all patients. Cells
that are chosen again in each resample, of fewer patients, are often not the worst ones, and made
the score .010 too high where cells differ (``benchmarks/coverage.py``, 40 patients). What CVaR
loses by cells that are worst by chance, most where all are alike, stays in it.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.metrics.robustness import worst_weights
from sweep.stats.estimate import Array

RESAMPLES = 500


class Candidate(NamedTuple):
    """One epoch of one trial that could have been chosen.

    Attributes:
        group: What it competes in, such as its norm.
        value: (C,) its score in every cell, the clean one first.
        inside: (R, C) in every resample, on the patients that were drawn.
        outside: (R, C) on those that were not; NaN where these lack a class.

    """

    group: str
    value: Array
    inside: NDArray[np.floating]
    outside: NDArray[np.floating]


class Optimism(NamedTuple):
    """What a winner scored, and what such a choice is worth.

    Attributes:
        naive: The score by which it was chosen.
        corrected: The mean score, on patients that it was not chosen by, of what is chosen so.

    """

    naive: float
    corrected: float


def left_out(weights: Array) -> Array:
    """(R, P) 1 for every patient that was not drawn, else 0."""
    return np.asarray(weights == 0, np.float64)


def weights_of(summary: str, values: NDArray[np.floating]) -> Array:
    """How much each cell counts in a summary.

    Args:
        summary: ``clean``, ``mean``, ``worst`` or ``cvar``; more is better.
        values: (..., C) by which the worst cells are found, the clean cell first.

    Returns:
        (..., C), which sum to 1.

    """
    found = np.zeros(values.shape)
    stressed = values[..., 1:]
    if summary == "clean":
        found[..., 0] = 1
    elif summary == "mean":
        found[..., 1:] = 1 / stressed.shape[-1]
    elif summary == "worst":
        found[..., 1:] = np.arange(stressed.shape[-1]) == stressed.argmin(axis=-1)[..., None]
    else:
        found[..., 1:] = worst_weights(np.asarray(stressed, np.float64))
    return found


def optimism(candidates: Iterable[Candidate], summary: str) -> dict[str | None, Optimism]:
    """What the choice of the best is worth, of all and of each group.

    Args:
        candidates: With the same cells and resamples.
        summary: What is chosen by, see ``weights_of``.

    Returns:
        By group; of all under None. A candidate with a missing cell is never chosen.

    """
    best: dict[str | None, tuple[float, Array, Array]] = {}
    for one in candidates:
        naive = float((weights_of(summary, one.value) * one.value).sum())
        if np.isnan(naive):
            continue
        inside = (weights_of(summary, one.inside) * one.inside).sum(axis=-1)
        outside = one.outside @ weights_of(summary, one.value)
        for group in (None, one.group):
            if group not in best:
                best[group] = naive, inside.copy(), outside.copy()
                continue
            most, chosen_by, worth = best[group]
            better = ~(inside <= chosen_by)
            better &= ~np.isnan(inside)
            chosen_by[better], worth[better] = inside[better], outside[better]
            best[group] = max(most, naive), chosen_by, worth
    return {
        group: Optimism(naive, float(np.nanmean(worth)))
        for group, (naive, _, worth) in best.items()
    }

"""How much of a winner's score is its luck: it was chosen on the patients that it is scored on.

Bootstrap bias correction (Tsamardinos et al. 2018, doi 10.1007/s10994-018-5714-4): in each resample
of the patients the whole choice is made again, trial, epoch and worst cells, on the patients that
were drawn, and what is chosen is scored on those that were not. The mean of these scores is what
such a choice is worth: what the chosen checkpoint would score with other patients in the cells that
were chosen with it, as finalists are scored.

With forty patients it is .005 too high or less for the best of 12, and .006 for the best of 300,
whose own score is .074 too high: see ``benchmarks/coverage.py``. Were the cells chosen among all
patients, those left out included, it would be .02 too low where cells are alike, as those of a
robust model are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Predictions
from sweep.metrics import Metric
from sweep.metrics.robustness import worst_weights
from sweep.stats.checkpoint import cells_of
from sweep.stats.estimate import Array
from sweep.stats.optimism import Optimism

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


def left_out(weights: Array) -> Array:
    """(R, P) 1 for every patient that was not drawn, else 0."""
    return np.asarray(weights == 0, np.float64)


def candidate_of(
    group: str,
    metric: Metric,
    predictions: Sequence[Predictions],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    points: Mapping[int, float],
    weights: Array,
) -> Candidate:
    """A checkpoint as a candidate: so its predictions need not be kept.

    Args:
        group: What it competes in.
        metric: By which it is chosen.
        predictions: Every cell, the clean one among them, in the order of all candidates.
        truth: (N, L) whether a slice shows a label.
        patients: (N,) the patient of each slice.
        points: The operating point of each label, by its column.
        weights: (R, P) of ``resampled_patients``.

    """
    both = np.concatenate([weights, left_out(weights)])
    macro = cells_of(metric, predictions, truth, patients, points, both)
    parts = [macro[CLEAN], *(part for cell, part in macro.items() if cell != CLEAN)]
    draws = np.stack([part.draws for part in parts], axis=-1).astype(np.float32)
    inside, outside = np.split(draws, 2)
    return Candidate(group, np.array([part.value for part in parts]), inside, outside)


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
        counted = weights_of(summary, one.inside)
        inside = (counted * one.inside).sum(axis=-1)
        outside = (counted * one.outside).sum(axis=-1)
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

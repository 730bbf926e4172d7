"""Estimates of metrics whose slices cluster in patients.

AUROC has an exact short way: the wins of each patient's positive slices over each patient's
negative ones are counted once, P x P, and any weighting of the patients is a product with that
table. Other metrics are evaluated at every resample. Clustered AUROC: Obuchowski, Biometrics 1997.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sweep.metrics.functions import Scores, Truth, Values, Weights, auroc, ratio
from sweep.stats.estimate import Array, Estimate

Function = Callable[[Scores, Truth, Weights | None], Values]
CHUNK_BYTES = 64 << 20  # of slice weights at a time
AT_A_TIME = 64  # patients whose negative slices are counted together: bounds the memory


def estimate(
    function: Function, scores: Scores, truth: Truth, of: NDArray[np.intp], weights: Array
) -> Estimate:
    """A metric of one label in one cell.

    Args:
        function: Of the table of metrics.
        scores: (N,) what the function wants of each slice.
        truth: (N,) whether the slice shows the label.
        of: (N,) the number of each slice's patient, from 0.
        weights: (R, P) how often each patient is drawn.

    Returns:
        Missing, with all its resamples, where the metric is missing.

    """
    count = weights.shape[1]
    if len(scores) == 0 or not np.isfinite(scores).all():
        return missing(len(weights), count)
    if function is auroc:
        return _auroc(scores, truth, of, weights)
    value = float(function(scores, truth, None)[0])
    if np.isnan(value):
        return missing(len(weights), count)
    without = _at(function, scores, truth, of, 1 - np.eye(count))
    draws = _at(function, scores, truth, of, weights)
    return Estimate(value, draws, influence_of(value, without))


def influence_of(value: float, without: Array) -> Array:
    """The jackknife's influence of each patient: (P - 1) / P times what is lost without it.

    Args:
        value: With every patient once.
        without: (P,) without each; NaN, which counts as no loss, where a label is one patient's.

    """
    lost = np.nan_to_num(value - without)
    count = len(without)
    return np.asarray((count - 1) / count * (lost - lost.mean()))


def missing(resamples: int, patients: int) -> Estimate:
    """A value that is not there."""
    return Estimate(np.nan, np.full(resamples, np.nan), np.full(patients, np.nan))


def wins(scores: Scores, truth: Truth, of: NDArray[np.intp], patients: int) -> Array:
    """How often positive slices of a patient score above negative ones of a patient, ties half.

    Args:
        scores: (N,).
        truth: (N,).
        of: (N,) the number of each slice's patient.
        patients: Their number P.

    Returns:
        (P, P): K[j, k] of the positives of j and the negatives of k.

    """
    order = np.argsort(scores[~truth], kind="stable")
    negative, theirs = scores[~truth][order], of[~truth][order]
    by_patient = np.argsort(of[truth], kind="stable")
    positive = scores[truth][by_patient]
    owners, first = np.unique(of[truth][by_patient], return_index=True)
    table = np.zeros((patients, patients))
    for start in range(0, patients, AT_A_TIME):
        some = slice(start, min(start + AT_A_TIME, patients))
        chosen = (theirs >= some.start) & (theirs < some.stop)
        ranked, columns = negative[chosen], theirs[chosen] - start
        # Whole numbers below 2^24, which float32 has exactly.
        below = np.zeros((len(ranked) + 1, some.stop - some.start), np.float32)
        below[np.arange(1, len(ranked) + 1), columns] = 1
        np.cumsum(below, axis=0, out=below)
        won = below[np.searchsorted(ranked, positive, "left")]
        won += below[np.searchsorted(ranked, positive, "right")]
        table[owners, some] = np.add.reduceat(won, first, axis=0, dtype=np.float64) / 2
    return table


def _auroc(scores: Scores, truth: Truth, of: NDArray[np.intp], weights: Array) -> Estimate:
    patients = weights.shape[1]
    p = np.bincount(of[truth], minlength=patients).astype(np.float64)
    n = np.bincount(of[~truth], minlength=patients).astype(np.float64)
    pairs = p.sum() * n.sum()
    if pairs == 0:
        return missing(len(weights), patients)
    table = wins(scores, truth, of, patients)
    value = float(table.sum() / pairs)
    left = table.sum() - table.sum(axis=1) - table.sum(axis=0) + np.diagonal(table)
    without = ratio(left, (p.sum() - p) * (n.sum() - n))
    above = np.einsum("rj,rj->r", weights @ table, weights)
    drawn = (weights @ p) * (weights @ n)
    return Estimate(value, ratio(above, drawn), influence_of(value, without))


def _at(
    function: Function, scores: Scores, truth: Truth, of: NDArray[np.intp], weights: Array
) -> Array:
    """(R,) the metric at weights of patients (R, P), some rows at a time."""
    rows = max(1, CHUNK_BYTES // (8 * max(1, len(of))))
    parts = [
        function(scores, truth, weights[start : start + rows][:, of])
        for start in range(0, len(weights), rows)
    ]
    return np.concatenate(parts)

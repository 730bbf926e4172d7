"""The metrics themselves: of one label in one cell, for several weightings of the slices at once.

Each takes the probability of a label (N,), whether the slice shows it (N,) and weights (R, N), one
row for each resample of the patients, and gives (R,); NaN where the value is missing.
"""

import numpy as np
from numpy.typing import NDArray

Probability = NDArray[np.floating]
Truth = NDArray[np.bool_]
Weights = NDArray[np.floating]
Values = NDArray[np.float64]


def auroc(probability: Probability, truth: Truth, weights: Weights | None = None) -> Values:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counted half.

    Args:
        probability: (N,) Probability of the label; only its order counts.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a probability is not finite or one class has no weight.

    """
    rows = _rows(truth, weights)
    if len(truth) == 0 or not np.isfinite(probability).all():
        return np.full(len(rows), np.nan)
    order = np.argsort(probability, kind="stable")
    ties = np.flatnonzero(np.diff(probability[order], prepend=-np.inf))
    sorted_rows, sorted_truth = rows[:, order], truth[order]
    positive = np.add.reduceat(sorted_rows * sorted_truth, ties, axis=1)
    negative = np.add.reduceat(sorted_rows * ~sorted_truth, ties, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    wins = (positive * below).sum(axis=1)
    return _ratio(wins, pairs)


def balanced_accuracy(
    probability: Probability, truth: Truth, weights: Weights | None = None
) -> Values:
    """Mean of sensitivity and specificity, where a probability above 0.5 names the label.

    Of a multi-class task a label stands against the rest, and 0.5 is the threshold at which it
    certainly has the largest probability. Source: Brodersen et al., ICPR 2010.

    Args:
        probability: (N,) Probability of the label.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a probability is not finite or one class has no weight.

    """
    rows = _rows(truth, weights)
    if not np.isfinite(probability).all():
        return np.full(len(rows), np.nan)
    named = probability > 0.5
    sensitivity = _ratio(rows @ (named & truth), rows @ truth)
    specificity = _ratio(rows @ (~named & ~truth), rows @ ~truth)
    return (sensitivity + specificity) / 2


def _rows(truth: Truth, weights: Weights | None) -> Weights:
    return np.ones((1, len(truth))) if weights is None else weights


def _ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> Values:
    ratio = np.full(len(whole), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio

"""The metrics themselves: of one label in one cell, for several weightings of the slices at once.

Each takes scores of a label (N,), whether the slice shows it (N,) and weights (R, N), one row for
each resample of the patients, and gives (R,); NaN where the value is missing. Which scores they
are, the metric's row of the table says: log-odds, probabilities, or margins, which are log-odds
less the operating point, so that a slice is named where its margin is not negative.
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Probability = Scores
Truth = NDArray[np.bool_]
Weights = NDArray[np.floating]
Values = NDArray[np.float64]

ECE_BINS = 15


def auroc(scores: Scores, truth: Truth, weights: Weights | None = None) -> Values:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counted half.

    Args:
        scores: (N,) Any scores of the label; only their order counts.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a score is not finite or one class has no weight.

    """
    rows = _rows(truth, weights)
    if not _usable(scores):
        return np.full(len(rows), np.nan)
    positive, negative = _by_threshold(scores, truth, rows)
    above = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    wins = pairs - (positive * above).sum(axis=1)
    return ratio(wins, pairs)


def average_precision(scores: Scores, truth: Truth, weights: Weights | None = None) -> Values:
    """Area under the precision-recall steps: precision at each threshold times the recall it adds.

    There is no interpolation between thresholds, and slices of one score count together.

    Args:
        scores: (N,) Any scores of the label; only their order counts.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a score is not finite or one class has no weight.

    """
    rows = _rows(truth, weights)
    if not _usable(scores):
        return np.full(len(rows), np.nan)
    positive, negative = _by_threshold(scores, truth, rows)
    named = np.cumsum(positive, axis=1)
    total = named + np.cumsum(negative, axis=1)
    precision = np.divide(named, total, out=np.zeros_like(named), where=total > 0)
    value = ratio((positive * precision).sum(axis=1), positive.sum(axis=1))
    value[negative.sum(axis=1) <= 0] = np.nan
    return value


def sensitivity(margin: Scores, truth: Truth, weights: Weights | None = None) -> Values:
    """Share of the slices with the label that are named.

    Args:
        margin: (N,) Log-odds less the operating point; not negative: named.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a margin is not finite or no slice with the label has weight.

    """
    rows = _rows(truth, weights)
    if not _usable(margin):
        return np.full(len(rows), np.nan)
    return ratio(rows @ ((margin >= 0) & truth), rows @ truth)


def specificity(margin: Scores, truth: Truth, weights: Weights | None = None) -> Values:
    """Share of the slices without the label that are not named; see ``sensitivity``."""
    rows = _rows(truth, weights)
    if not _usable(margin):
        return np.full(len(rows), np.nan)
    return ratio(rows @ ((margin < 0) & ~truth), rows @ ~truth)


def balanced_accuracy(margin: Scores, truth: Truth, weights: Weights | None = None) -> Values:
    """Mean of sensitivity and specificity. Source: Brodersen et al., ICPR 2010."""
    return (sensitivity(margin, truth, weights) + specificity(margin, truth, weights)) / 2


def brier(probability: Probability, truth: Truth, weights: Weights | None = None) -> Values:
    """Mean squared difference of the probability of a label and its truth.

    Of a multi-class task a label stands against the rest. Source: Brier, Monthly Weather Review
    1950, in the form for two classes, from 0 to 1.

    Args:
        probability: (N,) Probability of the label.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a probability is not finite or no slice has weight.

    """
    rows = _rows(truth, weights)
    if not _usable(probability):
        return np.full(len(rows), np.nan)
    squares = (probability.astype(np.float64) - truth) ** 2
    return ratio(rows @ squares, rows.sum(axis=1))


def ece(probability: Probability, truth: Truth, weights: Weights | None = None) -> Values:
    """Expected calibration error of a label in 15 bins of equal width.

    The mean over bins, weighted by their slices, of the distance between the mean probability and
    the share of slices that show the label. Source: Guo et al., arXiv 1706.04599, for the
    probability of a label instead of that of the most probable class (cf. Nixon et al.,
    arXiv 1904.01685). It is never 0 by chance alone: the fewer slices, the greater.

    Args:
        probability: (N,) Probability of the label.
        truth: (N,) Whether the slice shows the label.
        weights: (R, N) Weights of the slices, not negative; None: one row of ones.

    Returns:
        (R,) float64; NaN where a probability is not finite or no slice has weight.

    """
    rows = _rows(truth, weights)
    if not _usable(probability):
        return np.full(len(rows), np.nan)
    bins = np.minimum((probability * ECE_BINS).astype(np.intp), ECE_BINS - 1)
    inside = bins[:, None] == np.arange(ECE_BINS)
    excess = rows @ (inside * (probability.astype(np.float64) - truth)[:, None])
    return ratio(np.abs(excess).sum(axis=1), rows.sum(axis=1))


def _rows(truth: Truth, weights: Weights | None) -> Weights:
    return np.ones((1, len(truth))) if weights is None else weights


def _usable(scores: Scores) -> bool:
    return len(scores) > 0 and bool(np.isfinite(scores).all())


def _by_threshold(
    scores: Scores, truth: Truth, rows: Weights
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the slices with and without the label at each score, (R, T), greatest first."""
    order = np.argsort(-scores, kind="stable")
    ties = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    sorted_rows, sorted_truth = rows[:, order], truth[order]
    positive = np.add.reduceat(sorted_rows * sorted_truth, ties, axis=1)
    negative = np.add.reduceat(sorted_rows * ~sorted_truth, ties, axis=1)
    return positive, negative


def ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> Values:
    """(R,) part / whole of sums of weights (R,); NaN where the whole has no weight."""
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares

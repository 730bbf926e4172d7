"""Scores of a checkpoint: AUROC per cell and label, and the robust summary.

Definitions: AUROC is the Mann-Whitney statistic, ties counted half; a multi-class or multi-label
task takes the macro mean over labels, one against the rest. A robust summary looks at all
(artifact, level) cells; a missing cell leaves it missing (NaN), never filled. CVaR is the mean of
the worst quarter of the cells, a steadier companion of the worst cell (cf. Sagawa et al. 2020,
arXiv 1911.08731, on worst-group risk).
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Cell, Predictions, Score

CVAR_FRACTION = 0.25


def auroc(
    probability: NDArray[np.floating],
    truth: NDArray[np.bool_],
    weights: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Area under the ROC curve, for several weightings of the same slices at once.

    Args:
        probability: (N,) of the positive class; only its order counts.
        truth: (N,) bool.
        weights: (R, N) non-negative, one row for each resample; None: one row of ones.

    Returns:
        (R,) float64; NaN where a probability is not finite or one class has no weight.

    """
    rows = np.ones((1, len(truth))) if weights is None else weights
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
    area = np.full(len(rows), np.nan)
    np.divide(wins, pairs, out=area, where=pairs > 0)
    return area


def cvar(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the worst quarter, at least one, of the cells.

    Args:
        values: (..., cells), higher is better.

    Returns:
        (...); NaN where a cell is missing.

    """
    worst = math.ceil(CVAR_FRACTION * values.shape[-1])
    # np.sort puts NaN last, where a slice would silently drop it.
    kept: NDArray[np.float64] = np.sort(values, axis=-1)[..., :worst].mean(axis=-1)
    missing = np.isnan(values).any(axis=-1)
    return np.where(missing, np.nan, kept)


def score(
    predictions: Iterable[Predictions], truth: NDArray[np.bool_], labels: Sequence[str]
) -> tuple[Score, ...]:
    """AUROC of each cell and label.

    Args:
        predictions: of one checkpoint.
        truth: (N, L) bool.
        labels: L names.

    """
    return tuple(
        Score(
            cell=prediction.cell,
            label=label,
            auroc=float(auroc(prediction.probability[:, column], truth[:, column])[0]),
            positives=int(truth[:, column].sum()),
            slices=len(truth),
        )
        for prediction in predictions
        for column, label in enumerate(labels)
    )


def summarize(scores: Iterable[Score]) -> dict[str, float]:
    """The metrics of one checkpoint by their MLflow names."""
    by_cell: dict[Cell, dict[str, float]] = {}
    for item in scores:
        by_cell.setdefault(item.cell, {})[item.label] = item.auroc
    macro = {cell: float(np.mean(list(labels.values()))) for cell, labels in by_cell.items()}
    stressed = np.array([value for cell, value in macro.items() if cell != CLEAN])
    return {
        "clean/auroc": macro[CLEAN],
        **{f"clean/auroc_{label}": value for label, value in by_cell[CLEAN].items()},
        **{name: float(value) for name, value in robust(stressed).items()},
    }


def robust(values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The robust summary of macro AUROCs.

    Args:
        values: (..., cells).

    Returns:
        (...) for each name.

    """
    return {
        "robust/auroc_mean": np.asarray(values.mean(axis=-1)),
        "robust/auroc_worst": np.asarray(values.min(axis=-1)),
        "robust/auroc_cvar": np.asarray(cvar(values)),
    }

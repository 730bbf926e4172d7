"""Cells in which a checkpoint says nothing of its slices any more.

Test-time adaptation of batch norm may fail so where the labels of a batch are other than those of
training, arXiv 2402.04958. A mean over cells hides it.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import Cell, Predictions
from sweep.metrics.functions import auroc


def collapsed(
    predictions: Iterable[Predictions], truth: NDArray[np.bool_], task: str
) -> tuple[Cell, ...]:
    """The cells that are collapsed, in the order of the predictions.

    A cell is, if the macro mean of AUROC over labels is below 0.5, or if every slice gets the same
    set of labels while the slices show more than one set: of a multi-class task the most probable
    label, of a multi-label task those of probability above 0.5. A cell whose
    log-odds are not all numbers is missing and not collapsed.

    Args:
        predictions: Of one checkpoint, a cell each.
        truth: (N, L) Whether a slice shows a label.
        task: ``multiclass`` or ``multilabel``.

    """
    varied = bool((truth != truth[:1]).any())
    return tuple(
        item.cell
        for item in predictions
        if _below_chance(item.log_odds, truth) or (varied and _constant(item.log_odds, task))
    )


def _below_chance(log_odds: NDArray[np.float32], truth: NDArray[np.bool_]) -> bool:
    columns = zip(log_odds.T, truth.T, strict=True)
    macro = np.mean([auroc(p, t)[0] for p, t in columns])
    return bool(macro < 0.5)  # a missing value is not below


def _constant(log_odds: NDArray[np.float32], task: str) -> bool:
    if not np.isfinite(log_odds).all():
        return False
    if task == "multiclass":
        named = log_odds.argmax(axis=1)
        return bool((named == named[0]).all())
    chosen = log_odds > 0
    return bool((chosen == chosen[0]).all())

"""The operating point of a label: from which log-odds on a slice is named.

It is chosen once, on clean validation slices, and then frozen: a point that is chosen again on
corrupted slices flatters sensitivity and specificity under a shift.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Predictions
from sweep.metrics.functions import Scores, Truth

SENSITIVITY = 0.9


def operating_point(log_odds: Scores, truth: Truth) -> float:
    """The greatest log-odds at which at least nine in ten of the slices with the label are named.

    Args:
        log_odds: (N,) Of the label.
        truth: (N,) Whether the slice shows it.

    Returns:
        The log-odds of some slice with the label; a slice is named from there on. NaN where a
        value is not finite, or only one class is there.

    """
    shown = np.sort(log_odds[truth])[::-1]
    if len(shown) in (0, len(truth)) or not np.isfinite(log_odds).all():
        return float("nan")
    # In whole slices, as .9 times their number is not what it seems in binary fractions.
    needed = -(-round(SENSITIVITY * 1000) * len(shown) // 1000)
    return float(shown[needed - 1])


def operating_points(
    predictions: Iterable[Predictions], truth: NDArray[np.bool_], labels: Sequence[str]
) -> Mapping[str, float]:
    """The operating point of every label, from the clean cell; none where there is none.

    Args:
        predictions: Of one checkpoint on validation slices, a cell each.
        truth: (N, L) Whether a slice shows a label.
        labels: The L names.

    """
    for item in predictions:
        if item.cell == CLEAN:
            columns = zip(labels, item.log_odds.T, truth.T, strict=True)
            return {label: operating_point(scores, shown) for label, scores, shown in columns}
    return {}

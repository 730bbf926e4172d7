"""How sure a score is: a bootstrap over patients, as slices of one patient are correlated."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.keys import generator
from sweep.core.records import Predictions
from sweep.metrics.functions import Values
from sweep.metrics.operating import operating_points
from sweep.metrics.summary import by_unit, summary_of
from sweep.metrics.table import Metric, metrics

RESAMPLES = 1000
COVERAGE = 0.95
# Resamples at a time: bounds the memory at a few hundred MB for 40,000 slices.
CHUNK = 250


def resample_patients(patients: Sequence[str], resamples: int, seed: int) -> NDArray[np.float64]:
    """Weights of slices when whole patients are drawn with replacement.

    Args:
        patients: (N,) The patient of each slice.
        resamples: The number R of draws.
        seed: Key of the draws; the same seed and patients give the same resamples, so that two
            models can be compared on them.

    Returns:
        (R, N): how often the patient of a slice was drawn.

    """
    names, of_slice = np.unique(np.asarray(patients), return_inverse=True)
    draws = generator(seed, "patients", len(names))
    shares = np.full(len(names), 1 / len(names))
    counts = draws.multinomial(len(names), shares, size=resamples)
    return counts[:, of_slice].astype(np.float64)


def bootstrap(
    predictions: Iterable[Predictions],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (95 %) of the clean and the robust scores.

    Args:
        predictions: The predictions of one checkpoint, every cell.
        truth: (N, L) Whether a slice shows a label.
        patients: (N,) The patient of each slice.
        resamples: Draws of patients.
        seed: Key of the draws.

    Returns:
        (low, high) by name; one is left out when over one resample in twenty lacks it (a label
        that few patients have).

    """
    weights, cells = resample_patients(patients, resamples, seed), list(predictions)
    points = operating_points(cells, truth, [str(at) for at in range(truth.shape[1])])
    tail = (1 - COVERAGE) / 2
    return {
        name: (float(np.nanquantile(values, tail)), float(np.nanquantile(values, 1 - tail)))
        for metric in metrics().values()
        if metric.has_interval
        for name, values in _draws(metric, cells, truth, patients, weights, points).items()
        if np.isnan(values).mean() <= 0.05
    }


def _draws(
    metric: Metric,
    cells: Sequence[Predictions],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    weights: NDArray[np.float64],
    points: Mapping[str, float],
) -> dict[str, Values]:
    """The summaries of a metric in every resample, (R,) each."""
    macro = {
        item.cell: _macro(metric, item.log_odds, truth, patients, weights, points) for item in cells
    }
    return summary_of(metric, macro)


def _macro(
    metric: Metric,
    log_odds: NDArray[np.float32],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    weights: NDArray[np.float64],
    points: Mapping[str, float],
) -> Values:
    labels = [
        by_unit(metric, log_odds[:, at], truth[:, at], patients, points.get(str(at), np.nan))
        for at in range(truth.shape[1])
    ]
    parts = [
        np.mean([metric.function(p, t, part[:, first]) for p, t, first in labels], axis=0)
        for part in np.array_split(weights, max(1, len(weights) // CHUNK))
    ]
    return np.concatenate(parts)

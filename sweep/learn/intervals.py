"""How sure a score is: a bootstrap over patients, as slices of one patient are correlated."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Predictions
from sweep.learn.metrics import auroc, robust

RESAMPLES = 1000
COVERAGE = 0.95
# Resamples at a time: bounds the memory at a few hundred MB for 40,000 slices.
CHUNK = 250


def resample_patients(patients: Sequence[str], resamples: int, seed: int) -> NDArray[np.float64]:
    """Weights of slices when whole patients are drawn with replacement.

    Args:
        patients: of each of N slices.
        resamples: R.
        seed: key of the draws; the same seed and patients give the same resamples, so that two
            models can be compared on them.

    Returns:
        (R, N): how often the patient of a slice was drawn.

    """
    names, of_slice = np.unique(np.asarray(patients), return_inverse=True)
    generator = np.random.default_rng([seed, len(names)])
    shares = np.full(len(names), 1 / len(names))
    counts = generator.multinomial(len(names), shares, size=resamples)
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
        predictions: of one checkpoint, every cell.
        truth: (N, L) bool.
        patients: of each of N slices.
        resamples: draws of patients.
        seed: key of the draws.

    Returns:
        (low, high) by metric; a metric is left out when over one resample in twenty lacks it
        (a label that few patients have).

    """
    weights = resample_patients(patients, resamples, seed)
    macro = {item.cell: _macro(item.probability, truth, weights) for item in predictions}
    stressed = np.stack([value for cell, value in macro.items() if cell != CLEAN], axis=-1)
    draws = {"clean/auroc": macro[CLEAN], **robust(stressed)}
    tail = (1 - COVERAGE) / 2
    return {
        name: (float(np.nanquantile(values, tail)), float(np.nanquantile(values, 1 - tail)))
        for name, values in draws.items()
        if np.isnan(values).mean() <= 0.05
    }


def _macro(
    probability: NDArray[np.float32], truth: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    parts = [
        np.mean([auroc(p, t, part) for p, t in zip(probability.T, truth.T, strict=True)], axis=0)
        for part in np.array_split(weights, max(1, len(weights) // CHUNK))
    ]
    return np.concatenate(parts)

"""How sure a level is: intervals of knob values, over the choice of patients."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.calibration.isotonic import falling_fit

RESAMPLES = 1000
COVERAGE = 0.95


def knob_intervals(
    knobs: NDArray[np.float64],
    ssim: NDArray[np.float64],
    patients: Sequence[str],
    targets: Sequence[float],
    seed: int,
) -> list[tuple[float, float]]:
    """Percentile intervals (95 %) of the knob values that reach targets.

    Every resample of the patients has its own falling curve, from which the knob values are read,
    straight lines between its points. A curve that stays above a target counts as the last knob.

    Args:
        knobs: (K,), rising from 0.
        ssim: (K, B), of every slice at every knob value.
        patients: B names; whose slice it is.
        targets: Mean SSIMs.
        seed: Key of the resamples; the same seed and patients give the same ones.

    Returns:
        (low, high) for each target.

    """
    fits = map(falling_fit, resampled_weights(patients, seed) @ ssim.T)
    reached = [np.interp(targets, fit[::-1], knobs[::-1]) for fit in fits]
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(reached, (tail, 1 - tail), axis=0).tolist()
    return list(zip(low, high, strict=True))


def resampled_weights(patients: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Weights of slices when whole patients are drawn with replacement.

    Args:
        patients: B names; whose slice it is.
        seed: Key of the draws.

    Returns:
        (R, B); each row sums to 1.

    """
    names, of_slice = np.unique(patients, return_inverse=True)
    generator = np.random.default_rng([seed % 2**64, len(names)])
    shares = np.full(len(names), 1 / len(names))
    counts = generator.multinomial(len(names), shares, size=RESAMPLES)[:, of_slice]
    weights: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return weights

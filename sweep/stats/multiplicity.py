"""Several tests at once: what is left of their P values, and intervals that hold together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.stats.estimate import Array


def holm(p: Sequence[float]) -> list[float]:
    """P values that keep the chance of any false finding; Holm, Scandinavian J. Statistics 1979.

    Args:
        p: Of each test; a missing one stays missing and counts as no test.

    """
    known = [at for at, value in enumerate(p) if not np.isnan(value)]
    found, highest = [float("nan")] * len(p), 0.0
    for place, at in enumerate(sorted(known, key=lambda number: p[number])):
        highest = max(highest, (len(known) - place) * p[at])
        found[at] = min(1.0, highest)
    return found


def max_t(values: Array, draws: Array, errors: Array) -> Array:
    """P values of many cells of the same patients, by the greatest distance that chance makes.

    Westfall and Young's single step with the bootstrap distribution about the values.

    Args:
        values: (C,) differences.
        draws: (R, C) in common resamples.
        errors: (C,) standard errors.

    Returns:
        (C,) adjusted two-sided P; NaN where a value is missing or nothing moves it.

    """
    usable, greatest = _greatest(values, draws, errors)
    found = np.full(len(values), np.nan)
    observed = np.abs(values[usable]) / errors[usable]
    as_far = (greatest[:, None] >= observed).sum(axis=0)
    found[usable] = (as_far + 1) / (len(greatest) + 1)
    return found


def simultaneous(values: Array, draws: Array, errors: Array, coverage: float = 0.95) -> Array:
    """Intervals of many cells, all of which hold at once with the coverage.

    Each reaches as many standard errors to both sides as the greatest distance of ``max_t`` does.

    Args:
        values: (C,) differences.
        draws: (R, C) in common resamples.
        errors: (C,) standard errors.
        coverage: Of all together.

    Returns:
        (C, 2) lower and upper ends; NaN where a value is missing or nothing moves it.

    """
    usable, greatest = _greatest(values, draws, errors)
    found = np.full((len(values), 2), np.nan)
    if usable.any():
        reach = np.quantile(greatest, coverage) * errors[usable]
        found[usable] = np.stack([values[usable] - reach, values[usable] + reach], axis=1)
    return found


def _greatest(values: Array, draws: Array, errors: Array) -> tuple[NDArray[np.bool_], Array]:
    """Which cells are usable, and in each resample how many errors the farthest of them is off."""
    usable = np.isfinite(values) & (errors > 0)
    if not usable.any():
        return usable, np.zeros(0)
    moved = np.abs(draws[:, usable] - values[usable]) / errors[usable]
    defined = ~np.isnan(moved).all(axis=1)  # a resample may lack a label
    return usable, np.nanmax(moved[defined], axis=1)

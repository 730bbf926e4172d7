"""Several tests at once: what is left of their P values."""

from collections.abc import Sequence

import numpy as np

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
    usable = np.isfinite(values) & (errors > 0)
    found = np.full(len(values), np.nan)
    if not usable.any():
        return found
    moved = np.abs(draws[:, usable] - values[usable]) / errors[usable]
    defined = ~np.isnan(moved).all(axis=1)  # a resample may lack a label
    greatest = np.nanmax(moved[defined], axis=1)
    observed = np.abs(values[usable]) / errors[usable]
    as_far = (greatest[:, None] >= observed).sum(axis=0)
    found[usable] = (as_far + 1) / (defined.sum() + 1)
    return found

"""Several tests at once: what is left of their P values."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

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


def max_t(p: Array, draws: Array) -> Array:
    """P values of many cells of the same patients, by the greatest distance that chance makes.

    Westfall and Young's single step. How unlikely a cell is by itself, its P says, which knows how
    few its patients are; the resamples say how the cells move together. A cell's P is taken as the
    distance of a normal value that is as unlikely, and compared with the farthest cell of each
    resample, each cell counted in spreads of its own: distances in standard errors would let the
    resamples, whose spread is too small and normal for few patients, find too much.

    Args:
        p: (C,) two-sided P of each cell by itself; a missing one counts as no test.
        draws: (R, C) in common resamples.

    Returns:
        (C,) adjusted P, none below that of the cell by itself; NaN where that is missing.

    """
    found = np.full(len(p), np.nan)
    spread = np.nanstd(draws, axis=0)
    usable = np.isfinite(p) & (spread > 0)
    found[np.isfinite(p) & ~usable] = p[np.isfinite(p) & ~usable]  # nothing moves it
    if not usable.any():
        return found
    moved = np.abs(draws[:, usable] - np.nanmean(draws[:, usable], axis=0)) / spread[usable]
    defined = ~np.isnan(moved).all(axis=1)  # a resample may lack a label
    greatest = np.nanmax(moved[defined], axis=1)
    observed = -ndtri(p[usable] / 2)
    as_far = (greatest[:, None] >= observed).sum(axis=0)
    found[usable] = np.maximum(p[usable], (as_far + 1) / (len(greatest) + 1))
    return found

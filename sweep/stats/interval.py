"""Intervals and P values of an estimate, honest with as few as forty patients.

Percentile intervals of a bootstrap are too short for few patients: the quantiles are moved out to
where those of a t distribution would be (expanded percentile: Hesterberg 2015, PMC4784504), by the
standard error of the jackknife, which is not too small for few patients, as the spread of the
resamples is. The degrees of freedom follow from the kurtosis of the patients' influence, after
Satterthwaite's rule: where some patients count much more than others, there are fewer of them than
it seems.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from sweep.stats.estimate import Array, Estimate

COVERAGE = 0.95
MOST_UNDEFINED = 0.05  # of the resamples


class Interval(NamedTuple):
    """What lies between two ends with some confidence; NaN where there is none.

    Attributes:
        low: The lower end.
        high: The upper end.
        df: The degrees of freedom.

    """

    low: float
    high: float
    df: float


def degrees_of_freedom(influence: Array) -> float:
    """2 P / (kappa - 1), at least 2; kappa = P sum d^4 / (sum d^2)^2 of the influences d (P,).

    Infinite where all patients count alike, and NaN where none does.
    """
    squares = influence**2
    total = squares.sum()
    if not total > 0:
        return float("nan")
    count = len(influence)
    excess = count * (squares**2).sum() / total**2 - 1
    return float(max(2.0, 2 * count / excess)) if excess > 1e-12 else float("inf")


def interval(estimate: Estimate, coverage: float = COVERAGE) -> Interval:
    """The expanded percentile interval of an estimate.

    Args:
        estimate: With its resamples.
        coverage: The confidence.

    Returns:
        NaN where the value is missing, or undefined in over one resample in twenty. A value that no
        patient moves has both ends at itself.

    """
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    undefined = np.isnan(estimate.draws)
    if np.isnan(estimate.value) or undefined.mean() > MOST_UNDEFINED:
        return nothing
    df, count = degrees_of_freedom(estimate.influence), len(estimate.influence)
    draws = estimate.draws[~undefined]
    spread = draws.std()
    if np.isnan(df) or count < 2 or spread == 0:
        return Interval(estimate.value, estimate.value, df) if count > 1 else nothing
    quantile = float(stdtrit(min(df, 1e9), 0.5 + coverage / 2))
    tail = float(ndtr(-quantile * standard_error(estimate) / spread))
    low, high = np.quantile(draws, (tail, 1 - tail))
    return Interval(float(low), float(high), df)


def standard_error(estimate: Estimate) -> float:
    """The jackknife's standard error: sqrt(P / (P - 1) sum d^2) of the influences d (P,)."""
    count = len(estimate.influence)
    if count < 2:
        return float("nan")
    return float(np.sqrt(count / (count - 1) * (estimate.influence**2).sum()))


def p_value(estimate: Estimate, value: float = 0.0) -> float:
    """Two-sided P that an estimate is a value: t with the degrees of freedom of its influence.

    1 where nothing differs, as for a model against itself.
    """
    error, distance = standard_error(estimate), abs(estimate.value - value)
    if np.isnan(distance) or np.isnan(error):
        return float("nan")
    if error == 0:
        return 1.0 if distance == 0 else 0.0
    df = min(degrees_of_freedom(estimate.influence), 1e9)
    return float(2 * stdtr(df, -distance / error))

"""A mixed model of runs: what a norm adds, with configurations and seeds as the units.

    y = mean of the norm + configuration (nested in the norm) + seed + norm x seed + rest

The norm is fixed; all else is random, independent and normal. A seed adds one part to all norms
and another to all configurations of one norm, which share their first weights and batches. Without
the latter, norms that are alike are found to differ in up to a quarter of all tables
(``benchmarks/norm_effect.py``: means of configurations). Variances by REML (Patterson and Thompson,
Biometrika 1971), degrees of freedom after Satterthwaite, from the expected information of the
variances (cf. Giesbrecht and Burns, Biometrics 1985).

The variance of configurations may come out below 0, where their means differ by less than the rest
alone would make them, and is then kept as it is; that of norm x seed is left out where it comes out
as 0. So of a complete table the test is that of the analysis of variance. What is reported as a
variance is never below 0.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from sweep.stats.estimate import Array

LEAST = 0.9  # of the rest's share in a configuration's mean that its variance may take back
STEEPEST = 15.0  # a variance exp(15) times that of the rest is as good as infinite
NOTHING = 1e-6  # of the variance of the rest: below, a variance is 0
NO_SPREAD = 1e-12  # of the largest value: below, runs are alike
CERTAIN = 1e9  # degrees of freedom
FEWEST = 1.0  # of a sum of variances of which one is below 0 Satterthwaite's rule gives less


class Run(NamedTuple):
    """One training.

    Attributes:
        norm: Its norm.
        config: Its configuration; the name is enough within the norm.
        seed: Its seed.
        value: What it scored.

    """

    norm: str
    config: Hashable
    seed: int
    value: float


class Measured(NamedTuple):
    """A mean, or a difference of two, and how sure it is.

    Attributes:
        value: What was found.
        error: Its standard error.
        df: The degrees of freedom of the error.

    """

    value: float
    error: float
    df: float

    @property
    def p(self) -> float:
        """Two-sided P that it is 0; NaN where nothing varies."""
        if not self.error > 0:
            return float("nan")
        return float(2 * stdtr(self.df, -abs(self.value) / self.error))

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """By t with the degrees of freedom; NaN where nothing varies."""
        if not self.error > 0:
            return float("nan"), float("nan")
        reach = self.error * float(stdtrit(self.df, 0.5 + coverage / 2))
        return self.value - reach, self.value + reach

    def widened(self, variance: float) -> "Measured":
        """With one more, independent variance that is known well."""
        own = self.error**2
        if not own + variance > 0:
            return Measured(self.value, own + variance, self.df)
        df = self.df * ((own + variance) / own) ** 2 if own > 0 else CERTAIN
        return Measured(self.value, float(np.sqrt(own + variance)), min(df, CERTAIN))


@dataclass(frozen=True)
class MixedModel:
    """A fitted model.

    Attributes:
        norms: In the order of the means.
        means: Of each norm.
        covariance: Of the means, (norms, norms).
        variances: Between configurations, between seeds, of norm x seed, and of the rest; NaN
            where the runs do not tell it.
        slopes: How the covariance of the means changes with each variance that is in the model.
        information: Expected, of these variances.

    """

    norms: tuple[str, ...]
    means: Array
    covariance: Array
    variances: Array
    slopes: Array
    information: Array

    def mean(self, norm: str) -> Measured:
        """The mean of a norm."""
        return self._measured({norm: 1.0})

    def contrast(self, first: str, second: str) -> Measured:
        """The difference of two norms, the first less the second."""
        return self._measured({first: 1.0, second: -1.0})

    def _measured(self, weights: Mapping[str, float]) -> Measured:
        w = np.array([weights.get(norm, 0.0) for norm in self.norms])
        variance = float(w @ self.covariance @ w)
        slope = self.slopes @ w @ w
        spread = float(slope @ np.linalg.pinv(self.information) @ slope)
        df = 2 * variance**2 / spread if spread > 0 else CERTAIN
        df = min(max(df, FEWEST), CERTAIN)
        return Measured(float(w @ self.means), float(np.sqrt(variance)), df)


def fit_mixed(runs: Sequence[Run]) -> MixedModel:
    """Fit the model to runs, some of which may be missing.

    A variance that these runs do not tell counts as 0: that of configurations where each norm has
    one, or each configuration one run, which then holds both.

    Args:
        runs: With values, more than there are norms.

    Raises:
        ValueError: There is nothing from which a spread could be told.

    """
    norms = tuple(dict.fromkeys(run.norm for run in runs))
    runs = _without_copies(runs)
    y = np.array([run.value for run in runs])
    if len(y) <= len(norms) or not np.isfinite(y).all():
        raise ValueError("there are no more runs than norms, or a value is missing")
    x = indicator([run.norm for run in runs])
    units = [
        indicator([(run.norm, run.config) for run in runs]),
        indicator([run.seed for run in runs]),
        indicator([(run.norm, run.seed) for run in runs]),
    ]
    told = _told(x, units)
    kept = [unit for unit, is_told in zip(units, told, strict=True) if is_told]
    least = [-LEAST / units[0].sum(axis=0).max(), 0.0, 0.0]
    ratios = _ratios(y, x, kept, [low for low, is_told in zip(least, told, strict=True) if is_told])
    found = np.zeros(len(units) + 1)
    found[np.array([*told, True])] = [*ratios, 1.0]
    if told[-1] and ratios[-1] < NOTHING:
        kept, ratios = kept[:-1], ratios[:-1]
    kernels = [*(unit @ unit.T for unit in kept), np.eye(len(y))]
    inverse = np.linalg.inv(sum(r * k for r, k in zip([*ratios, 1.0], kernels, strict=True)))
    means = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    off = y - x @ means
    rest = float(off @ inverse @ off) / (len(y) - len(norms))
    if np.abs(off).max() <= NO_SPREAD * max(np.abs(y).max(), NO_SPREAD):
        rest = 0.0
    covariance = np.linalg.inv(x.T @ inverse @ x)
    solved = inverse @ x @ covariance
    moved = [(inverse - solved @ x.T @ inverse) @ kernel for kernel in kernels]
    return MixedModel(
        norms=norms,
        means=means,
        covariance=np.asarray(covariance * rest),
        variances=np.where([*told, True], np.maximum(found, 0) * rest, np.nan),
        slopes=np.stack([solved.T @ kernel @ solved for kernel in kernels]) * rest,
        information=np.array([[0.5 * np.sum(a * b.T) for b in moved] for a in moved]),
    )


def indicator(names: Sequence[Hashable]) -> Array:
    """(N, units) 1 where a run is of a unit, units in the order in which they come."""
    place = {unit: at for at, unit in enumerate(dict.fromkeys(names))}
    return np.eye(len(place))[[place[name] for name in names]]


def _without_copies(runs: Sequence[Run]) -> Sequence[Run]:
    """One run of each configuration where in all of them all runs are alike: the rest is then 0."""
    values: dict[tuple[str, Hashable], set[float]] = {}
    for run in runs:
        values.setdefault((run.norm, run.config), set()).add(run.value)
    norms = {norm for norm, _ in values}
    if len(values) == len(norms) or max(map(len, values.values()), default=0) != 1:
        return runs
    return [Run(norm, config, 0, own.pop()) for (norm, config), own in values.items()]


def _told(x: Array, units: Sequence[Array]) -> list[bool]:
    """Which variances the runs tell apart from what came before, and from the rest."""
    told = []
    for unit in units:
        more = np.hstack([x, unit])
        rank = np.linalg.matrix_rank(more)
        told.append(bool(np.linalg.matrix_rank(x) < rank < len(x)))
        x = more if told[-1] else x
    return told


def _ratios(y: Array, x: Array, units: Sequence[Array], least: Sequence[float]) -> Array:
    """The variances over that of the rest, at the largest restricted likelihood."""
    if not units:
        return np.zeros(0)
    from scipy.optimize import minimize  # half a second that few commands need

    z = np.hstack(units)
    of = np.repeat(np.arange(len(units)), [unit.shape[1] for unit in units])
    # All that the likelihood needs are products of as many rows as there are units, not runs.
    own = np.column_stack([x, y - y.mean()])
    zz, zown, ownown = z.T @ z, z.T @ own, own.T @ own
    lowest = np.array(least)
    freedom, zero = len(y) - x.shape[1], 1e-14 * ownown[-1, -1] + 1e-300

    def deviance(steps: Array) -> float:
        ratios = (lowest + np.expm1(steps))[of][:, None]
        shape = np.eye(len(of)) + ratios * zz
        left = ownown - zown.T @ np.linalg.solve(shape, ratios * zown)
        gram, cross = left[:-1, :-1], left[:-1, -1]
        squares = max(left[-1, -1] - cross @ np.linalg.solve(gram, cross), zero)
        logs = np.linalg.slogdet(shape)[1] + np.linalg.slogdet(gram)[1]
        return float(logs + freedom * np.log(squares))

    bounds = [(0, STEEPEST)] * len(units)
    found = [  # from one start alone, one table in a hundred ends beside its optimum
        minimize(deviance, np.full(len(units), start), method="L-BFGS-B", bounds=bounds)
        for start in (0.05, 0.5)
    ]
    return np.asarray(lowest + np.expm1(min(found, key=lambda one: one.fun).x))

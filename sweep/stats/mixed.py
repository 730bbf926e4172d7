"""A mixed model of runs: what a norm adds, with configurations and seeds as the units.

    y = mean of the norm + configuration (nested in the norm) + seed (common to all norms) + rest

The norm is fixed; configuration, seed and rest are random, independent and normal. Variances by
REML (Patterson and Thompson, Biometrika 1971), of which one may be 0; degrees of freedom of a
contrast after Satterthwaite, from the expected information of the variances (cf. Giesbrecht and
Burns, Biometrics 1985). Dense algebra, as runs are tens or hundreds.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from sweep.stats.estimate import Array

Floats = NDArray[np.floating]
TINY = 1e-9  # of the variance of the rest: below, a variance is 0


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


class Contrast(NamedTuple):
    """The difference of two norms, the first less the second.

    Attributes:
        first: A norm.
        second: Another.
        difference: Of their means.
        error: The standard error of the difference.
        df: Its degrees of freedom.
        p: Two-sided P that there is none.

    """

    first: str
    second: str
    difference: float
    error: float
    df: float
    p: float

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """By t with the degrees of freedom."""
        reach = self.error * float(stdtrit(self.df, 0.5 + coverage / 2))
        return self.difference - reach, self.difference + reach


@dataclass(frozen=True)
class MixedModel:
    """A fitted model.

    Attributes:
        norms: In the order of the means.
        means: Of each norm.
        covariance: Of the means, (norms, norms).
        variances: Between configurations, between seeds, and of the rest.
        slopes: How the covariance of the means changes with each variance, (3, norms, norms).
        information: Expected, of the variances, (3, 3).

    """

    norms: tuple[str, ...]
    means: Floats
    covariance: Floats
    variances: Array
    slopes: Array
    information: Array

    def contrast(self, first: str, second: str) -> Contrast:
        """The difference of two norms."""
        weights = np.zeros(len(self.norms))
        weights[self.norms.index(first)], weights[self.norms.index(second)] = 1, -1
        difference = float(weights @ self.means)
        variance = float(weights @ self.covariance @ weights)
        slope = np.array([weights @ each @ weights for each in self.slopes])
        free = self.variances > TINY * self.variances.max(initial=0)
        known = np.linalg.pinv(self.information[np.ix_(free, free)])
        spread = float(slope[free] @ known @ slope[free])
        df = 2 * variance**2 / spread if spread > 0 else float("inf")
        error = float(np.sqrt(variance))
        p = float(2 * stdtr(min(df, 1e9), -abs(difference) / error)) if error > 0 else float("nan")
        return Contrast(first, second, difference, error, min(df, 1e9), p)


def fit_mixed(runs: Sequence[Run]) -> MixedModel:
    """Fit the model to runs, some of which may be missing.

    Args:
        runs: Two norms or more, with more runs than norms.

    Raises:
        ValueError: There is nothing from which a variance could be told.

    """
    from scipy.optimize import minimize  # half a second that few commands need

    norms = tuple(dict.fromkeys(run.norm for run in runs))
    y = np.array([run.value for run in runs])
    x = _indicator([run.norm for run in runs])
    parts = [
        _indicator([(run.norm, run.config) for run in runs]),
        _indicator([run.seed for run in runs]),
    ]
    kernels = [part @ part.T for part in parts]
    if len(y) <= len(norms) or not np.isfinite(y).all():
        raise ValueError("there are no more runs than norms, or a value is missing")
    # A kind of unit of which there is one for each run, or one for all, tells nothing apart.
    told = [len(norms) < part.shape[1] < len(y) for part in parts]
    told[1] = 1 < parts[1].shape[1] < len(y)
    scale = max(float(np.var(y)), 1e-300)

    def terms(ratios: Array) -> tuple[float, Floats, Floats, Floats]:
        shape = np.eye(len(y)) + sum(r * k for r, k in zip(ratios, kernels, strict=True))
        solved = np.linalg.solve(shape, np.column_stack([x, y]))
        gram = x.T @ solved[:, :-1]
        means = np.linalg.solve(gram, x.T @ solved[:, -1])
        rest = y - x @ means
        sum_of_squares = float(rest @ np.linalg.solve(shape, rest))
        freedom = len(y) - len(norms)
        value = (
            np.linalg.slogdet(shape)[1]
            + np.linalg.slogdet(gram)[1]
            + freedom * np.log(max(sum_of_squares, 1e-12 * scale) / freedom)
        )
        return float(value), means, np.asarray(shape), np.asarray(gram)

    def deviance(free: Array) -> float:
        return terms(_filled(free, told))[0]

    ratios = np.zeros(2)
    if any(told):
        starts = ([1.0] * sum(told), [0.01] * sum(told))
        bounds = [(0, 1e6)] * sum(told)
        found = [minimize(deviance, start, method="L-BFGS-B", bounds=bounds) for start in starts]
        ratios = _filled(min(found, key=lambda one: one.fun).x, told)
    _, means, shape, gram = terms(ratios)
    rest = y - x @ means
    residual = float(rest @ np.linalg.solve(shape, rest)) / (len(y) - len(norms))
    variances = np.array([*(ratios * residual), residual])
    return MixedModel(
        norms,
        means,
        np.linalg.inv(gram) * residual,
        variances,
        *_slopes(x, [*kernels, np.eye(len(y))], variances),
    )


def _slopes(x: Array, kernels: Sequence[Array], variances: Array) -> tuple[Array, Array]:
    """How the covariance of the means changes with the variances, and their information."""
    whole = sum(v * k for v, k in zip(variances, kernels, strict=True))
    inverse = np.linalg.pinv(whole)
    covariance = np.linalg.inv(x.T @ inverse @ x)
    solved = inverse @ x @ covariance
    projector = inverse - solved @ x.T @ inverse
    slopes = np.stack([solved.T @ kernel @ solved for kernel in kernels])
    moved = [projector @ kernel for kernel in kernels]
    information = np.array([[0.5 * np.sum(a * b.T) for b in moved] for a in moved])
    return slopes, information


def _filled(free: Array, told: Sequence[bool]) -> Array:
    ratios = np.zeros(len(told))
    ratios[np.array(told)] = free
    return ratios


def _indicator(names: Sequence[Hashable]) -> Array:
    """(N, units) 1 where a run is of a unit."""
    units = list(dict.fromkeys(names))
    return np.array([[float(name == unit) for unit in units] for name in names])

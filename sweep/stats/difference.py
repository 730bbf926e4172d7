"""How two models differ on the same patients: in every cell, by artifact, by severity and overall.

The patients are drawn once for both, so that what makes a patient hard for both models cancels.
This holds both trainings fixed: it says how sure the difference of these two models is, not that of
their norms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Basis, Cell, Predictions
from sweep.metrics import Metric
from sweep.metrics.operating import operating_points
from sweep.metrics.robustness import worst_weights
from sweep.stats.checkpoint import basis_of, cells_of
from sweep.stats.estimate import RESAMPLES, Estimate, resampled_patients, weighted
from sweep.stats.interval import COVERAGE, Interval, interval, p_value

Weights = Mapping[Cell, float]
NOTHING = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, eq=False)
class Answers:
    """What one checkpoint says of slices, and which slices they are.

    Attributes:
        predictions: A cell each.
        keys: (N,) the names of the slices.
        patients: (N,) the patient of each.
        labels: The L names.
        truth: (N, L) whether a slice shows a label.
        points: The operating point of each label, of clean validation slices; None: these are
            validation slices, and it is chosen on their clean cell.

    """

    predictions: Sequence[Predictions]
    keys: Sequence[str]
    patients: Sequence[str]
    labels: Sequence[str]
    truth: NDArray[np.bool_]
    points: Mapping[str, float] | None = None

    @property
    def cells(self) -> list[Cell]:
        """Those that it was asked in."""
        return [item.cell for item in self.predictions]


@dataclass(frozen=True, eq=False)
class Difference:
    """The score of a model less that of another, on the same patients.

    Attributes:
        one: The score of the first.
        other: The score of the second.
        estimate: Of ``one - other``; its value is NaN where one of them is missing.
        reason: Why there is neither interval nor P; None where there are.

    """

    one: float
    other: float
    estimate: Estimate
    reason: str | None = None

    @property
    def value(self) -> float:
        """The difference."""
        return self.estimate.value

    @cached_property
    def p(self) -> float:
        """Two-sided P that there is none; NaN where there is a reason against it."""
        return float("nan") if self.reason else p_value(self.estimate)

    def interval(self, coverage: float = COVERAGE) -> Interval:
        """The expanded percentile interval, with its degrees of freedom."""
        return NOTHING if self.reason else interval(self.estimate, coverage)


@dataclass(frozen=True)
class Differences:
    """Everything in which two models were compared by one metric.

    Attributes:
        metric: Its name.
        basis: The patients, and how many of them show each label.
        cells: In every cell, the clean one included.
        artifacts: By artifact, the mean over its levels.
        levels: By level from 1, the mean over the artifacts that have it.
        overall: The mean over the stressed cells, every artifact with the same weight.
        tail: CVaR over cells that were fixed beforehand; None: none were.

    """

    metric: str
    basis: Basis
    cells: dict[Cell, Difference]
    artifacts: dict[str, Difference] = field(default_factory=dict)
    levels: dict[int, Difference] = field(default_factory=dict)
    overall: Difference | None = None
    tail: Difference | None = None


def equal_weights(cells: Sequence[Cell]) -> dict[Cell, float]:
    """Weights of the stressed cells by which every artifact counts the same, whatever its levels.

    1 / (artifacts x levels of the cell's artifact); they sum to 1.
    """
    stressed = [cell for cell in cells if cell != CLEAN]
    levels: dict[str, int] = {}
    for cell in stressed:
        levels[cell.artifact] = levels.get(cell.artifact, 0) + 1
    return {cell: 1 / (len(levels) * levels[cell.artifact]) for cell in stressed}


def tail_weights(metric: Metric, macro: Mapping[Cell, float]) -> dict[Cell, float]:
    """Weights of the cells in a CVaR that is fixed by scores of other patients, or another model.

    Args:
        metric: Of which.
        macro: Its values there, such as on validation patients; the clean cell does not count.

    Returns:
        Those of the worst quarter of the cells, which sum to 1; of a missing cell all are NaN.

    """
    stressed = [cell for cell in macro if cell != CLEAN]
    found = worst_weights(np.array([macro[cell] for cell in stressed]), metric.higher_is_better)
    return dict(zip(stressed, map(float, found), strict=True))


def require_same(one: Answers, other: Answers) -> None:
    """Refuse two models that were not asked the same.

    Raises:
        UserError: Their slices, patients, labels, truth or cells differ.

    """
    unlike = {
        "slices": _unlike(one.keys, other.keys),
        "labels": _unlike(one.labels, other.labels),
        "cells": _unlike(_names(one.cells), _names(other.cells)),
    }
    for what, found in unlike.items():
        if found:
            raise UserError(
                f"two models are compared on the same {what} only",
                found,
                "score both on the same data, under the same artifacts and levels",
            )
    place = {key: at for at, key in enumerate(other.keys)}
    order = [place[key] for key in one.keys]
    columns = [list(other.labels).index(label) for label in one.labels]
    patients = [other.patients[at] for at in order]
    if patients != list(one.patients) or (other.truth[order][:, columns] != one.truth).any():
        raise UserError(
            "two models are compared on the same patients only",
            "slices of the same names with other patients or another truth",
            "score both on one store",
        )


def differences(
    metric: Metric,
    one: Answers,
    other: Answers,
    fixed: tuple[Weights, Weights] | None = None,
    resamples: int = RESAMPLES,
) -> Differences:
    """The paired differences of two models, ``one`` less ``other``.

    Args:
        metric: By which.
        one: A model's answers.
        other: Those of the other to the same slices, in any order of slices and cells.
        fixed: The weights of the cells in the CVaR of each, see ``tail_weights``; None: it is not
            asked for. Weights of the very patients that are compared here make it biased, and most
            for a model whose cells are alike.
        resamples: Of the patients.

    Raises:
        UserError: They were not asked the same, see ``require_same``, or the worst cells were
            chosen among others.

    """
    require_same(one, other)
    basis = basis_of(one.truth, one.labels, one.patients)
    cells, equal = one.cells, equal_weights(one.cells)
    if fixed and any(set(weights) != set(equal) for weights in fixed):
        raise UserError(
            "the worst cells were chosen among other cells",
            ", ".join(_names([*set(fixed[0]) ^ set(equal), *set(fixed[1]) ^ set(equal)])),
            "choose them by scores under the same artifacts and levels",
        )
    draws = resampled_patients(basis.patients, resamples)
    macro = tuple(_macro(metric, answers, draws) for answers in (one, other))

    def of(weights: Weights, others: Weights | None = None) -> Difference:
        pair = (weights, weights if others is None else others)
        first, second = (
            weighted([values[cell] for cell in own], list(own.values()))
            for values, own in zip(macro, pair, strict=True)
        )
        reason = _missing(macro, pair) or basis.reason
        return Difference(first.value, second.value, first - second, reason)

    stressed = list(equal)
    return Differences(
        metric=metric.name,
        basis=basis,
        cells={cell: of({cell: 1.0}) for cell in cells},
        artifacts={
            name: of(equal_weights([cell for cell in stressed if cell.artifact == name]))
            for name in dict.fromkeys(cell.artifact for cell in stressed)
        },
        levels={
            level: of(equal_weights([cell for cell in stressed if cell.level == level]))
            for level in sorted({cell.level for cell in stressed})
        },
        overall=of(equal) if stressed else None,
        tail=of(*fixed) if fixed else None,
    )


def _macro(metric: Metric, answers: Answers, draws: NDArray[np.float64]) -> dict[Cell, Estimate]:
    points = answers.points
    if points is None:
        points = operating_points(answers.predictions, answers.truth, answers.labels)
    by_column = {
        column: points[label] for column, label in enumerate(answers.labels) if label in points
    }
    return cells_of(metric, answers.predictions, answers.truth, answers.patients, by_column, draws)


def _missing(macro: Sequence[Mapping[Cell, Estimate]], pair: Sequence[Weights]) -> str | None:
    """Why there is no difference: the cells that count and have no value in one of the models."""
    if any(np.isnan(list(weights.values())).any() for weights in pair):
        return "a cell had no value where the worst cells were chosen"
    cells = [
        cell
        for of, weights in zip(macro, pair, strict=True)
        for cell, weight in weights.items()
        if weight and np.isnan(of[cell].value)
    ]
    return f"there is no value in {', '.join(dict.fromkeys(_names(cells)))}" if cells else None


def _unlike(one: Sequence[str], other: Sequence[str]) -> str | None:
    """What one of two lists has and the other has not, in whatever order; None: nothing."""
    apart = [sorted(set(a) - set(b)) for a, b in ((one, other), (other, one))]
    if not any(apart):
        return None
    said = (
        f"{len(names)} in the {which} alone ({names[0]!r})"
        for which, names in zip(("first", "second"), apart, strict=True)
        if names
    )
    return " and ".join(said)


def _names(cells: Sequence[Cell]) -> list[str]:
    return ["clean" if cell == CLEAN else f"{cell.artifact} {cell.level}" for cell in cells]

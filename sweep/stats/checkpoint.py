"""What one checkpoint scores, as estimates: by cell, and summed up, each with its interval."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Basis, Cell, Predictions, is_missing
from sweep.core.text import number_of
from sweep.metrics import Metric, metrics
from sweep.metrics.operating import operating_points
from sweep.metrics.robustness import worst_weights
from sweep.metrics.summary import by_unit
from sweep.stats.clustered import estimate, missing
from sweep.stats.estimate import (
    RESAMPLES,
    Array,
    Estimate,
    mean,
    numbered,
    resampled_patients,
    weighted,
)
from sweep.stats.interval import interval

LEAST = 10  # patients with and without a label, below which a bootstrap says little
Intervals = dict[str, tuple[float, float]]


def basis_of(
    truth: NDArray[np.bool_],
    labels: Sequence[str],
    patients: Sequence[str],
    units: str = "patient",
    least: int | None = None,
) -> Basis:
    """How many patients a score rests on, and why they are too few, if they are.

    Args:
        truth: (N, L) whether a slice shows a label.
        labels: The L names.
        patients: (N,) the patient of each slice.
        units: What a patient is called in words.
        least: So many have to show each label, and as many not; None: ``LEAST``.

    """
    needed = LEAST if least is None else least
    count, of = numbered(patients)
    positive = {}
    few = []
    for column, label in enumerate(labels):
        shown = len(np.unique(of[truth[:, column]]))
        others = len(np.unique(of[~truth[:, column]]))
        positive[label] = shown
        if shown < needed:
            few.append(f"{label} is shown by {number_of(shown, units)}")
        elif others < needed:
            few.append(f"{label} is not shown by {number_of(others, units)}")
    reason = f"{'; '.join(few)}: fewer than {needed}" if few else None
    thin = int((np.bincount(of, minlength=count) == 1).sum())
    return Basis(count, positive, {}, reason, thin)


def cells_of(
    metric: Metric,
    predictions: Iterable[Predictions],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    points: Mapping[int, float],
    weights: Array,
) -> dict[Cell, Estimate]:
    """The macro mean over labels in every cell.

    Args:
        metric: Of which.
        predictions: Of one checkpoint.
        truth: (N, L) whether a slice shows a label.
        patients: (N,) the patient of each slice.
        points: The operating point of each label, by its column.
        weights: (R, P) of ``resampled_patients``.

    """
    _, of = numbered(patients)
    found = {}
    for item in predictions:
        parts = []
        for column in range(truth.shape[1]):
            scores, shown, first = by_unit(
                metric,
                item.log_odds[:, column],
                truth[:, column],
                patients,
                points.get(column, np.nan),
            )
            parts.append(estimate(metric.function, scores, shown, of[first], weights))
        found[item.cell] = mean(parts)
    return found


def summed_up(
    metric: Metric, macro: Mapping[Cell, Estimate], least: int = 1
) -> dict[str, Estimate]:
    """The clean score, and mean, worst and CVaR of the stressed cells.

    In each resample the worst cells are those of that resample; to first order they are those of
    the value. ``least`` cells count in CVaR at least.
    """
    cells = [cell for cell in macro if cell != CLEAN]
    parts = [macro[cell] for cell in cells]
    values = np.array([part.value for part in parts])
    found = {metric.clean: macro[CLEAN], metric.robust("mean"): mean(parts)}
    if np.isnan(values).any():
        nothing = missing(len(parts[0].draws), len(parts[0].influence))
        return found | {metric.robust("worst"): nothing, metric.robust("cvar"): nothing}
    draws = np.stack([part.draws for part in parts], axis=-1)
    better = metric.higher_is_better
    worst = values.argmin() if better else values.argmax()
    extreme = draws.min(axis=-1) if better else draws.max(axis=-1)
    of_tail = weighted(parts, worst_weights(values, better, least))
    tail = (draws * worst_weights(draws, better, least)).sum(axis=-1)
    return found | {
        metric.robust("worst"): Estimate(float(values[worst]), extreme, parts[worst].influence),
        metric.robust("cvar"): Estimate(of_tail.value, tail, of_tail.influence),
    }


def intervals_of(
    predictions: Sequence[Predictions],
    truth: NDArray[np.bool_],
    labels: Sequence[str],
    patients: Sequence[str],
    resamples: int = RESAMPLES,
    least: int = 1,
    points: Mapping[str, float] | None = None,
) -> tuple[Intervals, Basis]:
    """The 95 % intervals of a checkpoint's scores.

    Args:
        predictions: Every cell.
        truth: (N, L) whether a slice shows a label.
        labels: The L names.
        patients: (N,) the patient of each slice.
        resamples: Of the patients.
        least: So many cells count in CVaR at least.
        points: The operating point of each label, see ``sweep.metrics.summary.score``.

    Returns:
        (low, high) by the name of a score, and what they rest on; no interval where that is too
        little.

    """
    basis = basis_of(truth, labels, patients)
    if basis.reason is not None:
        return {}, basis
    by_column = _points(predictions, truth, labels, points)
    weights = resampled_patients(basis.patients, resamples)
    intervals: Intervals = {}
    df: dict[str, float] = {}
    for metric in metrics().values():
        if not metric.has_interval:
            continue
        macro = cells_of(metric, predictions, truth, patients, by_column, weights)
        for name, value in summed_up(metric, macro, least).items():
            low, high, freedom = interval(value)
            if not is_missing(low):
                intervals[name] = low, high
            if not math.isnan(freedom):  # nothing moves a score that is the same for all patients
                df[name] = min(freedom, 1e9)
    return intervals, replace(basis, df=df)


class ArtifactScore(NamedTuple):
    """What a checkpoint scores under one artifact.

    Attributes:
        artifact: Its name.
        levels: Those that were scored.
        mean: The mean over the levels; NaN where one is missing.
        interval: 95 % of the mean; NaN where there is none.
        worst: The worst level's score; NaN where one is missing.
        worst_level: That level; None where one is missing.

    """

    artifact: str
    levels: tuple[int, ...]
    mean: float
    interval: tuple[float, float]
    worst: float
    worst_level: int | None


def by_artifact(
    metric: Metric,
    predictions: Sequence[Predictions],
    truth: NDArray[np.bool_],
    labels: Sequence[str],
    patients: Sequence[str],
    points: Mapping[str, float] | None = None,
) -> list[ArtifactScore]:
    """The scores of one metric under each artifact, in the order of the predictions.

    Args:
        metric: Which.
        predictions: Every cell.
        truth: (N, L) whether a slice shows a label.
        labels: The L names.
        patients: (N,) the patient of each slice.
        points: The operating point of each label, see ``sweep.metrics.summary.score``.

    """
    basis = basis_of(truth, labels, patients)
    by_column = _points(predictions, truth, labels, points)
    weights = resampled_patients(basis.patients)
    macro = cells_of(metric, predictions, truth, patients, by_column, weights)
    sure = basis.reason is None and metric.has_interval
    found = []
    for artifact in dict.fromkeys(cell.artifact for cell in macro if cell != CLEAN):
        own = {cell.level: part for cell, part in macro.items() if cell.artifact == artifact}
        over = mean(list(own.values()))
        low, high, _ = interval(over) if sure else (math.nan, math.nan, math.nan)
        worst = None
        if not math.isnan(over.value):
            pick = min if metric.higher_is_better else max
            worst = pick(own, key=lambda level: own[level].value)
        found.append(
            ArtifactScore(
                artifact,
                tuple(own),
                over.value,
                (low, high),
                math.nan if worst is None else own[worst].value,
                worst,
            )
        )
    return found


def _points(
    predictions: Iterable[Predictions],
    truth: NDArray[np.bool_],
    labels: Sequence[str],
    points: Mapping[str, float] | None,
) -> dict[int, float]:
    """The operating points by the column of their label."""
    known = operating_points(predictions, truth, labels) if points is None else points
    return {column: known[name] for column, name in enumerate(labels) if name in known}

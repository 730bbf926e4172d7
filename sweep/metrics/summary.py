"""From predictions to the scores of every cell and label, and to the summary of a checkpoint.

A multi-class or multi-label task takes the macro mean over labels, one against the rest; the
summaries over cells are those of ``sweep.metrics.robustness``.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.finals import FIXED, HOLDOUT
from sweep.core.records import CLEAN, Cell, Predictions, Score, probability_of, screened
from sweep.metrics.functions import Scores, Values
from sweep.metrics.operating import operating_points
from sweep.metrics.robustness import (
    LEAST_SCREENED,
    area,
    cvar,
    degradation,
    retention,
    worst_weights,
)
from sweep.metrics.table import Metric, metrics

Chosen = slice | NDArray[np.intp]


def score(
    predictions: Iterable[Predictions],
    truth: NDArray[np.bool_],
    labels: Sequence[str],
    patients: Sequence[str],
    points: Mapping[str, float] | None = None,
) -> tuple[Score, ...]:
    """Every metric of each cell and label.

    Args:
        predictions: The predictions of one checkpoint, a cell each.
        truth: (N, L) Whether a slice shows a label.
        labels: The L names.
        patients: (N,) The patient of each slice.
        points: The operating point of each label, chosen on clean validation slices; where there is
            none, what depends on it is missing. None: these are validation slices, and it is
            chosen on their clean cell.

    """
    cells = list(predictions)
    known = operating_points(cells, truth, labels) if points is None else points
    return tuple(
        _score(metric, item, column, label, truth, patients, known.get(label, np.nan))
        for item in cells
        for column, label in enumerate(labels)
        for metric in metrics().values()
    )


def _score(
    metric: Metric,
    item: Predictions,
    column: int,
    label: str,
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    point: float,
) -> Score:
    p, t, _ = by_unit(metric, item.log_odds[:, column], truth[:, column], patients, point)
    return Score(
        cell=item.cell,
        label=label,
        metric=metric.name,
        value=float(metric.function(p, t, None)[0]),
        positives=int(truth[:, column].sum()),
        slices=len(truth),
    )


def by_unit(
    metric: Metric,
    log_odds: Scores,
    truth: NDArray[np.bool_],
    of: Sequence[str],
    point: float,
) -> tuple[Scores, NDArray[np.bool_], Chosen]:
    """What a metric counts, the slices or the patients, and the scores that it gets of them.

    Args:
        metric: Whose row says which.
        log_odds: (N,) Of a label.
        truth: (N,) Whether the slice shows it.
        of: (N,) The patient of each slice.
        point: The operating point of the label.

    Returns:
        Scores (U,) and truth (U,) of the units, and the index of the first slice of each.

    """
    scores = log_odds
    if metric.of == "margin":
        scores = log_odds - np.float32(point)
    elif metric.of == "probability" and metric.pooling == "mean":
        # A mean of many close to 0 or 1 must not be of values that were rounded to it.
        with np.errstate(invalid="ignore"):  # a value that is no number stays none
            scores = np.exp(-np.logaddexp(0.0, -log_odds.astype(np.float64)))
    elif metric.of == "probability":
        scores = probability_of(log_odds)
    if metric.unit == "slice":
        return scores, truth, slice(None)
    _, first, unit = np.unique(np.asarray(of), return_index=True, return_inverse=True)
    shown = np.zeros(len(first), bool)
    np.logical_or.at(shown, unit, truth)
    return _pooled(metric, scores, unit, len(first)), shown, first


def _pooled(metric: Metric, scores: Scores, unit: NDArray[np.intp], units: int) -> Scores:
    if metric.pooling == "mean":
        return np.bincount(unit, scores, units) / np.bincount(unit, minlength=units)
    greatest = np.full(units, -np.inf, scores.dtype)
    with np.errstate(invalid="ignore"):  # a value that is no number stays none
        np.maximum.at(greatest, unit, scores)
    return greatest


def summarize(scores: Iterable[Score], least: int = 1) -> dict[str, float]:
    """The metrics of one checkpoint by their names in MLflow.

    A metric of a package that is no longer installed is left out: its scores stay in the table.
    ``least`` cells count in CVaR at least.
    """
    scores = tuple(scores)
    summary: dict[str, float] = {}
    for name, metric in metrics().items():
        if macro := macro_by_cell(scores, name):
            whole = {key: _plain(value) for key, value in summary_of(metric, macro, least).items()}
            of_labels = {
                f"{metric.clean}_{item.label}": item.value
                for item in scores
                if item.metric == name and item.cell == CLEAN
            }
            summary |= {metric.clean: whole.pop(metric.clean), **of_labels, **whole}
    return summary


def summarize_apart(scores: Iterable[Score], holdout: Collection[str]) -> dict[str, float]:
    """The metrics of one checkpoint, those over held-out artifacts under names of their own.

    Args:
        scores: Of one checkpoint.
        holdout: The artifacts that stand apart; their summaries begin with ``holdout/``.

    """
    all_of_it = tuple(scores)
    apart = [item for item in all_of_it if item.cell == CLEAN or item.cell.artifact in holdout]
    rest = [item for item in all_of_it if item.cell.artifact not in holdout]
    found = summarize(rest)
    if any(item.cell != CLEAN for item in apart):
        held_out = summarize(apart).items()
        robust = {name.partition("/")[2]: v for name, v in held_out if name.startswith("robust/")}
        found |= {f"{HOLDOUT}{name}": value for name, value in robust.items()}
    return found


def cvar_fixed(
    scores: Iterable[Score], reference: Iterable[Score], metric: Metric
) -> dict[str, float]:
    """CVaR of the cells that were worst elsewhere, under its name.

    Args:
        scores: Of a checkpoint.
        reference: Of the same checkpoint on the slices that say which cells are the worst, such as
            validation slices.
        metric: Of which.

    Returns:
        Missing where a cell of the reference is missing there or here.

    """
    there = {c: v for c, v in macro_by_cell(reference, metric.name).items() if c != CLEAN}
    here = macro_by_cell(scores, metric.name)
    weights = worst_weights(np.array(list(there.values())), metric.higher_is_better)
    values = np.array([here.get(cell, np.nan) for cell in there])
    counted = np.where(weights == 0, 0, weights * values)
    return {FIXED.format(metric.name): _plain(counted.sum())}


def _plain(value: Values) -> float:
    """A number; a missing one is always the same object, by which records are equal to copies."""
    return math.nan if np.isnan(value) else float(value)


def summary(scores: Iterable[Score], screened_scores: Iterable[Score] = ()) -> dict[str, float]:
    """The metrics of an epoch: of the full test, and of the screening under names of their own."""
    of_part = summarize(screened_scores, LEAST_SCREENED)
    of_screening = {screened(name): value for name, value in of_part.items()}
    return {**summarize(scores), **of_screening}


def macro_by_cell(scores: Iterable[Score], metric: str) -> dict[Cell, float]:
    """The macro mean over labels of one metric in every cell."""
    by_cell: dict[Cell, list[float]] = {}
    for item in scores:
        if item.metric == metric:
            by_cell.setdefault(item.cell, []).append(item.value)
    return {cell: float(np.mean(values)) for cell, values in by_cell.items()}


def summary_of(
    metric: Metric, macro: Mapping[Cell, float | Values], least: int = 1
) -> dict[str, Values]:
    """The clean value and the robust summaries of one metric.

    Args:
        metric: Whose values they are.
        macro: For each cell, the clean one included, the macro value, () or (R,).
        least: So many cells count in CVaR at least, see ``sweep.metrics.robustness``.

    Returns:
        For each name () or (R,).

    """
    stressed = np.stack([np.asarray(v) for cell, v in macro.items() if cell != CLEAN], axis=-1)
    worst = stressed.min if metric.higher_is_better else stressed.max
    found = {
        metric.clean: macro[CLEAN],
        metric.robust("mean"): stressed.mean(axis=-1),
        metric.robust("worst"): worst(axis=-1),
        metric.robust("cvar"): cvar(stressed, metric.higher_is_better, least),
    }
    if metric.chance is not None:
        found[metric.robust("retention")] = retention(macro, metric.chance)
        found[metric.robust("area")] = area(macro)
        found[metric.robust("degradation")] = degradation(macro)
    return {name: np.asarray(value) for name, value in found.items()}

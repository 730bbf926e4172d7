"""From predictions to the scores of every cell and label, and to the summary of a checkpoint.

Definitions: a multi-class or multi-label task takes the macro mean over labels, one against the
rest. A robust summary looks at all (artifact, level) cells; a missing cell leaves it missing, never
filled. CVaR is the mean of the worst quarter of the cells, a steadier companion of the worst cell
(cf. Sagawa et al. 2020, arXiv 1911.08731, on worst-group risk).
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Cell, Predictions, Score, screened
from sweep.metrics.functions import Values
from sweep.metrics.table import Metric, metrics

CVAR_FRACTION = 0.25
Chosen = slice | NDArray[np.intp]


def score(
    predictions: Iterable[Predictions],
    truth: NDArray[np.bool_],
    labels: Sequence[str],
    patients: Sequence[str],
) -> tuple[Score, ...]:
    """Every metric of each cell and label.

    Args:
        predictions: The predictions of one checkpoint, a cell each.
        truth: (N, L) Whether a slice shows a label.
        labels: The L names.
        patients: (N,) The patient of each slice.

    """
    return tuple(
        _score(metric, item, column, label, truth, patients)
        for item in predictions
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
) -> Score:
    p, t, _ = by_unit(metric, item.probability[:, column], truth[:, column], patients)
    return Score(
        cell=item.cell,
        label=label,
        metric=metric.name,
        value=float(metric.function(p, t, None)[0]),
        positives=int(truth[:, column].sum()),
        slices=len(truth),
    )


def by_unit(
    metric: Metric, probability: NDArray[np.floating], truth: NDArray[np.bool_], of: Sequence[str]
) -> tuple[NDArray[np.floating], NDArray[np.bool_], Chosen]:
    """What a metric counts: the slices, or the patients.

    A patient shows a label if a slice does, with the greatest probability of the patient's slices.

    Args:
        metric: Whose unit decides.
        probability: (N,) Probability of a label.
        truth: (N,) Whether the slice shows it.
        of: (N,) The patient of each slice.

    Returns:
        Probability (U,) and truth (U,) of the units, and the index of the first slice of each.

    """
    if metric.unit == "slice":
        return probability, truth, slice(None)
    _, first, unit = np.unique(np.asarray(of), return_index=True, return_inverse=True)
    greatest = np.full(len(first), -np.inf, probability.dtype)
    np.maximum.at(greatest, unit, probability)
    shown = np.zeros(len(first), bool)
    np.logical_or.at(shown, unit, truth)
    return greatest, shown, first


def summarize(scores: Iterable[Score]) -> dict[str, float]:
    """The metrics of one checkpoint by their names in MLflow.

    A metric of a package that is no longer installed is left out: its scores stay in the table.
    """
    scores = tuple(scores)
    summary: dict[str, float] = {}
    for name, metric in metrics().items():
        if macro := macro_by_cell(scores, name):
            whole = {key: float(value) for key, value in summary_of(metric, macro).items()}
            of_labels = {
                f"{metric.clean}_{item.label}": item.value
                for item in scores
                if item.metric == name and item.cell == CLEAN
            }
            summary |= {metric.clean: whole.pop(metric.clean), **of_labels, **whole}
    return summary


def summary(scores: Iterable[Score], screened_scores: Iterable[Score] = ()) -> dict[str, float]:
    """The metrics of an epoch: of the full test, and of the screening under names of their own."""
    of_screening = {screened(name): value for name, value in summarize(screened_scores).items()}
    return {**summarize(scores), **of_screening}


def macro_by_cell(scores: Iterable[Score], metric: str) -> dict[Cell, float]:
    """The macro mean over labels of one metric in every cell."""
    by_cell: dict[Cell, list[float]] = {}
    for item in scores:
        if item.metric == metric:
            by_cell.setdefault(item.cell, []).append(item.value)
    return {cell: float(np.mean(values)) for cell, values in by_cell.items()}


def summary_of(metric: Metric, macro: Mapping[Cell, float | Values]) -> dict[str, Values]:
    """The clean value and the robust summaries of one metric.

    Args:
        metric: Whose values they are.
        macro: For each cell, the clean one included, the macro value, () or (R,).

    Returns:
        For each name () or (R,).

    """
    stressed = np.stack([np.asarray(v) for cell, v in macro.items() if cell != CLEAN], axis=-1)
    worst = stressed.min if metric.higher_is_better else stressed.max
    return {
        metric.clean: np.asarray(macro[CLEAN]),
        metric.robust("mean"): np.asarray(stressed.mean(axis=-1)),
        metric.robust("worst"): np.asarray(worst(axis=-1)),
        metric.robust("cvar"): np.asarray(cvar(stressed, metric.higher_is_better)),
    }


def cvar(values: Values, higher_is_better: bool = True) -> Values:
    """Mean of the worst quarter, at least one, of the cells.

    Args:
        values: (..., cells) Values of the cells.
        higher_is_better: Whether the smallest or the largest are the worst.

    Returns:
        (...); NaN where a cell is missing.

    """
    count = math.ceil(CVAR_FRACTION * values.shape[-1])
    ascending = np.sort(values, axis=-1)
    # np.sort puts NaN last, where a slice would silently drop it.
    worst = ascending[..., :count] if higher_is_better else ascending[..., -count:]
    missing = np.isnan(values).any(axis=-1)
    return np.where(missing, np.nan, worst.mean(axis=-1))

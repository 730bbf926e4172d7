"""A stress test for people, and as rows of a file: which slices, each artifact, all cells."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import Basis, EpochRecord, is_missing, null_if_missing
from sweep.core.text import MISSING, fitted_table, number_of, table
from sweep.metrics import Metric
from sweep.metrics.summary import macro_by_cell
from sweep.results.render import MEANINGS, meanings
from sweep.stats.checkpoint import ArtifactScore, Intervals
from sweep.store import Store


class SplitCount(NamedTuple):
    """What is scored of a split.

    Attributes:
        split: Its name.
        patients: How many.
        slices: How many.

    """

    split: str
    patients: int
    slices: int


def counts_of(store: Store, rows: NDArray[np.integer]) -> tuple[SplitCount, ...]:
    """The splits that slices are of, by name."""
    splits, patients = store.splits[rows], store.patients[rows]
    return tuple(
        SplitCount(name, len(np.unique(patients[splits == name])), int((splits == name).sum()))
        for name in np.unique(splits).tolist()
    )


def scored_on(counts: Sequence[SplitCount]) -> str:
    """Which slices scores are of, in words."""
    parts = [
        f"{one.split} ({number_of(one.patients, 'patient')}, {number_of(one.slices, 'slice')})"
        for one in counts
    ]
    if len(parts) == 1:
        return f"scored on split {parts[0]}"
    return f"scored on {len(parts)} splits, pooled: {', '.join(parts)}"


def artifact_table(
    scores: Sequence[ArtifactScore], metric: Metric, width: int | None = None
) -> str:
    """A line for each artifact: the mean over its levels, with its interval, and the worst.

    Args:
        scores: Of the metric.
        metric: The metric.
        width: Characters in a line; None: any number.

    """
    header = ["artifact", "levels", f"mean {metric.name}", "worst", "at level"]
    body = [
        [
            one.artifact,
            " ".join(map(str, one.levels)),
            _number(one.mean, one.interval),
            _number(one.worst),
            MISSING if one.worst_level is None else str(one.worst_level),
        ]
        for one in scores
    ]
    return fitted_table(header, body, ("levels", "at level"), width)


def overview(values: Mapping[str, float], intervals: Intervals, metric: Metric) -> str:
    """A line for the clean score and each robust summary of one metric, with its interval."""
    rows = [[name, _number(values[name], intervals.get(name))] for name in _summaries(metric)]
    return "\n".join(table(rows, left=None))


def how_to_read(metric: Metric) -> str:
    """What the lines of ``overview`` mean."""
    return f"how to read it: {'; '.join(meanings(_summaries(metric)))}."


def _summaries(metric: Metric) -> tuple[str, ...]:
    return (metric.clean, *map(metric.robust, MEANINGS))


def about_intervals(basis: Basis, metric: Metric) -> str:
    """What brackets are, or why there are none."""
    if basis.reason is not None:
        return f"no brackets: no interval, as {basis.reason}."
    if not metric.has_interval:
        return f"no brackets: {metric.name} has no interval."
    return (
        f"brackets: 95 % intervals over {number_of(basis.patients, 'patient')}, who are drawn "
        "whole, of this one training."
    )


def summary_table(values: Mapping[str, float]) -> str:
    """A line for each summary of one checkpoint."""
    rows = [
        [name, MISSING if is_missing(value) else f"{value:.4f}"] for name, value in values.items()
    ]
    return "\n".join(table(rows))


def stress_table(record: EpochRecord, metric: str, width: int | None = None) -> str:
    """One metric in each cell, a column for each label, of which the last have no room first."""
    scores = [item for item in record.scores if item.metric == metric]
    labels = list(dict.fromkeys(item.label for item in scores))
    found = {(item.cell, item.label): item.value for item in scores}
    header = ["artifact", "level", "macro", *labels]
    body = []
    for cell, macro in macro_by_cell(scores, metric).items():
        values = (macro, *(found[cell, label] for label in labels))
        shown = (MISSING if is_missing(value) else f"{value:.4f}" for value in values)
        body.append([cell.artifact, str(cell.level), *shown])
    return fitted_table(header, body, labels[::-1], width)


def cell_rows(record: EpochRecord) -> list[dict[str, Any]]:
    """Every metric of each cell and label, as rows of a file."""
    return [
        {
            "artifact": item.cell.artifact,
            "level": item.cell.level,
            "label": item.label,
            "metric": item.metric,
            "value": null_if_missing(item.value),
            "positives": item.positives,
            "slices": item.slices,
        }
        for item in record.scores
    ]


def _number(value: float, interval: tuple[float, float] | None = None) -> str:
    if is_missing(value):
        return MISSING
    low, high = interval or (float("nan"), float("nan"))
    return f"{value:.3f}" + ("" if is_missing(low) else f" [{low:.3f}, {high:.3f}]")

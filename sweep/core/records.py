"""What a sweep leaves behind, as plain values: cells, scores, epochs, trials."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.objective import value_of

Status = Literal["running", "finished", "pruned", "failed"]


class Cell(NamedTuple):
    """One distribution that a checkpoint is scored on."""

    artifact: str
    level: int


CLEAN = Cell("clean", 0)
TRAINED = "trained"  # the mode of a checkpoint whose weights are used as training left them

DIVERGED = "was never finite: it diverged"  # the end of what a trial's error says then

SCREEN = "screen/"  # before the names of scores of a part of the patients and cells

# The columns of a table of scores that are no metric, and so no metric's name.
SCORE_COLUMNS = frozenset(
    {
        *("trial", "epoch", "artifact", "level", "label", "positives", "slices"),
        *("train_loss", "images_per_s", "evaluated_at_ms", "fidelity"),
    }
)


@dataclass(frozen=True)
class Predictions:
    """What one checkpoint says of every slice of one cell.

    Attributes:
        cell: The distribution.
        log_odds: (N, L) float32, log(p / (1 - p)) of each label's probability p; of a multi-class
            task the label stands against all others together. They do not saturate, so that a shift
            of all scores by an artifact changes no order.

    """

    cell: Cell
    log_odds: NDArray[np.float32]

    @property
    def probability(self) -> NDArray[np.float32]:
        """(N, L) float32."""
        return probability_of(self.log_odds)


@dataclass(frozen=True)
class Score:
    """The value of one metric for one label in one cell.

    Attributes:
        cell: The distribution.
        label: The label, one against the rest.
        metric: The name of the metric, see ``sweep.metrics``.
        value: NaN where it is missing, never 0 or 1 instead.
        positives: Slices that show the label.
        slices: All slices of the cell.

    """

    cell: Cell
    label: str
    metric: str
    value: float
    positives: int
    slices: int


@dataclass(frozen=True)
class EpochRecord:
    """One reported epoch of one trial.

    Attributes:
        trial: The name of the trial.
        epoch: Its number, 1 for the first.
        train_loss: Mean cross-entropy over the epoch's slices as they were trained on, of their
            labels alone, whatever was minimised.
        images_per_s: Training throughput of the epoch, waiting not counted.
        evaluated_at_ms: Unix time of the evaluation in ms; the timestamp of its metrics wherever
            they are written, so that writing them twice changes nothing.
        scores: Every metric of each cell and label; none where the epoch was only screened.
        metrics: The summary, names as in MLflow; of the screening they begin with ``screen/``.
        screened: Every metric of each cell and label of the screening; none where there is none.

    """

    trial: str
    epoch: int
    train_loss: float
    images_per_s: float
    evaluated_at_ms: int
    scores: tuple[Score, ...]
    metrics: dict[str, float]
    screened: tuple[Score, ...] = ()


@dataclass(frozen=True)
class Basis:
    """What intervals rest on.

    Attributes:
        patients: How many.
        positive: By label, how many of them show it.
        df: By the name of a score, the degrees of freedom of its interval.
        reason: Why there are no intervals; None where there are.

    """

    patients: int
    positive: dict[str, int]
    df: dict[str, float] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class Composition:
    """Which slices stood together in the batches that a mode took its statistics of.

    Attributes:
        slices: All of them.
        batches: How many batches they were shared out to.
        smallest: Slices in the smallest batch.
        largest: Slices in the largest.
        positives: Label -> the share of slices that show it: least, median and greatest of the
            batches.

    """

    slices: int
    batches: int
    smallest: int
    largest: int
    positives: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class ModeRow:
    """What the best checkpoint of a trial scores in another mode.

    Attributes:
        epoch: The number of its epoch.
        evaluated_at_ms: Unix time of the evaluation in ms.
        metrics: The summary.
        intervals: 95 % patient-bootstrap intervals of ``metrics``, where there are any.
        collapsed: The cells in which it collapsed, see ``sweep.metrics.collapse``.
        settings: Those that decide a row of this mode, as they were.
        composition: Of the batches, one artifact and one level each; None for a mode whose scores
            depend on no batch.
        basis: What the intervals rest on; None: an earlier version made them.

    """

    epoch: int
    evaluated_at_ms: int
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    collapsed: tuple[Cell, ...]
    settings: dict[str, Any]
    composition: Composition | None
    basis: Basis | None = None


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the driver knows it.

    Attributes:
        trial: Its name, unique in the sweep and stable over resumes.
        number: Its number in the sweep, from 0.
        params: The searched values by dotted name.
        norm: The norm of its network.
        seed: The seed of its weights and batches.
        status: Where it stands.
        started_at_ms: Unix time in ms.
        ended_at_ms: Unix time in ms; None while it runs.
        best_epoch: The epoch with the best objective; None before a report that has one.
        metrics: The summary of the best epoch; of a trial that was only screened, see
            ``is_screened``, under the names of screenings.
        intervals: 95 % patient-bootstrap intervals of ``metrics``, where there are any.
        error: What went wrong, in one sentence, for a failed trial.
        failure: Of what kind that was, see ``sweep.core.failures``; None: it diverged, or an
            earlier version noted it.
        collapsed: The cells in which the best epoch collapsed, see ``sweep.metrics.collapse``;
            None: nobody has looked.
        modes: What the best epoch scores in other modes, by mode.
        basis: What the intervals rest on; None: nobody has looked, or an earlier version did.

    """

    trial: str
    number: int
    params: dict[str, Any]
    norm: str
    seed: int
    status: Status
    started_at_ms: int
    ended_at_ms: int | None = None
    best_epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    error: str | None = None
    collapsed: tuple[Cell, ...] | None = None
    modes: dict[str, ModeRow] = field(default_factory=dict)
    basis: Basis | None = None
    failure: str | None = None


def diverged(record: TrialRecord) -> bool:
    """Whether a trial ended without a score, and not for what happened to its worker."""
    return record.status == "failed" and (record.error or "").endswith(DIVERGED)


def probability_of(log_odds: NDArray[np.floating]) -> NDArray[np.float32]:
    """The probability to given log-odds, of the same shape; close to 0 and 1 it is rounded."""
    return (0.5 * (1 + np.tanh(0.5 * log_odds.astype(np.float64)))).astype(np.float32)


def is_missing(value: float | None) -> bool:
    """Whether a value is missing.

    Inside the program a missing value is NaN (and infinity counts as missing); in JSON it is null,
    in MLflow and in conditions it is absent, in tables for people a dash.
    """
    return value is None or not math.isfinite(value)


def without_missing(values: Mapping[str, float]) -> dict[str, float]:
    """The values that are there."""
    return {name: value for name, value in values.items() if not is_missing(value)}


def null_if_missing(value: float) -> float | None:
    """A value as JSON has it."""
    return None if is_missing(value) else value


def missing_as_null(values: Mapping[str, float]) -> dict[str, float | None]:
    """Values as JSON has them."""
    return {name: null_if_missing(value) for name, value in values.items()}


def null_as_missing(values: Mapping[str, float | None]) -> dict[str, float]:
    """Back from ``missing_as_null``."""
    return {name: math.nan if value is None else value for name, value in values.items()}


def screened(name: str) -> str:
    """The name of a score where it is that of a screening."""
    return f"{SCREEN}{name}"


def is_screened(metrics: Iterable[str]) -> bool:
    """Whether scores are those of a screening alone; they are never ranked with others."""
    found = False
    for name in metrics:  # of thousands of trials the first name says it
        if not name.startswith(SCREEN):
            return False
        found = True
    return found


def screening_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """The scores of a screening under the names that they would have in a full test."""
    return {
        name.removeprefix(SCREEN): value
        for name, value in metrics.items()
        if name.startswith(SCREEN)
    }


def of_one_fidelity(metrics: Mapping[str, float]) -> dict[str, float]:
    """What a trial is ranked by: the summary without the screening, if that is not all."""
    if is_screened(metrics):
        return dict(metrics)
    return {name: value for name, value in metrics.items() if not name.startswith(SCREEN)}


def scores_in(metrics: Mapping[str, float]) -> Mapping[str, float]:
    """The scores of a full test, or where there was none of the screening, under plain names."""
    return screening_of(metrics) if is_screened(metrics) else metrics


def best_epoch(
    epochs: Iterable[tuple[int, Mapping[str, float]]], objective: str
) -> tuple[int, float] | None:
    """The epoch with the greatest objective, of equals the first, and its value.

    It is decided here and nowhere else: among those that were scored in full, and where none was,
    by their screenings.

    Args:
        epochs: The number and the metrics of each epoch, in order.
        objective: What decides: a metric, or a weighted sum of some.

    Returns:
        None where the objective is missing in all of them.

    """
    known = list(epochs)
    for scored in (known, [(number, screening_of(metrics)) for number, metrics in known]):
        values = [(number, value_of(metrics, objective)) for number, metrics in scored]
        present = [(number, value) for number, value in values if not is_missing(value)]
        if present:
            return max(present, key=lambda item: item[1])
    return None

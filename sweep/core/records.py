"""What a sweep leaves behind, as plain values: cells, scores, epochs, trials."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Status = Literal["running", "finished", "pruned", "failed"]


class Cell(NamedTuple):
    """One distribution that a checkpoint is scored on."""

    artifact: str
    level: int


CLEAN = Cell("clean", 0)


@dataclass(frozen=True)
class Predictions:
    """The probabilities of one checkpoint for every slice of one cell, beside the truth.

    Attributes:
        cell: the distribution.
        probability: (N, L) float32.

    """

    cell: Cell
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class Score:
    """AUROC of one label in one cell; NaN where it is undefined, never 0 or 1 instead."""

    cell: Cell
    label: str
    auroc: float
    positives: int
    slices: int


@dataclass(frozen=True)
class EpochRecord:
    """One reported epoch of one trial.

    Attributes:
        epoch: 1 for the first.
        train_loss: mean loss over the epoch's slices.
        images_per_s: training throughput of the epoch, waiting not counted.
        evaluated_at_ms: Unix time of the evaluation; the timestamp of its metrics wherever they
            are written, so that writing them twice changes nothing.
        scores: per cell and label.
        metrics: the summary, names as in MLflow.

    """

    trial: str
    epoch: int
    train_loss: float
    images_per_s: float
    evaluated_at_ms: int
    scores: tuple[Score, ...]
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the driver knows it.

    Attributes:
        trial: key, unique in the sweep and stable over resumes.
        number: of the Optuna trial.
        params: what was searched, by dotted name.
        best_epoch: the epoch with the best objective; None before the first report.
        metrics: of the best epoch.
        intervals: 95 % patient-bootstrap intervals of ``metrics``, where computed.
        error: the last line of what went wrong, for a failed trial.

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

"""What each norm or arm said of every slice of a cell."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import Cell, Predictions
from sweep.report.evidence import At, Evidence, group_of_record, group_of_trial
from sweep.results.finalists import FinalistFolder
from sweep.results.tables import Slices


class Answered(NamedTuple):
    """What the trainings of a norm or an arm said in one cell.

    Attributes:
        probabilities: (trainings, N, L).
        truth: (N, L).
        slices: Which they are.

    """

    probabilities: NDArray[np.float32]
    truth: NDArray[np.bool_]
    slices: Slices


def answered(evidence: Evidence, at: At, cell: Cell) -> dict[str, Answered]:
    """By norm or arm, what its trainings said of a place's slices in a cell.

    Where the mean of several epochs counts, the last of them.
    """
    found: dict[str, list[NDArray[np.float32]]] = {}
    slices: Slices | None = None
    for group, name, epoch in _asked(evidence, at):
        said, slices = _predictions(evidence, at, name, epoch)
        own = next(item for item in said if item.cell == cell)
        found.setdefault(group, []).append(own.probability)
    if slices is None:
        return {}
    return {
        group: Answered(np.stack(found[group]), slices.truth, slices)
        for group in evidence.groups
        if group in found
    }


def _asked(evidence: Evidence, at: At) -> list[tuple[str, str, int]]:
    """The trainings of a place: norm or arm, name and epoch."""
    if any(record.metrics for record in evidence.records):
        return [
            (group_of_record(record), record.run.name, record.epochs[-1])
            for record in evidence.records
            if at.place in record.metrics
        ]
    scored = {one.config for one in at.found.scored}
    return [
        (group_of_trial(trial), trial.trial, int(trial.best_epoch or 0))
        for trial in evidence.trials
        if trial.trial in scored
    ]


def _predictions(
    evidence: Evidence, at: At, name: str, epoch: int
) -> tuple[list[Predictions], Slices]:
    if any(record.metrics for record in evidence.records):
        return FinalistFolder(evidence.folder).predictions(name, at.place, epoch)
    return evidence.folder.predictions(name, epoch)

"""What each norm or arm said of every slice of a cell."""

from collections.abc import Collection
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


Answers = dict[Cell, dict[str, Answered]]
"""By cell and norm or arm."""


def answered(evidence: Evidence, at: At, cells: Collection[Cell]) -> Answers:
    """What the trainings of every norm or arm said of a place's slices in some cells.

    Where the mean of several epochs counts, the last of them. Every training is read once.
    """
    found: dict[Cell, dict[str, list[NDArray[np.float32]]]] = {cell: {} for cell in cells}
    slices: Slices | None = None
    for group, name, epoch in _asked(evidence, at):
        said, slices = _predictions(evidence, at, name, epoch)
        for item in said:
            if item.cell in found:
                found[item.cell].setdefault(group, []).append(item.probability)
    return {
        cell: {
            group: Answered(np.stack(own[group]), slices.truth, slices)
            for group in evidence.groups
            if slices is not None and group in own
        }
        for cell, own in found.items()
    }


def _asked(evidence: Evidence, at: At) -> list[tuple[str, str, int]]:
    """The trainings of a place: norm or arm, name and epoch."""
    if evidence.asked_finalists:
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
    if evidence.asked_finalists:
        return FinalistFolder(evidence.folder).predictions(name, at.place, epoch)
    return evidence.folder.predictions(name, epoch)

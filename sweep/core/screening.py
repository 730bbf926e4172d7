"""The subset of patients and cells that early epochs of a trial are scored on: the *screening*.

It is the same for every trial, epoch and process, and depends on the patients' names, what they
show, and the seed alone: not on the order of slices, nor on how many of them a patient has.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.choice import shuffled
from sweep.core.records import CLEAN, Cell

LEAST = 5  # patients that show a label, and that have a slice without, of every screening


def screened_slices(
    patients: Sequence[str], truth: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.intp]:
    """The slices of a share of the patients.

    The patients come in an order of their own, that of a hash of each name: first the share of
    them, then each that a label still lacks, until five patients show it and five have a slice that
    does not, or there are no more. A smaller share is therefore, but for these, part of a larger.

    Args:
        patients: (N,) The patient of each slice.
        truth: (N, L) Whether a slice shows a label.
        share: Of the patients, in (0, 1].
        seed: Key of the order.

    Returns:
        (M,) positions, ascending.

    """
    names, unit = np.unique(np.asarray(patients), return_inverse=True)
    shows = np.zeros((len(names), truth.shape[1]), bool)
    lacks = np.zeros_like(shows)
    np.logical_or.at(shows, unit, truth)
    np.logical_or.at(lacks, unit, ~truth)
    has = np.concatenate([shows, lacks], axis=1)
    order = shuffled(range(len(names)), lambda at: str(names[at]), seed, "screening")
    chosen = np.zeros(len(names), bool)
    chosen[order[: math.ceil(share * len(names))]] = True
    for at in order:
        needed = has[chosen].sum(axis=0) < LEAST
        if not chosen[at] and (has[at] & needed).any():
            chosen[at] = True
    return np.flatnonzero(chosen[unit])


def screened_cells(cells: Sequence[Cell], levels: int, seed: int) -> tuple[Cell, ...]:
    """The clean images, and some levels of every artifact, as they stand in ``cells``.

    The levels of an artifact are shuffled by its name, so that of several artifacts mild and severe
    ones are seen; fewer levels are part of more.

    Args:
        cells: All cells of a full stress test.
        levels: How many of each artifact.
        seed: Key of the choice.

    """
    by_artifact: dict[str, list[Cell]] = {}
    for cell in cells:
        by_artifact.setdefault(cell.artifact, []).append(cell)
    chosen = {CLEAN}
    for artifact, own in by_artifact.items():
        name = f"screening {artifact}"
        chosen.update(shuffled(own, lambda cell: str(cell.level), seed, name)[:levels])
    return tuple(cell for cell in cells if cell in chosen)

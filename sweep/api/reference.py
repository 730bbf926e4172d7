"""Which slices of a store levels are calibrated on: a keyed draw, spread over patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from artifacts_sim.calibration.curve import Slices
from sweep.core.choice import in_turns, shuffled
from sweep.core.errors import UserError
from sweep.store import Store


@dataclass(frozen=True)
class ReferencePlan:
    """What to choose.

    Attributes:
        splits: The folds or split names to choose from.
        slices: The number of slices of the reference, on which the levels are found.
        held_out: The number of slices of other patients, on which the levels are checked.
        seed: Key of the choice, and of the artifacts' draws.

    """

    splits: tuple[str, ...]
    slices: int = 64
    held_out: int = 32
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen; no patient is on both sides."""

    reference: Slices
    held_out: Slices


def choose(store: Store, plan: ReferencePlan) -> Chosen:
    """Choose slices by a draw that depends on the seed and on their names alone.

    Patients are dealt to the two sides in proportion to the slices asked of each. Then each
    patient of a side gives one slice, then a second, and so on until there are enough. Empty
    slices are passed over.

    Raises:
        UserError: A split that is not in the store, or too few slices or patients.

    """
    if plan.slices < 2 or plan.held_out < 1:
        raise UserError(
            "levels are found on at least 2 slices and checked on at least 1, and this is fewer",
            f"--slices {plan.slices} and --held-out {plan.held_out}",
            "ask for more",
        )
    rows = store.indices(plan.splits)
    names = np.unique(store.patients[rows]).tolist()
    patients = shuffled(names, str, plan.seed, "patient")
    held_out = max(1, round(len(patients) * plan.held_out / (plan.slices + plan.held_out)))
    if len(patients) - held_out < 2:
        raise UserError(
            "levels are found on at least 2 patients and checked on another, and these are fewer",
            f"{len(patients)} in split {', '.join(plan.splits)}",
            "name more splits",
        )
    in_turns = _InTurns(store, rows, plan.seed)
    return Chosen(
        reference=in_turns.take(patients[held_out:], plan.slices, "--slices"),
        held_out=in_turns.take(patients[:held_out], plan.held_out, "--held-out"),
    )


class _InTurns:
    """Takes one slice of each patient, then a second of each that has one, and so on."""

    def __init__(self, store: Store, rows: NDArray[np.intp], seed: int) -> None:
        self._store = store
        self._of_patient: dict[str, list[int]] = {}
        keys = store.keys.tolist()
        for row in shuffled(rows.tolist(), keys.__getitem__, seed, "slice"):
            self._of_patient.setdefault(str(store.patients[row]), []).append(row)

    def take(self, patients: Sequence[str], count: int, option: str) -> Slices:
        store = self._store
        rows = in_turns([self._of_patient[name] for name in patients])
        filled = (row for row in rows if store.images[row].any())
        taken = list(islice(filled, count))
        if len(taken) < count:
            raise UserError(
                f"the {len(patients)} patients on that side have {len(taken)} slices that are not "
                f"empty, and {option} asks for more",
                count,
                "ask for fewer, or name more splits",
            )
        return Slices(
            images=torch.from_numpy(store.read(taken)),
            keys=tuple(store.keys[taken].tolist()),
            patients=tuple(store.patients[taken].tolist()),
            pixel_mm=store.pixel_mm(taken),
        )

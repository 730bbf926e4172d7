"""Slices of a store to calibrate levels on: a keyed draw over patients, in the sweep's signal.

They are damaged as a trial's slices are, images or k-space, and compared as the classifier gets
them: clean and damaged slice are each normalized on their own, and what the clean one's
normalization took away and divided by is then given back to both. So SSIM has intensities from 0
to the clean slice's maximum, and what the normalization takes out of an artifact does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim import Artifact, Shift
from artifacts_sim.calibration.curve import PIXELS_AT_ONCE
from artifacts_sim.calibration.ssim import Measure, foreground
from sweep.config.settings import Normalize, Signal
from sweep.core.choice import in_turns, shuffled
from sweep.core.errors import UserError
from sweep.learn.inputs import NORMALIZERS, TINY, corrupt, names_of, normalize
from sweep.learn.signals import SIGNALS, Rows, Signals
from sweep.store import Store

SLICES, HELD_OUT = 192, 96
CPU = torch.device("cpu")


@dataclass(frozen=True)
class ReferencePlan:
    """What to choose, and how to look at it.

    Attributes:
        splits: The folds or split names to choose from.
        slices: The number of slices of the reference, on which the levels are found; None: as
            many as there are, up to ``SLICES``.
        held_out: The number of slices of other patients, on which the levels are checked; None:
            as many as there are, up to ``HELD_OUT``.
        seed: Key of the choice, and of the artifacts' draws.
        signal: What the artifacts act on.
        normalize: What the classifier's inputs are scaled by.
        measure: Where SSIM counts.
        scan_draws: Whether slices of a scan share what is a scan's.

    """

    splits: tuple[str, ...]
    slices: int | None = None
    held_out: int | None = None
    seed: int = 0
    signal: Signal = "images"
    normalize: Normalize = "robust"
    measure: Measure = "foreground"
    scan_draws: bool = True


@dataclass(frozen=True, eq=False)
class StoreSlices:
    """Slices of a store to measure on; a ``Reference`` of ``artifacts_sim.calibration``.

    Attributes:
        store: The store.
        rows: (B,) their numbers.
        signal: What the artifacts act on.
        normalize: What the classifier's inputs are scaled by.
        scan_draws: Whether slices of a scan share what is a scan's.

    """

    store: Store
    rows: Rows
    signal: Signal
    normalize: Normalize
    scan_draws: bool = True

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """B names, from which the artifacts' draws come."""
        return tuple(self.store.keys[self.rows].tolist())

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """B names; whose slice it is."""
        return tuple(self.store.patients[self.rows].tolist())

    @cached_property
    def parts(self) -> tuple["_StorePart", ...]:
        """All slices in their order, a few at a time."""
        shape = self.store.images.shape[1:]
        if self.signal == "kspace" and self.store.frame is not None:
            shape = self.store.frame
        step = max(1, PIXELS_AT_ONCE // int(np.prod(shape)))
        return tuple(
            _StorePart(
                self.store,
                self.rows[start : start + step],
                self.signal,
                self.normalize,
                self.scan_draws,
            )
            for start in range(0, len(self.rows), step)
        )


@dataclass(frozen=True, eq=False)
class _StorePart:
    store: Store
    rows: Rows
    signal: Signal
    normalize: Normalize
    scan_draws: bool

    @cached_property
    def clean(self) -> Tensor:
        return self._signals().clean()

    @cached_property
    def foreground(self) -> Tensor:
        return foreground(self.clean)

    def damaged(self, art: Artifact, knob: float, seed: int) -> Tensor:
        """As the classifier gets it, in the intensities of ``clean``."""
        names = names_of(self.store, self.rows, self.scan_draws)
        damaged = corrupt(self._signals(), Shift.of(art, knob=knob), names, seed)
        offset, scale = self._scaling
        return normalize(damaged, self.normalize)[:, 0].mul_(scale).add_(offset)

    @cached_property
    def _scaling(self) -> tuple[Tensor, Tensor]:
        offset, scale = NORMALIZERS[self.normalize](self.clean)
        return offset[:, None, None], scale[:, None, None]

    def _signals(self) -> Signals:
        """Gathered anew each time: the k-space of all slices would fill the memory."""
        return SIGNALS[self.signal].of(self.store, self.rows, CPU)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen; no patient is on both sides."""

    reference: StoreSlices
    held_out: StoreSlices


def choose(store: Store, plan: ReferencePlan) -> Chosen:
    """Choose slices by a draw that depends on the seed and on their names alone.

    Patients are dealt to the two sides in proportion to the slices asked of each. Then each
    patient of a side gives one slice, then a second, and so on until there are enough. Slices
    that are empty, or constant after normalization, are passed over.

    Raises:
        UserError: A split that is not in the store, or too few slices or patients.

    """
    slices = SLICES if plan.slices is None else plan.slices
    checked = HELD_OUT if plan.held_out is None else plan.held_out
    if slices < 2 or checked < 1:
        raise UserError(
            "levels are found on at least 2 slices and checked on at least 1, and this is fewer",
            f"--slices {slices} and --held-out {checked}",
            "ask for more",
        )
    rows = store.indices(plan.splits)
    names = np.unique(store.patients[rows]).tolist()
    patients = shuffled(names, str, plan.seed, "patient")
    held_out = max(1, round(len(patients) * checked / (slices + checked)))
    if len(patients) - held_out < 2:
        raise UserError(
            "levels are found on at least 2 patients and checked on another, and these are fewer",
            f"{len(patients)} in split {', '.join(plan.splits)}",
            "name more splits",
        )
    in_turns = _InTurns(store, rows, plan)
    return Chosen(
        reference=in_turns.take(patients[held_out:], slices, plan.slices and "--slices"),
        held_out=in_turns.take(patients[:held_out], checked, plan.held_out and "--held-out"),
    )


class _InTurns:
    """Takes one slice of each patient, then a second of each that has one, and so on."""

    def __init__(self, store: Store, rows: NDArray[np.intp], plan: ReferencePlan) -> None:
        self._store, self._plan = store, plan
        self._of_patient: dict[str, list[int]] = {}
        keys = store.keys.tolist()
        for row in shuffled(rows.tolist(), keys.__getitem__, plan.seed, "slice"):
            self._of_patient.setdefault(str(store.patients[row]), []).append(row)

    def take(self, patients: Sequence[str], count: int, option: str | int | None) -> StoreSlices:
        """So many slices; without an option that asked for them, fewer will do."""
        rows = in_turns([self._of_patient[name] for name in patients])
        taken = list(islice(filter(self._shows_something, rows), count))
        if len(taken) < (count if option else 1):
            raise UserError(
                f"the {len(patients)} patients on that side have {len(taken)} slices that are not "
                f"empty, and {option or 'a calibration'} asks for more",
                count if option else 1,
                "ask for fewer, or name more splits" if option else "name more splits",
            )
        plan = self._plan
        return StoreSlices(
            self._store, np.array(taken), plan.signal, plan.normalize, plan.scan_draws
        )

    def _shows_something(self, row: int) -> bool:
        if not self._store.images[row].any():
            return False
        _, scale = NORMALIZERS[self._plan.normalize](torch.from_numpy(self._store.read([row])))
        return bool(scale > TINY)

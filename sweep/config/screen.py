"""What a user can set for screenings: stress tests of early epochs that cost what they decide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from sweep.config.base import Settings, require


@dataclass(frozen=True, kw_only=True)
class ScreenSettings(Settings):
    """On what an epoch is scored before it is known to matter.

    Such an epoch is scored on a fixed, keyed part of the validation patients and of the cells. Its
    scores have names of their own, ``screen/...``, and are compared with their like alone. All
    patients and cells decide at later rungs, at the best epoch of a trial that ends by itself, and
    at its last.

    Attributes:
        patients: Their share; more are taken where fewer than five show a label, or lack it. When
            to change it: early scores are too noisy (more), or cost too much by ``check`` (fewer).
        levels: How many of each artifact, chosen by key. When to change it: the norms rank
            otherwise at other levels.
        full: Epochs that are scored in full at once, beside the last; null: the rungs of the
            scheduler from half of the epochs on. When to change it: the course of the full scores
            over the epochs is wanted.

    """

    patients: float = 0.25
    levels: int = 1
    full: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require(0 < self.patients <= 1, "patients", "a share above 0, up to 1", self.patients)
        require(self.levels >= 1, "levels", "1 or more", self.levels)
        for epoch in self.full or ():
            require(epoch >= 1, "full", "epochs from 1 on", self.full)

    def resolved(self, rungs: Sequence[int], epochs: int) -> Self:
        """The same with ``full`` as epochs.

        Args:
            rungs: Epochs at which the scheduler compares trials.
            epochs: Those of a whole trial.

        """
        if self.full is not None:
            return self
        later = tuple(epoch for epoch in rungs if epoch >= math.ceil(epochs / 2))
        return replace(self, full=later)

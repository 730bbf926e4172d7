"""What a user can set for what a sweep may cost: a limit ends it, to be gone on with."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sweep.config.base import Settings, require
from sweep.config.reading import given


@dataclass(frozen=True, kw_only=True)
class LimitSettings(Settings):
    """What the trials of a sweep may use in all, over all runs of its driver; null: any amount.

    When one is used up, no trial is begun and those under way stay as an interruption leaves them.

    Attributes:
        hours: Hours of wall-clock time that the driver is at work on trials: from when the
            evaluators are up until the last trial has ended. Starting up, calibrating levels and
            scoring modes do not count. When to change it: the machine is yours until a known time.
        gpu_hours: The GPU shares held in that time, times that time: ``cluster.evaluator.gpu`` of
            each evaluator for all of it, ``cluster.trial.gpu`` of each trial from the start of its
            worker to its end. When to change it: there is a budget of GPU hours.
        epochs: Reported epochs, of all trials together. When to change it: sweeps are to be
            compared at the same cost.

    """

    hours: float | None = None
    gpu_hours: float | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        for name in ("hours", "gpu_hours"):
            value = getattr(self, name)
            rule = "null, or a finite number above 0"
            require(value is None or 0 < value < math.inf, name, rule, value)
        epochs = self.epochs
        require(epochs is None or epochs >= 1, "epochs", "null, or 1 or more", epochs)


def given_limits(assignments: Iterable[str]) -> dict[str, Any]:
    """Limits in ``hours=12`` texts, by name; ``none`` lifts one.

    Raises:
        UserError: A text that is none of these, or an unknown limit.

    """
    read = given(LimitSettings, assignments, "--limit", "hours=12")
    return {name: None if value == "none" else value for name, value in read.items()}

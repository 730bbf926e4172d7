"""Finalists, as plain values: the best configurations, trained again and scored where it counts."""

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["finished", "diverged"]
VALIDATION, TEST = "validation", "test"
HOLDOUT = "holdout/"  # before the names of summaries over held-out artifacts
FIXED = "robust/{}_cvar_fixed"  # CVaR over the cells that were worst on validation patients


@dataclass(frozen=True)
class Place:
    """Slices on which finalists are scored.

    Attributes:
        name: ``validation``, ``test``, or the name of an external store.
        store: Path of the store.
        fingerprint: The fingerprint of the store.
        splits: Folds or split names; none: all slices.
        artifacts: Those of the stress test.
        holdout: Those that no configuration was chosen by.

    """

    name: str
    store: str
    fingerprint: str
    splits: tuple[str | int, ...]
    artifacts: tuple[str, ...]
    holdout: tuple[str, ...]


@dataclass(frozen=True)
class FinalistRun:
    """One training of one finalist.

    Attributes:
        name: Unique in the sweep.
        trial: The trial that was chosen.
        norm: The norm of its network.
        params: Its searched values, by dotted name.
        seed: The seed of this training.

    """

    name: str
    trial: str
    norm: str
    params: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class FinalistRecord:
    """What one training of a finalist came to.

    Attributes:
        run: Which.
        status: ``diverged`` where its loss was not finite at some epoch; it has no scores then.
        ended_at_ms: Unix time.
        epochs: The epochs that were scored, by the rule.
        metrics: By place, the mean over those epochs of each score; NaN where it is missing.

    """

    run: FinalistRun
    status: Status
    ended_at_ms: int
    epochs: tuple[int, ...]
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)

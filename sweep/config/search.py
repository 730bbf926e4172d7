"""What a user can set for the search: how configurations are chosen and weak ones stopped."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sweep.config.base import Settings, require
from sweep.config.space import Dimension
from sweep.core.errors import UserError, require_known
from sweep.metrics import objectives

TRIALS = 20
MOST_COMBINATIONS = 100_000  # of a grid; they are laid out in memory, and nobody runs more


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """How configurations are chosen.

    Attributes:
        trials: How many; null: 20, and of a grid all combinations, which it never has more or
            less of.
        space: Dotted setting -> ``{kind: values}``, see ``sweep.config.space``.
        sampler: Optuna's ``tpe`` or ``random``; ``grid`` tries every combination of choices once,
            in an order that follows from the seed, the values of ``stratify`` in turns.
        scheduler: ``asha`` stops weak trials early; ``none`` lets each run to its end.
        objective: The score to maximise, on the validation patients.
        stratify: A searched choice whose values take turns, so that each gets the same number of
            trials and competes for epochs with its like only; null: the sampler decides.
        grace_epochs: ASHA stops no trial before this epoch.
        reduction: ASHA lets the best 1 / ``reduction`` of a rung go on.

    """

    trials: int | None = None
    space: dict[str, Any] = field(default_factory=dict)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    scheduler: Literal["asha", "none"] = "asha"
    objective: str = "robust/auroc_cvar"
    stratify: str | None = "model.norm"
    grace_epochs: int = 1
    reduction: float = 2.0

    def __post_init__(self) -> None:
        if self.trials is None and self.sampler != "grid":
            object.__setattr__(self, "trials", TRIALS)
        require(self.trials is None or self.trials >= 1, "trials", "1 or more", self.trials)
        require(self.grace_epochs >= 1, "grace_epochs", "1 or more", self.grace_epochs)
        require(self.reduction > 1, "reduction", "a number above 1", self.reduction)
        require_known("objective", (self.objective,), objectives())

    @property
    def total(self) -> int:
        """How many trials: as set, or the combinations of the grid."""
        return self.trials or self._combinations()

    def dimensions(self) -> dict[str, Dimension]:
        """The search space, read."""
        return {name: Dimension.parse(name, written) for name, written in self.space.items()}

    def strata(self) -> tuple[Any, ...]:
        """The values that take turns; empty where nothing is stratified."""
        dimension = self.dimensions().get(self.stratify or "")
        return dimension.values if dimension and dimension.kind == "choice" else ()

    def check_grid(self) -> None:
        """Refuse a grid of what is no choice, of another number of trials, or beyond all measure.

        Raises:
            UserError: See above.

        """
        if self.sampler != "grid":
            return
        for name, dimension in self.dimensions().items():
            if dimension.kind != "choice":
                raise UserError(
                    f"search.space.{name} is a range, and a grid has combinations of choices alone",
                    f"{self.space[name]!r}",
                    "list its values as {choice: [...]}, or set search.sampler to tpe or random",
                )
        combinations = self._combinations()
        if combinations > MOST_COMBINATIONS:
            raise UserError(
                f"search.space has more than the {MOST_COMBINATIONS} combinations of a grid",
                combinations,
                "list fewer values, or set search.sampler to tpe or random",
            )
        if self.trials not in (None, combinations):
            raise UserError(
                "search.trials is not the number of combinations, each of which a grid tries once",
                f"{self.trials} for {combinations} combinations",
                f"leave it out or set it to {combinations}; list fewer values to try fewer",
            )

    def extended(self, more: int) -> "SearchSettings":
        """The search with more trials.

        Raises:
            UserError: A grid, which has no more.

        """
        if self.sampler == "grid":
            raise UserError(
                "a grid has no trials beyond its combinations, each of which is tried once",
                f"{more} more than {self.total}",
                "resume without more trials, or start a new sweep on other values",
            )
        return replace(self, trials=self.total + more)

    def _combinations(self) -> int:
        return math.prod(len(one.values) for one in self.dimensions().values())

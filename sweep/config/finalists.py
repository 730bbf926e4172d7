"""What becomes of the best configurations once a sweep has ended: seeds, places, comparisons."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import artifacts_sim
from sweep.config.base import Settings, require
from sweep.config.settings import Split
from sweep.core.errors import UserError
from sweep.core.finals import TEST, VALIDATION

FIRST_SEED = 1000  # of the retrainings; the sweep's own are left out
EPOCHS = {"last": 1, "last3": 3}  # how many of the last epochs a rule scores


@dataclass(frozen=True, kw_only=True)
class ExternalSettings(Settings):
    """Slices of elsewhere, such as an unseen hospital.

    Attributes:
        name: The name of the place in tables.
        store: Path of the HDF5 store; it has the labels of the sweep's own.
        splits: Folds or split names; none: all slices.
        fingerprint: The store must have this one; null: any. Written when finalists begin.

    """

    name: str
    store: str
    splits: tuple[Split, ...] = ()
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        rule = f"a word that is not {VALIDATION} or {TEST}"
        ok = self.name.replace("-", "_").isidentifier() and self.name not in (VALIDATION, TEST)
        require(ok, "name", rule, self.name)


@dataclass(frozen=True, kw_only=True)
class PrimarySettings(Settings):
    """The one comparison that the sweep is to answer, stated before it runs.

    Attributes:
        between: Two norms or arms; the difference is the first less the second. ``by:SCORE`` is
            the finalist that is the best by a score on validation patients.
        score: What is compared.
        place: Where: ``test``, or the name of an external store.

    """

    between: tuple[str, ...]
    score: str = "robust/auroc_mean"
    place: str = TEST

    def __post_init__(self) -> None:
        two = len(self.between) == 2 and len(set(self.between)) == 2
        require(two, "between", "two that differ", self.between)


@dataclass(frozen=True, kw_only=True)
class FinalistSettings(Settings):
    """Which configurations are trained again, with which seeds, and where they are scored.

    Attributes:
        per_norm: Configurations of each norm, or of each arm. When to change it: time allows it;
            with one configuration of each norm, norms cannot be compared.
        seeds: Trainings of each configuration, with the same new seeds for all. When to change it:
            intervals of differences are too wide.
        rule: Which epochs are scored, fixed before: the ``last``, or the ``last3``, of whose scores
            the mean counts. When to change it: scores jump from epoch to epoch.
        by: What the configurations are chosen by, on validation patients; null: the objective. When
            to change it: the sweep was searched by another score than the one that decides.
        holdout: Artifacts that no configuration was chosen by, or a family of them; those of the
            stress test and of the augmentation are left out. When to change it: your stress test
            already has some of them, or you expect others.
        external: Further stores to score on. When to change it: there are images of another
            hospital.
        reference: The norm or arm that the others are compared with; null: none, each with each.
            When to change it: there is no batch norm in the sweep, or another norm is the usual
            one.
        margin: A difference below which two norms are as good as each other. When to change it: a
            smaller or a larger difference would change what you do.
        primary: The one comparison that counts; null: none was stated. When to change it: one
            question is asked: state it before the sweep runs.

    """

    per_norm: int = 3
    seeds: int = 5
    rule: Literal["last", "last3"] = "last"
    by: str | None = None
    holdout: tuple[str, ...] = ("holdout",)
    external: tuple[ExternalSettings, ...] = ()
    reference: str | None = "batch"
    margin: float = 0.02
    primary: PrimarySettings | None = None

    def __post_init__(self) -> None:
        require(self.per_norm >= 1, "per_norm", "1 or more", self.per_norm)
        require(self.seeds >= 1, "seeds", "1 or more", self.seeds)
        require(0 < self.margin < 1, "margin", "a number between 0 and 1", self.margin)
        names = [one.name for one in self.external]
        require(len(set(names)) == len(names), "external", "a name for each", names)
        places = (TEST, *names)
        if self.primary and self.primary.place not in places:
            raise UserError(
                "primary.place is no place where finalists are scored",
                f"{self.primary.place!r}",
                f"give one of {', '.join(places)}",
            )

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``primary`` where none was stated."""
        plain = super().to_plain()
        return {name: value for name, value in plain.items() if name != "primary" or value}

    @property
    def epochs(self) -> int:
        """How many of the last epochs are scored."""
        return EPOCHS[self.rule]

    def held_out(self, met: Collection[str]) -> tuple[str, ...]:
        """The held-out artifacts, without those that have been met."""
        listed = artifacts_sim.expand(self.holdout)
        return tuple(name for name in dict.fromkeys(listed) if name not in met)

    def new_seeds(self, used: Collection[int]) -> tuple[int, ...]:
        """The seeds of the retrainings, none of which a trial has had."""
        most = FIRST_SEED + self.seeds + len(used)
        return tuple(seed for seed in range(FIRST_SEED, most) if seed not in used)[: self.seeds]

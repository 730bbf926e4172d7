"""What a user can set for what stays of trials that have ended, and of finalists."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from sweep.config.base import Settings, require
from sweep.config.reading import given
from sweep.core.errors import UserError, require_known

ALL, SCORED, EACH, NONE = "all", "scored", "each", "none"  # of what, whichever trials are good
BEST, FRONT, FINALISTS = "best", "front", "finalists"  # of some trials; may be named together
SOME = (BEST, FRONT, FINALISTS)
TOP = 3


@dataclass(frozen=True, kw_only=True)
class KeepSettings(Settings):
    """Of which trials checkpoints and predictions stay once they have ended.

    Records and scores stay of all. What is still to be read stays until it was: the predictions of
    epochs that were scored in full until the choice of the best has been measured, and the
    checkpoint of a trial until it is scored in every mode.

    Attributes:
        checkpoints: ``each``: of every trial that of its best epoch; ``all``: those of all epochs;
            ``none``; or that of the best epoch of some trials alone: of the ``best``, of the Pareto
            ``front``, of those that ``finalists`` were chosen from; several as a list. When to
            change it: the disk is small (``[best, finalists]``), or every epoch matters (``all``).
        predictions: ``scored``: those of every epoch that was scored in full, and of each trial's
            best; ``each``: of every trial those of its best epoch; or as for ``checkpoints``. When
            to change it: the disk is small; they are needed for intervals and comparisons.
        finalists: The checkpoints of finalists: ``all``; ``best``: of each norm or arm the one that
            is the best on validation patients; ``none``.
        top: How many trials of each norm or arm are the ``best``, by the objective. When to change
            it: more checkpoints of each norm are to be asked later.

    """

    checkpoints: str | tuple[str, ...] = EACH
    predictions: str | tuple[str, ...] = SCORED
    finalists: Literal["all", "best", "none"] = "all"
    top: int = TOP

    def __post_init__(self) -> None:
        _check("checkpoints", self.checkpoints, (ALL, EACH, NONE))
        _check("predictions", self.predictions, (ALL, SCORED, EACH, NONE))
        require(self.top >= 1, "top", "1 or more", self.top)

    @property
    def of_some(self) -> frozenset[str]:
        """What tells the trials that are kept from others; empty: nothing does."""
        named = {*words(self.checkpoints), *words(self.predictions)}
        return frozenset(named & set(SOME))

    @property
    def keeps_all(self) -> bool:
        """Whether the checkpoint of every epoch stays, from when it is written."""
        return ALL in words(self.checkpoints)

    @property
    def tells_apart(self) -> bool:
        """Whether some trials keep less than others."""
        return bool(self.of_some) or NONE in {*words(self.checkpoints), *words(self.predictions)}

    def told(self) -> str:
        """The settings that are not the default, as ``--keep`` takes them."""
        usual = KeepSettings()
        changed = {f.name: getattr(self, f.name) for f in fields(self)}
        return " ".join(
            f"{name}={','.join(words(value)) if name != 'top' else value}"
            for name, value in changed.items()
            if value != getattr(usual, name)
        )


def words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """The words of a setting: one, several, or several in one text."""
    listed = value.split(",") if isinstance(value, str) else value
    return tuple(word.strip() for word in listed)


def given_keep(assignments: Iterable[str]) -> dict[str, Any]:
    """Settings in ``checkpoints=best,front`` texts, by name.

    Raises:
        UserError: A text that is none of these, or an unknown setting.

    """
    return given(KeepSettings, assignments, "--keep", "checkpoints=best")


def check_front(keep: KeepSettings, objectives: Collection[str]) -> None:
    """Raise ``UserError`` for the Pareto front of a sweep that has one objective."""
    if FRONT in keep.of_some and not objectives:
        raise UserError(
            "keep names the Pareto front, and the sweep has one objective",
            f"{FRONT!r} without search.objectives",
            f"name {BEST!r} and how many by keep.top, or set search.objectives",
        )


def _check(name: str, value: str | tuple[str, ...], alone: tuple[str, ...]) -> None:
    """Refuse what is no word, a word twice, or one that stands alone with others."""
    named = words(value)
    require_known(name, named, {*alone, *SOME})
    rule = f"one of {', '.join(alone)}, or some of {', '.join(SOME)}"
    right = len(named) == 1 or (named and set(named) <= set(SOME))
    require(bool(right) and len(set(named)) == len(named), name, rule, value)

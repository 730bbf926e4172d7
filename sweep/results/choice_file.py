"""What choosing a sweep's winner is worth, as ``sweep.results.choice`` kept it, and in words."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sweep.core.kinds import require_kind
from sweep.core.reading import read_json, readable
from sweep.core.text import number_of
from sweep.stats.optimism import Optimism

FILE = "choice.json"


@dataclass(frozen=True)
class Choice:
    """What the best of a sweep scores, and what choosing it is worth.

    Attributes:
        objective: What it was chosen by.
        trials: How many there were to choose from.
        epochs: How many of their epochs were scored in full.
        best: Of all trials.
        norms: Of the trials of each norm, or of each arm.
        reason: Why there is nothing to say; None where there is.

    """

    objective: str
    trials: int = 0
    epochs: int = 0
    best: Optimism | None = None
    norms: dict[str, Optimism] = field(default_factory=dict)
    reason: str | None = None


def kept(folder: Path) -> Choice | None:
    """What is kept in a sweep's folder; None before, and of a sweep that an earlier version ended.

    Raises:
        UserError: Somebody has changed the file, so that it is none.

    """
    file = folder / FILE
    wrong = "what the choice of the best is worth cannot be read"
    remedy = f"remove it; `mrisweep resume {folder}` measures it again"
    with suppress(FileNotFoundError), readable(wrong, file, remedy):
        plain = read_json(file)
        best = plain.pop("best")
        norms = {norm: Optimism(*value) for norm, value in plain.pop("norms").items()}
        found = Choice(**plain, best=None if best is None else Optimism(*best), norms=norms)
        require_kind(Choice, found)
        return found
    return None


def choice_text(choice: Choice, norm: str | None = None) -> str | None:
    """What is to be said of it below a table, or of the choice within one norm.

    Args:
        choice: As kept.
        norm: The one norm that the table shows; None: all.

    Returns:
        One line; None where there is nothing to say of the norm.

    """
    if choice.reason is not None:
        return f"the score of the best is not corrected for its luck: {choice.reason}."
    found = choice.best if norm is None else choice.norms.get(norm)
    if found is None:
        return None
    return (
        f"the best of {number_of(choice.epochs, 'epoch')} of {number_of(choice.trials, 'trial')}"
        f"{f', of norm {norm},' if norm else ''} has {choice.objective} {found.naive:.3f} on the "
        f"patients that it was chosen by; a choice like this is worth {found.corrected:.3f} on "
        "others (bootstrap bias correction)."
    )

"""The one error of this package, and the check of a name against a table."""

import difflib
from collections.abc import Iterable


class ModelError(ValueError):
    """Bad input: what is wrong, what was received, and what to do.

    Args:
        wrong: What is wrong, such as ``there is no such norm``.
        received: What was given instead, as it is to be shown.
        remedy: What to do, such as ``take one of batch, group``.

    """

    def __init__(self, wrong: str, received: object, remedy: str) -> None:
        super().__init__(wrong, str(received), remedy)

    def __str__(self) -> str:
        wrong, received, remedy = self.args
        return f"{wrong}; received {received}; {remedy}"


def told(error: BaseException) -> str:
    """What code of others raised, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def require_name(what: str, name: object, known: Iterable[str]) -> None:
    """Raise `ModelError`, listing the known names and the nearest, unless `name` is one of them."""
    names = sorted(known)
    if isinstance(name, str) and name in names:
        return
    # "batchnorm" means batch, though it has more letters in common with batch_renorm.
    said = (str(name), str(name).replace("norm", ""))
    nearest = max(names, key=lambda known: max(_likeness(one, known) for one in said))
    raise ModelError(
        f"{what} is not one of {', '.join(names)}", repr(name), f"did you mean {nearest!r}?"
    )


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()

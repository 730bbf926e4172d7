"""The one error of this package, and the check of a name against a table."""

import difflib
from collections.abc import Iterable


class ModelError(ValueError):
    """A rule of this package was broken; the message states the rule, what came, and the remedy."""


def require_name(what: str, name: object, known: Iterable[str]) -> None:
    """Raise `ModelError`, listing the known names and the nearest, unless `name` is one of them."""
    names = sorted(known)
    if isinstance(name, str) and name in names:
        return
    nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)[0]
    raise ModelError(
        f"{what} must be one of {', '.join(names)}: received {name!r}; did you mean {nearest!r}?"
    )

"""What can go wrong, as the user meets it: bad input (exit 2) or work that failed (exit 1)."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input. The message states the rule, what was received and the remedy."""


class WorkError(RuntimeError):
    """The input was fine and the work failed all the same."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: ``did you mean 'lr'?``, or all that is known.

    Args:
        name: what the user wrote.
        known: every name that would have been right.

    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(names)

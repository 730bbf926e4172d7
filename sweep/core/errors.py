"""What can go wrong, as the user meets it: bad input (exit 2) or work that failed (exit 1).

A message says what is wrong, what was received, and what to do, in this order.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sweep.core.text import SHOWN


class UserError(ValueError):
    """Bad input."""


class UnusableError(UserError):
    """A file that cannot be used, though others can: it is skipped, named and counted."""


class WorkError(RuntimeError):
    """The input was fine and the work failed all the same."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: ``did you mean 'lr'?``, or all that is known.

    Args:
        name: What the user wrote.
        known: Every name that would have been right.

    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(names)


def require_known(name: str, values: Collection[str], known: Collection[str]) -> None:
    """Raise ``UserError`` for a value outside ``known``, with the nearest known name."""
    for value in values:
        if value not in known:
            raise UserError(f"{name}: {value!r} does not exist; {nearest(str(value), known)}")


@contextmanager
def broken_is_unusable(rule: str, path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a library raises of a damaged file into one kind of error.

    Damaged files make libraries raise errors of nearly every type.

    Args:
        rule: What a file must be.
        path: The path of the file.
        remedy: What the user should do, as a sentence.

    Raises:
        UnusableError: Anything was raised.

    """
    try:
        yield
    except UnusableError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())  # some libraries say it in several lines
        raise UnusableError(f"{rule}; {path}: {type(error).__name__}: {said}. {remedy}") from error


def refuse(rule: str, problems: Sequence[str], remedy: str) -> None:
    """Do nothing without problems; otherwise name the first ten of them in one message.

    Args:
        rule: The rule that was broken.
        problems: What was received, one entry for each breach.
        remedy: What the user should do, as a sentence.

    Raises:
        UserError: There is at least one problem.

    """
    if not problems:
        return
    shown = "; ".join(problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    raise UserError(f"{rule}: {shown}{more}. {remedy}")

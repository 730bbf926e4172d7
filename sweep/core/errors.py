"""What can go wrong, as the user meets it: bad input (exit 2) or work that failed (exit 1).

A message says what is wrong, what was received, and what to do, in this order.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sweep.core.mirrors import named
from sweep.core.text import SHOWN, one_line


class _ThreePartError(Exception):
    """What is wrong, what was received, and what to do.

    Args:
        wrong: What is wrong, such as ``there is no such store``.
        received: What was given or found instead, as it is to be shown.
        remedy: What to do, such as ``correct the path``.

    """

    def __init__(self, wrong: str, received: object, remedy: str) -> None:
        super().__init__(*map(named, (wrong, str(received), remedy)))

    def __str__(self) -> str:
        wrong, received, remedy = self.args
        return f"{wrong}; received {received}; {remedy}"


class UserError(_ThreePartError, ValueError):
    """Bad input."""


class UnusableError(UserError):
    """A file that cannot be used, though others can: it is skipped, named and counted."""


class SeveralFaultsError(UserError):
    """Several faults of one input, a line each."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        Exception.__init__(self, errors)

    def __str__(self) -> str:
        lines = (f"- {error}" for error in self.args[0])
        return "\n".join([f"{len(self.args[0])} faults", *lines])


class WorkError(_ThreePartError, RuntimeError):
    """The input was fine and the work failed all the same."""


def told(error: BaseException) -> str:
    """What kind of error it is and what it says, on one line, as received from a library."""
    return f"{type(error).__name__}: {one_line(error)}"


def within(where: str, error: Exception) -> UserError | WorkError:
    """The same fault with what it is part of before it.

    Args:
        where: What it is part of, such as the name of a section or an artifact.
        error: An error of three parts, of this package or of the two below it.

    Returns:
        A ``WorkError`` for one, and else a ``UserError``.

    """
    if isinstance(error, SeveralFaultsError):
        return SeveralFaultsError([within(where, one) for one in error.args[0]])
    wrong, received, remedy = error.args
    kind = WorkError if isinstance(error, WorkError) else UserError
    return kind(f"{where}: {wrong}", received, remedy)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: ``did you mean 'lr'?``, or all that is known.

    Args:
        name: What the user wrote.
        known: Every name that would have been right.

    """
    names = sorted(known)
    if not names:
        return "there is none to take"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(names)


def require_known(name: str, values: Collection[str], known: Collection[str]) -> None:
    """Raise ``UserError`` for a value outside ``known``, with the nearest known name."""
    for value in values:
        if value not in known:
            raise UserError(f"{name} has an unknown name", f"{value!r}", nearest(str(value), known))


@contextmanager
def broken_is_unusable(wrong: str, path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a library raises of a damaged file into one kind of error.

    Damaged files make libraries raise errors of nearly every type.

    Args:
        wrong: What is wrong with a file that cannot be read, such as ``the file is no volume``.
        path: The path of the file.
        remedy: What the user should do.

    Raises:
        UnusableError: Anything was raised.

    """
    try:
        yield
    except UnusableError:
        raise
    except Exception as error:
        raise UnusableError(wrong, f"{path} ({told(error)})", remedy) from error


def refuse(wrong: str, problems: Sequence[str], remedy: str) -> None:
    """Do nothing without problems; otherwise name the first ten of them in one message.

    Args:
        wrong: What is wrong with them.
        problems: What was received, one entry for each breach.
        remedy: What the user should do.

    Raises:
        UserError: There is at least one problem.

    """
    if not problems:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    raise UserError(wrong, ", ".join([*problems[:SHOWN], *more]), remedy)

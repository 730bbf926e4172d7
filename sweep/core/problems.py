"""Problems of data: many of one kind as one message, and those that spoil one file only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sweep.core.errors import UserError

SHOWN = 10  # of a long list


class UnusableError(UserError):
    """A file that cannot be used, though others can: it is skipped, named and counted."""


@contextmanager
def broken_is_unusable(rule: str, path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a library raises of a damaged file into one kind of error.

    Damaged files make libraries raise errors of nearly every type.

    Args:
        rule: the law that was broken.
        path: of the file.
        remedy: what the user should do, as a sentence.

    Raises:
        UnusableError: anything was raised.

    """
    try:
        yield
    except UnusableError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())  # some libraries say it in several lines
        raise UnusableError(f"{rule}; {path}: {type(error).__name__}: {said}. {remedy}") from error


def times(sizes: Sequence[float]) -> str:
    """Sizes as in 320 x 320."""
    return " x ".join(f"{size:g}" for size in sizes)


def refuse(rule: str, problems: Sequence[str], remedy: str) -> None:
    """Do nothing without problems; otherwise name the first ten of them in one message.

    Args:
        rule: the law that was broken.
        problems: what was received, one entry for each breach.
        remedy: what the user should do, as a sentence.

    Raises:
        UserError: there is at least one problem.

    """
    if not problems:
        return
    shown = "; ".join(problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    raise UserError(f"{rule}: {shown}{more}. {remedy}")

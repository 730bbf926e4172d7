"""Problems of data: many of one kind as one message, and those that spoil one file only."""

from collections.abc import Sequence

from sweep.errors import UserError

SHOWN = 10  # of a long list


class UnusableError(UserError):
    """A file that cannot be used, though others can: it is skipped, named and counted."""


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

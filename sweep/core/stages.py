"""What a command is at, such as the start of Ray: said by its parts, shown by whoever looks."""

import time
from typing import NamedTuple


class Stage(NamedTuple):
    """A part of what a command does.

    Attributes:
        text: What is being done; empty: nothing was said of it.
        since: When it began, monotonic seconds.

    """

    text: str
    since: float


_now = Stage("", 0.0)


def stage(text: str) -> None:
    """Say what is done from now on, or still; nothing is printed here.

    A signal's handler may call it: it is one assignment.
    """
    global _now  # a process is at one thing at a time, and whoever shows it is not handed around
    if text != _now.text:
        _now = Stage(text, time.monotonic())


def current() -> Stage:
    """What is being done."""
    return _now

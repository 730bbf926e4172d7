"""A running sweep, looked at from elsewhere: its folder alone is read, and nothing is written."""

import time
from collections.abc import Iterator
from pathlib import Path

from sweep.core.errors import UserError
from sweep.core.states import FINISHED
from sweep.results.standing import Standing, Watcher

LONGEST_S = 86_400.0  # of a pause


def standing(path: str | Path) -> Standing:
    """Where a sweep stands now.

    Args:
        path: Its folder, or the URI of that.

    Raises:
        UserError: No sweep's folder.
        WorkError: The record of a trial is damaged, or a bucket does not answer.

    """
    return Watcher(path).look()


def watch(path: str | Path, every_s: float = 2.0) -> Iterator[Standing]:
    """Where a sweep stands, time and again until it has ended.

    One that no process drives may be gone on with by another, and is waited for.

    Args:
        path: Its folder, or the URI of that.
        every_s: Seconds between two looks.

    Raises:
        UserError: No sweep's folder, or it is one no more; or see ``require_pause``.
        WorkError: The record of a trial is damaged, or a bucket does not answer.

    """
    require_pause(every_s)
    watcher = Watcher(path)
    while True:
        found = watcher.look()
        yield found
        if found.state == FINISHED:
            return
        time.sleep(every_s)


def require_pause(every_s: float) -> None:
    """Raise ``UserError`` for what cannot be the time between two looks."""
    if not 0 < every_s <= LONGEST_S:
        raise UserError(
            "--every is not above 0 and at most a day",
            every_s,
            f"give a number of seconds up to {LONGEST_S:.0f}",
        )

"""Signs of life of the work in this process, for whoever has to tell slow work from none.

A loop that gets on says ``beat()``, which costs nothing. A process that is watched answers how long
nothing was said, or has each sign passed on.
"""

import time
from collections.abc import Callable

_EVERY_S = 5.0  # at most so often is a sign passed on


class _Pulse:
    """Of this process.

    Attributes:
        last: When something was said last, monotonic seconds.
        passed: When it was passed on last.
        tell: Who is told.

    """

    def __init__(self) -> None:
        self.last = self.passed = time.monotonic()
        self.tell: Callable[[], object] | None = None


_pulse = _Pulse()


def beat() -> None:
    """Say that the work gets on."""
    _pulse.last = now = time.monotonic()
    if _pulse.tell is not None and now - _pulse.passed > _EVERY_S:
        _pulse.passed = now
        _pulse.tell()


def silent_s() -> float:
    """Seconds since the last sign."""
    return time.monotonic() - _pulse.last


def pass_on(tell: Callable[[], object] | None) -> None:
    """Have each sign, but not more than one in five seconds, passed on; None: to nobody."""
    _pulse.tell = tell
    _pulse.passed = float("-inf")

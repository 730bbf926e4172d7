"""Signs of life of the work in this process, for whoever has to tell slow work from none.

A loop that gets on says ``beat()``, which costs nothing. A process that is watched answers how long
nothing was said, or has each sign passed on.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

_EVERY_S = 5.0  # at most so often is a sign passed on


class At(NamedTuple):
    """Where a training is.

    Attributes:
        epoch: The epoch that is trained; the first is 1.
        step: Steps of it that are done.
        steps: All steps of it.

    """

    epoch: int
    step: int
    steps: int


class _Pulse:
    """Of this process.

    Attributes:
        last: When something was said last, monotonic seconds.
        at: Where the work was then; None: it did not say.
        passed: When it was passed on last.
        tell: Who is told.

    """

    def __init__(self) -> None:
        self.last = self.passed = time.monotonic()
        self.at: At | None = None
        self.tell: Callable[[At | None], object] | None = None


_pulse = _Pulse()


def beat(at: At | None = None) -> None:
    """Say that the work gets on, and where it is; None: where it was."""
    _pulse.last = now = time.monotonic()
    _pulse.at = at or _pulse.at
    if _pulse.tell is not None and now - _pulse.passed > _EVERY_S:
        _pulse.passed = now
        _pulse.tell(_pulse.at)


def silent_s() -> float:
    """Seconds since the last sign."""
    return time.monotonic() - _pulse.last


def pass_on(tell: Callable[[At | None], object] | None) -> None:
    """Have each sign, but not more than one in five seconds, passed on; None: to nobody."""
    _pulse.tell, _pulse.at = tell, None
    _pulse.passed = float("-inf")

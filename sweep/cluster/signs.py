"""What a worker answers while it works: whether its work gets on, and what it heard of others."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from sweep.core.pulse import At, beat, silent_s


class Heard(NamedTuple):
    """The last sign of a trial.

    Attributes:
        silent_s: Seconds since it came.
        at: Where its training was then; None: it did not say.

    """

    silent_s: float
    at: At | None


class Signs(NamedTuple):
    """What a process says of its work and of that of others.

    Attributes:
        process: Another one after each start.
        silent_s: Seconds since its work got on; None while it has none.
        heard: The name of a trial -> the last sign of it.

    """

    process: str
    silent_s: float | None
    heard: Mapping[str, Heard]


class Pulses:
    """The signs of life in one process: its own, and those that it is told of."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex
        self._heard: dict[str, tuple[float, At | None]] = {}
        self._busy = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """While inside, silence means that nothing gets on."""
        beat()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def hear(self, trial: str, at: At | None) -> None:
        """A trial gets on."""
        self._heard[trial] = time.monotonic(), at

    def signs(self) -> Signs:
        """All of them, as of now."""
        now = time.monotonic()
        heard = {trial: Heard(now - then, at) for trial, (then, at) in self._heard.items()}
        return Signs(self._process, silent_s() if self._busy else None, heard)

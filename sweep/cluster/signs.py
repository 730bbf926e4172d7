"""What a worker answers while it works: whether its work gets on, and what it heard of others."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from sweep.core.pulse import beat, silent_s


class Signs(NamedTuple):
    """What a process says of its work and of that of others.

    Attributes:
        process: Another one after each start.
        silent_s: Seconds since its work got on; None while it has none.
        heard: The name of a trial -> seconds since the last sign of it.

    """

    process: str
    silent_s: float | None
    heard: Mapping[str, float]


class Pulses:
    """The signs of life in one process: its own, and those that it is told of."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex
        self._heard: dict[str, float] = {}
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

    def hear(self, trial: str) -> None:
        """A trial gets on."""
        self._heard[trial] = time.monotonic()

    def signs(self) -> Signs:
        """All of them, as of now."""
        now = time.monotonic()
        heard = {trial: now - at for trial, at in self._heard.items()}
        return Signs(self._process, silent_s() if self._busy else None, heard)

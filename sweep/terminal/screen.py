"""The one place that a long command shows itself in: what it is at, and what there is to say."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from sweep.core.errors import told
from sweep.core.saying import is_terminal, said_by, say
from sweep.core.stages import current
from sweep.core.text import clock, one_line

if TYPE_CHECKING:
    from sweep.terminal.live import Live

POLL_S = 0.5  # between two looks at what the command is at
EVERY_S = 60.0  # in a log, from one line to the next at most
LEAST = 6  # lines of the body: the trials, what is left, the best, two that run
PART = 2 / 3  # of a terminal's height at most: above it stays what was said last


class Body(Protocol):
    """What is shown below the clock; it is asked by a thread of its own."""

    def lines(self, width: int, height: int) -> list[str]:
        """Some lines for a terminal of so many columns, with room for so many lines."""

    def line(self) -> str:
        """All of it in one line, for a log."""


class Screen:
    """Shows a command while it runs, to be used in ``with``.

    On a terminal some lines stay below all others and are drawn anew all the time: the clock, what
    the command is at, the body, the facts. Elsewhere, and on a terminal that cannot move its
    cursor, whatever is said is a line with its date; what the command is at is said once it takes
    longer than a moment, and in a minute without a line how far it is.

    Args:
        stream: Where to; None: stderr.
        now: The clock, monotonic seconds.
        today: The clock of dates.

    """

    def __init__(
        self,
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.stream, self.now, self.today = stream, now, today
        there = stream or sys.stderr
        self.live = is_terminal(there) and os.environ.get("TERM") not in ("dumb", "unknown")
        self.began = now()
        self._body: Body | None = None
        self._facts: dict[str, str] = {}
        self._told = current()  # the stage that was said last; one of before the command is none
        self._said_at = now()
        self._live = _live(there, self.lines) if self.live else None
        self._over = threading.Event()
        self._lock = threading.RLock()
        self._ticker = threading.Thread(target=self._tick, name="screen", daemon=True)

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        try:
            self._ticker.join()
        finally:
            if self._live is not None:
                self._live.stop()

    def fact(self, name: str, text: str) -> None:
        """Something to be seen all the time, such as the folder; in a log a line, once."""
        if self._facts.get(name) == text:
            return
        self._facts[name] = text
        if not self.live:
            self.say(f"{name}  {text}")

    def show(self, body: Body | None) -> None:
        """What is shown from now on; None: nothing but the clock and the facts."""
        self._body = body

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            if self._live is not None:
                self._live.print(text)
            else:
                self._tell_stage()
                if text != self._told.text:  # it was said with the stage
                    self._log(text)

    def tell(self, text: str) -> None:
        """A line that stays, of something that happened now."""
        self.say(f"[{self.clock()}] {text}" if self.live else text)

    def clock(self) -> str:
        """How long the command has run."""
        return clock(self.now() - self.began)

    def lines(self, width: int, height: int) -> list[str]:
        """What a terminal of that size shows now."""
        at, body = current(), self._body
        text = at.text or "starting"
        if body is None and self.now() - at.since >= 1 and at.text:
            text += f", for {clock(self.now() - at.since)}"
        facts = [f"{name:<8}  {one_line(fact)}" for name, fact in dict(self._facts).items()]
        head = [f"{self.clock():<8}  {text}"]
        room = max(1, int(PART * height))
        if body is not None and room < len(head) + len(facts) + LEAST:
            facts = []  # how far the trials are matters more
        if body is None:
            return [*head, *facts][:room]
        least = room - len(head) - len(facts)
        shown = or_why(lambda: "\n".join(body.lines(width, least))).splitlines()
        return [*head, *facts, *shown][:room]

    def _tick(self) -> None:
        while not self._over.wait(POLL_S):
            with suppress(Exception):  # what could not be shown this time may be the next time
                self.look()

    def look(self) -> None:
        """Draw the lines of a terminal anew.

        Say in a log what the command has come to, and in a minute of silence how far it is.
        """
        if self._live is not None:
            self._live.draw()
            return
        with self._lock:
            at = current()
            if at != self._told and self.now() - at.since >= POLL_S:
                self._tell_stage()
            elif self.now() - self._said_at >= EVERY_S:
                body = self._body
                waits = f"{at.text or 'starting'}, for {clock(self.now() - at.since)}"
                self._log(or_why(body.line) if body is not None else waits)

    def _tell_stage(self) -> None:
        """In front of what is said next, so that the lines are in their order."""
        at = current()
        if at != self._told:
            self._told = at
            self._log(at.text)

    def _log(self, text: str) -> None:
        self._said_at = self.now()
        say(f"{self.today():%Y-%m-%d %H:%M:%S}  {text}", stream=self.stream or sys.stderr)


def _live(stream: TextIO, lines: Callable[[int, int], list[str]]) -> "Live":
    from sweep.terminal.live import Live  # no log needs what it is made with

    return Live(stream, lines)


def or_why(ask: Callable[[], str]) -> str:
    """What is to be shown, or why it cannot be: nothing that is shown may end the work."""
    try:
        return ask()
    except Exception as error:
        return f"cannot be shown: {one_line(told(error))}"


class _Shared:
    """The one screen of a process, as stderr is one: there while anybody is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._stack = ExitStack()
        self._screen: Screen | None = None

    def enter(self) -> Screen:
        """Be inside; whoever comes first opens it."""
        with self._lock:
            if self._screen is None:
                screen = self._stack.enter_context(Screen())
                self._stack.enter_context(said_by(screen.say))
                self._screen = screen
            self._inside += 1
            return self._screen

    def leave(self) -> None:
        """Be inside no more; whoever goes last closes it."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._screen = None
                self._stack.close()


_shared = _Shared()


@contextmanager
def on_screen() -> Iterator[Screen]:
    """While inside, whatever is said is shown by one screen, which all threads share."""
    screen = _shared.enter()
    try:
        yield screen
    finally:
        _shared.leave()

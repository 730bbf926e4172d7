"""Lines of a terminal that are drawn anew all the time, below all that is printed meanwhile."""

import sys
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.live import Live as RichLive
from rich.text import Text

from sweep.core.saying import is_terminal, write
from sweep.core.text import wrapped

Lines = Callable[[int, int], list[str]]
"""(columns, lines of the terminal) -> what to show."""


class Live:
    """Some lines below all others, drawn when they are asked to be.

    Args:
        stream: Of the terminal.
        lines: What they are now.

    """

    def __init__(self, stream: TextIO, lines: Lines) -> None:
        self._lines = lines
        self._console = _Console(
            file=_Terminal(stream),  # type: ignore[arg-type]  # it is as much of a file as is used
            force_terminal=True,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._live = RichLive(
            console=self._console,
            auto_refresh=False,  # a thread of it would end with the first error
            transient=True,
            # What others print on the terminal would be drawn over; results may go elsewhere.
            redirect_stdout=is_terminal(sys.stdout),
            redirect_stderr=True,
        )

    def start(self) -> None:
        """Have them below all others, from now on."""
        self._live.start()
        self.draw()

    def draw(self) -> None:
        """Draw them as they are now."""
        # Made without a lock of the terminal's: what they are made of has locks of its own.
        width, height = self._console.size
        shown = [line[: width - 1] for line in self._lines(width, height)]
        text = Text("\n".join(shown), no_wrap=True, overflow="crop")
        self._live.update(text, refresh=True)

    def stop(self) -> None:
        """Draw them no more, and leave nothing of them."""
        for printed in (sys.stdout, sys.stderr):
            if isinstance(printed, FileProxy):
                printed.flush()  # a line that was begun
        self._live.stop()

    def print(self, text: str) -> None:
        """Print a line above them."""
        # A command is left to the terminal, which breaks it so that it can be copied as it was.
        width = None if "`" in text else self._console.width
        lines = (wrapped(line, width, "  ") for line in text.split("\n"))
        self._console.print(Text("\n".join(lines)), soft_wrap=True)


class _Console(Console):
    """Leaves the cursor where it is seen: a process that is killed could not bring it back."""

    def show_cursor(self, show: bool = True) -> bool:
        """Nothing is done."""
        return False


class _Terminal:
    """A terminal that may be closed at any moment, which is no fault of what is drawn on it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it, where there is still a terminal."""
        write(text, self._stream)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

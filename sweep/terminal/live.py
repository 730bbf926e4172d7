"""Lines of a terminal that are drawn anew all the time, below all that is printed meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from sweep.core.saying import GONE

Lines = Callable[[int, int], list[str]]
"""(columns, lines of the terminal) -> what to show."""


class Live:
    """Some lines below all others.

    Args:
        stream: Of the terminal.
        lines: What they are now.
        every_s: Seconds from one drawing to the next.

    """

    def __init__(self, stream: TextIO, lines: Lines, every_s: float) -> None:
        self._lines = lines
        self._console = _Console(
            file=_Terminal(stream),  # type: ignore[arg-type]  # it is as much of a file as is used
            force_terminal=True,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._live = RichLive(
            get_renderable=self._drawn,
            console=self._console,
            refresh_per_second=1 / every_s,
            transient=True,
            redirect_stdout=False,  # results, which may go elsewhere
            redirect_stderr=True,  # what libraries say there would be drawn over
        )

    def start(self) -> None:
        """Draw them, from now on."""
        self._live.start(refresh=True)

    def stop(self) -> None:
        """Draw them no more, and leave nothing of them."""
        self._live.stop()

    def print(self, text: str) -> None:
        """Print a line above them."""
        # The terminal breaks what is too long, so that it can be copied as it was.
        self._console.print(Text(text), soft_wrap=True)

    def _drawn(self) -> Text:
        width, height = self._console.size
        shown = [line[: width - 1] for line in self._lines(width, height)]
        return Text("\n".join(shown), no_wrap=True, overflow="crop")


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
        with _closed_or_not():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """See ``write``."""
        with _closed_or_not():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _closed_or_not() -> Iterator[None]:
    """While inside, it is no error that the terminal was closed, here or at its other end."""
    with suppress(ValueError):  # here
        try:
            yield
        except OSError as error:
            if error.errno not in GONE:
                raise

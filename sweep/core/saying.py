"""Messages to the user: on stderr, and at no cost to the work where nobody is left to read them."""

import errno
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from sweep.core.mirrors import named

_GONE = (errno.EPIPE, errno.EIO)  # whoever read a pipe, and a terminal that was closed
QUIET_S = 3.0  # after which it is said what is waited for
_printer: Callable[[str], None] | None = None


@contextmanager
def said_by(printer: Callable[[str], None]) -> Iterator[None]:
    """While inside, what is said to stderr goes to a printer, a line at a time."""
    global _printer  # whoever says something does not know who shows it, as with stderr itself
    before, _printer = _printer, printer
    try:
        yield
    finally:
        _printer = before


def say(text: str, end: str = "\n", stream: TextIO | None = None) -> None:
    """Say something at once; a folder in a bucket is called by its URI.

    Args:
        text: What to say.
        end: What comes after it.
        stream: Where to; None: to stderr, as stdout is for results.

    """
    if stream is None and end == "\n" and _printer is not None:
        _printer(named(text))
        return
    there = stream or sys.stderr
    if there is None:  # not stdout, which `print` would take
        return
    write(f"{named(text)}{end}", there)


@contextmanager
def said_if_long(text: str, quiet_s: float = QUIET_S) -> Iterator[None]:
    """While inside, say what is waited for once it takes long.

    Args:
        text: What to say, such as ``waiting for the Ray cluster at HOST:PORT``.
        quiet_s: Seconds after which it is said.

    """
    timer = threading.Timer(quiet_s, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def write(text: str, stream: TextIO) -> None:
    """Write something at once, whoever else writes there, and whatever becomes of it.

    What an encoding does not have is written as an escape.
    """
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError as error:
        if error.errno in _GONE:
            with suppress(OSError, ValueError, AttributeError):  # it may be none of the system's
                _silence(stream)
    except ValueError:  # it was closed
        pass


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream goes to a terminal; it is None where the process began without it."""
    try:
        return stream is not None and stream.isatty()
    except (ValueError, AttributeError):  # it was closed; it can be written to, and no more
        return False


def settle_streams() -> None:
    """Have all three streams there, and any text fit those that are written to.

    For the beginning of a process. One that it began without leads nowhere, as else the next file
    that is opened gets its number, and what a library says there. What an encoding does not have is
    shown as an escape.
    """
    # In the order of their numbers: each that is opened gets the lowest that is free.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def nobody_reads(error: OSError) -> bool:
    """Whether something could not be printed as nobody is left to read it.

    That is a pipe whose reader has ended, and a terminal that was closed, where no signal has said
    so. A terminal fails like a disk, so it is asked.
    """
    if error.errno != errno.EIO:
        return isinstance(error, BrokenPipeError)
    streams = (stream for stream in (sys.stdout, sys.stderr) if stream is not None)
    return error.filename is None and any(map(_hung_up, streams))


def _hung_up(stream: TextIO) -> bool:
    """Whether a stream goes to a terminal that was closed."""
    import termios  # no system but those like Unix has it, nor the error that leads here

    try:
        termios.tcgetattr(stream.fileno())
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    except (OSError, ValueError):  # it is none of the system's
        return False
    return False


def silence_all() -> None:
    """Let nothing that is still to be printed fail."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                _silence(stream)


def _silence(stream: TextIO) -> None:
    """Let what is to come go nowhere, and what is still held: Python writes it as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

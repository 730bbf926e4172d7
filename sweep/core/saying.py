"""Messages to the user: on stderr, and at no cost to the work where nobody is left to read them."""

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

from sweep.core.mirrors import named

GONE = (errno.EPIPE, errno.EIO)  # whoever read a pipe, and a terminal that was closed


def say(text: str, end: str = "\n", stream: TextIO | None = None) -> None:
    """Say something at once; a folder in a bucket is called by its URI.

    Args:
        text: What to say.
        end: What comes after it.
        stream: Where to; None: to stderr, as stdout is for results.

    """
    there = stream or sys.stderr
    try:
        # At once, whoever else writes there.
        print(f"{named(text)}{end}", end="", file=there, flush=True)
    except OSError as error:
        if error.errno in GONE:
            _silence(there)
    except ValueError:  # it was closed
        pass


def nobody_reads(error: OSError) -> bool:
    """Whether something could not be printed as nobody is left to read it.

    That is a pipe whose reader has ended, and a terminal that was closed, where no signal has said
    so. A terminal fails like a disk, so it is asked.
    """
    if error.errno != errno.EIO:
        return isinstance(error, BrokenPipeError)
    return error.filename is None and any(map(_hung_up, (sys.stdout, sys.stderr)))


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
        with suppress(OSError, ValueError):
            _silence(stream)


def _silence(stream: TextIO) -> None:
    """Let what is to come go nowhere, and what is still held: Python writes it as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

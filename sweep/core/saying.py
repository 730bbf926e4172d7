"""Messages to the user: on stderr, and at no cost to the work where nobody is left to read them."""

import errno
import os
import sys
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


def _silence(stream: TextIO) -> None:
    """Let what is to come go nowhere, and what is still held: Python writes it as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

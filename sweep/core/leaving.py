"""Ending the process while a thread that nobody waits for any more is still at work.

Where such a thread is in a library of C++, the end of the interpreter takes what it stands on, and
the process ends by a signal after all was well. So it ends at once instead, with what is said.
"""

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_left: list[threading.Thread] = []


def leave_behind(thread: threading.Thread) -> None:
    """Wait for a daemon thread no more, whatever it is doing."""
    _left.append(thread)


def leave(status: int) -> NoReturn:
    """End the process with an exit status."""
    if not any(thread.is_alive() for thread in _left):
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the last where there is none
            stream.flush()
    os._exit(status)

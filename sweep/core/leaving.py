"""Ending the process without the end of the interpreter, which takes libraries of C++ apart.

That takes seconds once Ray was imported, with nothing left to do. And where a thread that nobody
waits for any more is still in one of them, it takes what this stands on, and the process ends by a
signal after all was well. So it ends at once instead, with what is said.
"""

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_left: list[threading.Thread] = []
_status: int | None = None  # what the process ends with; None: it does not end in order


def leave_behind(thread: threading.Thread) -> None:
    """Wait for a daemon thread no more, whatever it is doing."""
    _left.append(thread)


def leave_quickly() -> None:
    """Have ``leave`` end the process once all is done that is to be done at its end.

    To be called before libraries are imported, as what was registered first is done last.
    """
    atexit.register(_end_in_order)


def leave(status: int) -> NoReturn:
    """End the process with an exit status."""
    global _status  # a process has one
    _status = status
    if not any(thread.is_alive() for thread in _left):
        sys.exit(status)
    _end(status)


def _end_in_order() -> None:
    if _status is not None:
        _end(_status)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the last where there is none
            stream.flush()
    os._exit(status)

"""A clock that is set while a program runs: by as many seconds as a file says, for all of Python.

Python imports this at its start where the folder is in PYTHONPATH. Ray's own processes keep the
true time; the clock that nobody sets, ``time.monotonic``, stays.
"""

import os
import time

_file = os.environ.get("MRISWEEP_TEST_CLOCK", "")
_true, _true_ns = time.time, time.time_ns


def _set_by() -> int:
    try:
        with open(_file, encoding="ascii") as file:
            return int(file.read() or 0)
    except OSError:
        return 0


def _time() -> float:
    return _true() + _set_by()


def _time_ns() -> int:
    return _true_ns() + _set_by() * 10**9


if _file:
    time.time, time.time_ns = _time, _time_ns

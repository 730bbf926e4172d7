"""A process ends with its status, whatever a thread is doing that nobody waits for."""

import subprocess
import sys
from pathlib import Path

import pytest

# A thread that holds what the end of the interpreter waits for, as a library of C++ may.
SCRIPT = """
import atexit, sys, threading, time
from sweep.core.leaving import leave, leave_behind
atexit.register(lambda: time.sleep(60 if {busy} else 0))
thread = threading.Thread(target=time.sleep, args=(60 if {busy} else 0,), daemon=True)
thread.start()
leave_behind(thread)
if not {busy}:
    thread.join()
print("the table")
print("a note", file=sys.stderr)
leave({status})
"""


@pytest.mark.parametrize("busy", [True, False])
@pytest.mark.parametrize("status", [0, 1])
def test_what_was_said_is_there_and_the_status_is_the_own_one(busy: bool, status: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(busy=busy, status=status)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[3],
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "the table\n", "a note\n")


# A library whose taking apart takes a minute, and something that is to be done at the end.
LEFT_WHOLE = """
import atexit, sys, time
from sweep.core.leaving import leave, leave_quickly
leave_quickly()
class Slow:
    def __del__(self, sleep=time.sleep): sleep(60)
slow = Slow()
atexit.register(print, "done at the end")
{ends}
"""


@pytest.mark.parametrize(
    ("ends", "status"), [("leave(0)", 0), ("leave(130)", 130)], ids=["well", "interrupted"]
)
def test_what_is_to_be_done_at_the_end_is_done_and_no_library_taken_apart(
    ends: str, status: int
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LEFT_WHOLE.format(ends=ends)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[3],
    )
    assert (ended.returncode, ended.stdout) == (status, "done at the end\n")


def test_what_nobody_foresaw_has_its_own_status() -> None:
    script = LEFT_WHOLE.format(ends="del slow; 1 / 0").replace("60", "0")
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[3],
    )
    assert (ended.returncode, ended.stdout) == (1, "done at the end\n")
    assert "ZeroDivisionError" in ended.stderr

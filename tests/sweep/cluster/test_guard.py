"""The guard ends what is the driver's, whatever happens to the driver, and nothing else.

Processes that sleep stand for Ray's.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sweep.cluster.guard import VARIABLE
from tests.support.processes import lives
from tests.support.sweeps import PATIENCE_S, wait_until

# Starts what belongs to it, in process groups of their own, as Ray does with workers; says who is
# who; does what it is told.
DRIVER = f"""
import os, subprocess, sys, time
from pathlib import Path
from sweep.cluster.guard import Guard
begun, folder = map(Path, sys.argv[1:])
guard = Guard("mrisweep resume DIR", begun, folder)
own = {{**os.environ, "{VARIABLE}": guard.mark}}
sleeping = ["sleep", "600"]
pids = [subprocess.Popen(sleeping, env=own, start_new_session=True).pid for _ in range(3)]
# As an agent of Ray, whose title has taken the place of what it was started with.
with (folder / "logs" / "agent.out").open("w") as log:
    titled = subprocess.Popen(
        ["ray::DashboardAgent", "600"], executable="sleep", stdout=log, start_new_session=True
    )
pids.append(titled.pid)
if os.fork() == 0:  # a child that holds the pipe to the guard
    time.sleep(600)
print(*pids, flush=True)
if sys.stdin.readline().strip() == "close":
    guard.close()
else:
    os._exit(3)
"""


@contextmanager
def driver(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    (tmp_path / "begun").touch()
    (tmp_path / "own" / "logs").mkdir(parents=True)
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "begun"), str(tmp_path / "own")]
    streams = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    here = Path(__file__).parents[3]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            command, text=True, stderr=said, cwd=here, start_new_session=True, **streams
        )
    with process:
        try:
            assert process.stdout is not None
            yield process, [int(pid) for pid in process.stdout.readline().split()]
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def order(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


@pytest.mark.parametrize("how", ["kill", "kill the group", "exit"])
def test_a_driver_that_dies_leaves_nothing_and_says_how_to_go_on(tmp_path: Path, how: str) -> None:
    other = {**os.environ, VARIABLE: "of another sweep"}
    strangers = [subprocess.Popen(["sleep", "600"], env=env) for env in (None, other)]
    strangers.append(subprocess.Popen(["ray::IDLE", "600"], executable="sleep"))
    try:
        with driver(tmp_path) as (process, pids):
            with (tmp_path / "own" / "logs" / "agent.out").open("a") as log:  # as a pager has
                strangers.append(subprocess.Popen(["sleep", "600"], stdout=log))
            assert len(pids) == 4
            assert all(map(lives, pids))
            if how == "kill":
                process.kill()
            elif how == "kill the group":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                order(process, "exit")
            wait_until(lambda: not any(map(lives, pids)))
            wait_until(lambda: (tmp_path / "said").stat().st_size)
        assert not (tmp_path / "own").exists()
        said = "mrisweep: the driver ended before it had cleaned up; continue with: mrisweep resume"
        said += " DIR\n"
        assert (tmp_path / "said").read_text() == said
        assert all(one.poll() is None for one in strangers)
    finally:
        for one in strangers:
            one.kill()
            one.wait()


def test_an_orderly_end_is_quiet_and_leaves_no_process(tmp_path: Path) -> None:
    with driver(tmp_path) as (process, pids):
        order(process, "close")
        assert process.wait(PATIENCE_S) == 0
        assert not any(map(lives, pids))
    assert (tmp_path / "said").read_text() == ""
    assert (tmp_path / "own").exists(), "the driver may want to keep it"


def test_nothing_is_said_of_a_sweep_that_has_not_begun(tmp_path: Path) -> None:
    with driver(tmp_path) as (process, pids):
        (tmp_path / "begun").unlink()
        process.kill()
        wait_until(lambda: not any(map(lives, pids)))
        wait_until(lambda: not (tmp_path / "own").exists())
    assert (tmp_path / "said").read_text() == ""

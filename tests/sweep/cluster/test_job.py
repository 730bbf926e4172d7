"""A sweep submitted with ``ray job submit`` to a cluster that is already running."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.sweeps import PATIENCE_S, Sweep, wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
RAY = str(Path(sys.executable).with_name("ray"))


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def submit(dashboard: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RAY, "job", "submit", "--address", dashboard, "--", *command],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        check=False,
    )


@pytest.fixture
def dashboard() -> Iterator[str]:
    """The address of a head node on loopback, which ends with the test."""
    port = free_port()
    # A short path: the sockets below it must fit the system's 107 characters.
    scratch = tempfile.mkdtemp(prefix="ray-")
    head = subprocess.Popen(
        [
            *(RAY, "start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats"),
            *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
            *(f"--port={free_port()}", f"--dashboard-port={port}", f"--temp-dir={scratch}"),
            # By default the agent that takes jobs listens where that of any other Ray does.
            f"--dashboard-agent-listen-port={free_port()}",
            f"--object-store-memory={128 << 20}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/api/version"))
        # The dashboard answers before the node's agent takes jobs.
        wait_until(lambda: submit(address, "true").returncode == 0)
        yield address
    finally:
        # By process group: `ray stop` would end every Ray process of this machine.
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def test_a_submitted_sweep_is_found_in_mlflow(
    dashboard: str, make_sweep: Callable[..., Sweep]
) -> None:
    sweep = make_sweep()
    mrisweep = (sys.executable, "-m", "sweep")
    done = submit(dashboard, *mrisweep, *sweep.run_arguments("search.trials=3", "train.epochs=1"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "robust/auroc_cvar" in done.stdout, "the table stands in the job's log"
    runs = sweep.runs("trial")
    assert {run.data.tags["trial"] for run in runs} == {f"trial-000{n}" for n in range(3)}
    assert {run.info.status for run in runs} == {"FINISHED"}

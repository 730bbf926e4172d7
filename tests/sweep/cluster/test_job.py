"""Sweeps as jobs of a cluster that is already running, and that asks for a token."""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweep.cli import main
from sweep.cluster.jobs import JobServer
from sweep.core.errors import UserError
from sweep.results.folder import SweepFolder
from sweep.results.locks import driven
from tests.support.processes import (
    OF_METRICS,
    answer,
    descendants,
    listening,
    title,
    titled,
)
from tests.support.sweeps import PATIENCE_S, Sweep, wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
BIN = Path(sys.executable).parent
TOKEN = "the-token-of-this-test"
METRICS = b"# HELP"  # how they begin, on whatever page of a port that serves them


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**own: str) -> dict[str, str]:
    """Of a shell in which nothing is said of Ray but this."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**plain, **own}


@dataclass(frozen=True)
class Cluster:
    """A head node on loopback, and its process."""

    address: str
    head: int

    def mrisweep(self, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        """A command of a user who has nothing but the token, in this process."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name in {*os.environ} - {*environment()}:
                patch.delenv(name)
            patch.setenv("RAY_AUTH_TOKEN", token)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = main([*arguments, "--address", self.address])
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def ray_submit(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Ray's own command."""
        return subprocess.run(
            [str(BIN / "ray"), "job", "submit", "--address", self.address, "--", *command],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environment(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN),
            check=False,
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """It ends with the test."""
    port = free_port()
    # A short path: the sockets below it must fit the system's 107 characters.
    scratch = tempfile.mkdtemp(prefix="ray-")
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    head = subprocess.Popen(
        [
            *(str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=2"),
            *("--disable-usage-stats", f"--object-store-memory={128 << 20}"),
            *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
            *(f"--port={free_port()}", f"--dashboard-port={port}", f"--temp-dir={scratch}"),
            # By default the agent that takes jobs listens where that of any other Ray does.
            f"--dashboard-agent-listen-port={free_port()}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(**own, PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}"),
        start_new_session=True,
    )
    try:
        found = Cluster(f"http://127.0.0.1:{port}", head.pid)
        wait_until(lambda: takes_jobs(found.address))
        yield found
    finally:
        # By process group: `ray stop` would end every Ray process of this machine.
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def takes_jobs(address: str) -> bool:
    """The dashboard answers before the node's agent takes jobs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        try:
            JobServer(address).submit(["true"], "probe", {}, {})
        except (UserError, RuntimeError):
            return False
    return True


def none_of_ours_listens(cluster: Cluster) -> None:
    """Every port that is open while a job runs is Ray's, and takes no command without a token.

    The driver, trials and evaluators are processes of Ray, too, whose one port each is Ray's own
    for calls, and speaks no HTTP.
    """
    pids = descendants(cluster.head)
    at_work = {title(pid).partition(":")[2] for pid in titled(pids, "ray::")}
    assert any("EvaluatorActor" in name for name in at_work)
    (driver,) = titled(pids, r"\S*python\S* \S*mrisweep run")
    ports = list(listening(pids))
    assert len([port for pid, _, port in ports if pid == driver]) == 1
    answering = {title(pid) for pid, _, port in ports if answer("127.0.0.1", port)}
    assert all(any(name in program for name in OF_METRICS) for program in answering)
    for page in ("/api/jobs/", "/api/job_agent/jobs/", "/api/version", "/nodes?view=summary"):
        told = [answer("127.0.0.1", port, page) or METRICS for _, _, port in ports]
        assert all(one.startswith(METRICS) for one in told), page


def test_a_sweep_is_submitted_and_stopped_and_gone_on_with_and_found_in_mlflow(
    cluster: Cluster, make_sweep: Callable[..., Sweep]
) -> None:
    sweep = make_sweep()
    _, *arguments = sweep.run_arguments("search.trials=3", "train.epochs=4")
    refused = cluster.mrisweep("submit", *arguments, token="another")
    assert refused.returncode == 2
    assert refused.stderr.startswith("mrisweep: the cluster does not take this token; received on")

    begun = cluster.mrisweep("submit", *arguments, "--detach")
    assert begun.returncode == 0, begun.stderr
    job = begun.stdout.strip()
    assert job.startswith("tiny-20")
    results = sweep.folder / "results"
    wait_until(lambda: len(list(results.glob("*/epoch-*.parquet"))) >= 2)
    (listed,) = json.loads(cluster.mrisweep("status", "--json").stdout)
    assert (listed["id"], listed["state"], listed["folder"]) == (job, "running", str(sweep.folder))
    assert listed["trials"]["total"] == 3
    none_of_ours_listens(cluster)

    stopped = cluster.mrisweep("stop", job)
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.startswith(f"{job} is stopped\n")
    assert driven(sweep.folder) is False
    folder = SweepFolder.open(sweep.folder)
    assert "running" in {trial.status for trial in folder.trials()}, "in order, and to be gone on"
    again = cluster.mrisweep("status", job, "--follow")
    assert again.returncode == 130
    assert "interrupted; continue with: mrisweep resume" in again.stdout

    refused = cluster.mrisweep("submit", "--resume", str(sweep.folder), "--trials", "2")
    assert refused.returncode == 2, "the exit status of the sweep, not of Ray's command"
    assert "mrisweep: the trials to add" in refused.stdout
    done = cluster.mrisweep("submit", "--resume", str(sweep.folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "robust/auroc_cvar" in done.stdout, "the table stands in the job's log"
    assert {trial.status for trial in folder.trials()} <= {"finished", "pruned"}

    command = (sys.executable, "-m", "sweep", "run", "--or-resume", *arguments)
    once_more = cluster.ray_submit(*command)
    assert once_more.returncode == 0, once_more.stdout + once_more.stderr
    assert "has ended; nothing is left to do" in once_more.stdout
    runs = sweep.runs("trial")
    assert {run.data.tags["trial"] for run in runs} == {f"trial-000{n}" for n in range(3)}
    assert {run.info.status for run in runs} == {"FINISHED"}

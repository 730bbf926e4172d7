"""The batch scripts with stand-ins for SLURM and Ray: what is run, and what becomes of the job."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sweep.cli import parser
from tests.support.deployments import DEPLOY, stand_in

FOLDER = DEPLOY / "slurm"
FORMS = ("sweep.sbatch", "sweep-shared.sbatch")
# srun runs its task here; Ray as a step of its own stays until it is told to end.
SRUN = """
echo "srun $*" >>"$CALLS"
while (($#)) && [[ $1 != ray ]]; do shift; done
exec "$@"
"""
RAY = """
echo "ray $*" >>"$CALLS"
if [[ -n ${RAY_FAILS:-} ]]; then
  [[ $1 != health-check ]]  # `ray symmetric-run` answers 0 where Ray did not start
  exit
fi
case $1 in
start) trap 'exit 0' TERM; while sleep .05; do :; done ;;
symmetric-run)
  while [[ $1 != -- ]]; do shift; done
  shift
  exec "$@"
  ;;
esac
"""
MRISWEEP = """
echo "mrisweep $*" >>"$CALLS"
token=$(stat -c %a "$RAY_AUTH_TOKEN_PATH")
echo "address $RAY_ADDRESS, mode $RAY_AUTH_MODE, token $token" >>"$CALLS"
trap 'echo "mrisweep heard TERM" >>"$CALLS"; exit 130' TERM
for ((i = 0; i < ${TENTHS:-0}; i++)); do sleep .05; done
exit "$STATUS"
"""
SCONTROL = """
echo "scontrol $*" >>"$CALLS"
kill "$PPID"  # as SLURM ends the script of a job that it queues again
"""


class Job:
    """One run of a batch script."""

    def __init__(self, form: str, folder: Path, **environment: str) -> None:
        self.calls = folder / "calls"
        self.calls.touch()
        programs = {"srun": SRUN, "ray": RAY, "mrisweep": MRISWEEP, "scontrol": SCONTROL}
        for name, script in programs.items():
            stand_in(folder / "bin", name, script)
        self.folder = folder
        self.process = subprocess.Popen(
            ["bash", FOLDER / form, "/shared/sweep.yaml", "/shared/out", "--set", "seed=1"],
            env={**os.environ, **self.surroundings(folder), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def surroundings(self, folder: Path) -> Mapping[str, str]:
        """What SLURM gives a batch script."""
        return {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "STATUS": "0",
            "MRISWEEP_SLURM": str(FOLDER),
            "MRISWEEP_PAUSE": "0",
            "MRISWEEP_HEAD_IP": "10.0.0.1",
            "SLURM_SUBMIT_DIR": str(folder),
            "SLURM_JOB_ID": "1234",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_CPUS_PER_TASK": "16",
            "SLURMD_NODENAME": "node-1",
            "SLURM_GPUS_ON_NODE": "4",
        }

    def end(self) -> int:
        self.output, _ = self.process.communicate(timeout=60)
        return self.process.returncode

    def ran(self, beginning: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith(beginning)]

    def interrupt(self) -> None:
        """SLURM's signal to the batch script alone, once the sweep runs."""
        until = time.monotonic() + 30
        while not self.ran("address") and time.monotonic() < until:
            time.sleep(0.02)
        self.process.send_signal(signal.SIGTERM)

    @property
    def state(self) -> Path:
        return self.folder / ".mrisweep-1234"


@pytest.mark.parametrize("form", FORMS)
def test_a_sweep_that_is_done_ends_the_job(form: str, tmp_path: Path) -> None:
    job = Job(form, tmp_path)
    assert job.end() == 0, job.output
    (command,) = job.ran("mrisweep run")
    assert command == "mrisweep run --or-resume /shared/sweep.yaml --out /shared/out --set seed=1"
    parser().parse_args(command.split()[1:])
    port = {"sweep.sbatch": 6379, "sweep-shared.sbatch": 10000 + 1234 % 200 * 100}[form]
    assert job.ran("address") == [f"address 10.0.0.1:{port}, mode token, token 600"]
    assert job.ran("scontrol") == []
    assert not job.state.exists(), "the token goes with the job"


@pytest.mark.parametrize("form", FORMS)
def test_a_job_near_its_time_limit_ends_in_order_and_goes_on_later(
    form: str, tmp_path: Path
) -> None:
    job = Job(form, tmp_path, TENTHS="600")
    job.interrupt()
    assert job.end() == 1
    assert job.ran("mrisweep heard") == ["mrisweep heard TERM"]
    assert job.ran("scontrol") == ["scontrol requeue 1234"]
    assert "interrupted" in job.output
    again = Job(form, tmp_path, SLURM_RESTART_COUNT="1")
    assert again.end() == 0, again.output


@pytest.mark.parametrize("form", FORMS)
def test_bad_input_is_not_tried_again(form: str, tmp_path: Path) -> None:
    job = Job(form, tmp_path, STATUS="2")
    assert job.end() == 2
    assert job.ran("scontrol") == []


@pytest.mark.parametrize("form", FORMS)
def test_a_failure_is_tried_again_so_often_and_no_more(form: str, tmp_path: Path) -> None:
    job = Job(form, tmp_path, STATUS="1")
    assert job.end() == 1
    assert job.ran("scontrol") == ["scontrol requeue 1234"]
    last = Job(form, tmp_path, STATUS="1", SLURM_RESTART_COUNT="20")
    assert last.end() == 1
    assert len(last.ran("scontrol")) == 1, "the one of before"
    assert "can be resumed" in last.output


@pytest.mark.parametrize("form", FORMS)
def test_a_ray_that_did_not_start_is_no_sweep_that_is_done(form: str, tmp_path: Path) -> None:
    job = Job(form, tmp_path, RAY_FAILS="yes")
    assert job.end() == 1
    assert job.ran("mrisweep run") == []
    assert job.ran("scontrol") == ["scontrol requeue 1234"]


def test_whole_nodes_are_asked_for_where_ray_stops_all_of_it(tmp_path: Path) -> None:
    script = (FOLDER / "sweep.sbatch").read_text(encoding="utf-8")
    for option in ("--exclusive", "--ntasks-per-node=1", "--requeue", "--signal=B:TERM@"):
        assert f"#SBATCH {option}" in script
    job = Job("sweep.sbatch", tmp_path)
    job.end()
    (call,) = job.ran("ray symmetric-run")
    assert "--address 10.0.0.1:6379 --min-nodes 2 --num-cpus=16 --num-gpus=4" in call
    for of_a_head in ("--include-dashboard", "--dashboard-", "--temp-dir", "--ray-client"):
        assert of_a_head not in call, "workers get the same options, and refuse it"


def test_parts_of_nodes_have_ports_of_their_own_and_nothing_of_others_is_stopped(
    tmp_path: Path,
) -> None:
    script = (FOLDER / "sweep-shared.sbatch").read_text(encoding="utf-8")
    assert "--exclusive" not in script.replace("ray stop", "")
    job = Job("sweep-shared.sbatch", tmp_path)
    assert job.end() == 0
    head, worker = sorted(job.ran("ray start"), key=lambda call: "--head" not in call)
    ports = [int(word.split("=")[1]) for word in head.split() if "port" in word.split("=")[0]]
    assert len(set(ports)) == len(ports) == 10
    assert all(13400 <= port < 13500 for port in ports)
    assert "--address=10.0.0.1:13400" in worker
    assert job.ran("ray stop") == []
    assert "--temp-dir=/tmp/mrisweep-1234" in head

"""A sweep on three real nodes that loses one of them, and then the head: is its table the same?

    python -m tests.nodes.three_nodes            # as root, on Linux; some minutes on two cores
    python -m tests.nodes.three_nodes --keep     # its files stay, and it says where

`ray start` runs on a head and two workers, each with an address, processes and files of its own,
with token authentication; one worker does not see the store. A tracking server with a password
stands beside them. The sweep is submitted as a job. While the evaluator is at work its node is
killed, later the head; a new head begins, and the sweep goes on. The exit status is 0 where the
table, the epochs and what MLflow has are those of a sweep to which nothing happened.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.entities import Metric, Run

from sweep.results.folder import SweepFolder
from tests.nodes.tracking import Server, start_server
from tests.nodes.world import NETWORK, Machine, enter, machine, wait_for
from tests.support.stores import make_store
from tests.support.sweeps import Sweep, placeless, settings

RAY = str(Path(sys.executable).with_name("ray"))
GCS_PORT, DASHBOARD_PORT = 6379, 8265
HEAD = 1  # the number of the node
ADDRESS = f"http://{NETWORK}.{HEAD}:{DASHBOARD_PORT}"
TRIALS, EPOCHS = 4, 3
BEGAN = time.monotonic()


def say(text: str) -> None:
    """A line with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:4.0f} s] {text}", flush=True)


class Nodes:
    """The nodes of a cluster, and the jobs that are given to it.

    Args:
        scratch: The folder of everything; ``data`` in it is what a node may not see.
        tracking: The tracking server.

    """

    def __init__(self, scratch: Path, tracking: Server) -> None:
        self.scratch, self.data = scratch, scratch / "data"
        plain = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")}
        self.alone = {**plain, **tracking.environment, "PYTHONPATH": str(Path.cwd())}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**self.alone, **token}
        self.running: dict[int, Machine] = {}

    def start(self, number: int, cpus: int, scores: bool = True, sees_data: bool = True) -> None:
        """Start a node, or one in the place of a node that was killed."""
        own = self.own(number)
        own.mkdir(exist_ok=True)
        join = (
            ["--head", f"--port={GCS_PORT}", f"--dashboard-port={DASHBOARD_PORT}"]
            if number == HEAD
            else [f"--address={NETWORK}.{HEAD}:{GCS_PORT}"]
        )
        command = [RAY, "start", "--block", "--disable-usage-stats", *join]
        command += [f"--node-ip-address={NETWORK}.{number}", f"--num-cpus={cpus}"]
        command += [f"--object-store-memory={128 << 20}"]
        command += [f"--dashboard-host={NETWORK}.{number}"] if number == HEAD else []
        command += [f"--resources={json.dumps({'scores': 1})}"] if scores else []
        hidden = [] if sees_data else [self.data]
        environment = {**self.environment, "TMPDIR": str(own)}
        log = self.scratch / f"node-{number}.log"
        self.running[number] = machine(number, f"node-{number}", command, environment, log, hidden)

    def own(self, number: int) -> Path:
        """The folder for temporary files of a node."""
        return self.scratch / f"tmp-{number}"

    def wait(self, count: int) -> None:
        """Wait until so many nodes have joined."""
        wait_for(lambda: len(self._listed("nodes")) == count, f"{count} nodes")

    def submit(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Submit a command of mrisweep as a job, whose log is followed into a file."""
        with (self.scratch / f"job-{name}.log").open("wb") as said:
            return subprocess.Popen(
                [RAY, "job", "submit", "--address", ADDRESS, "--", *mrisweep(*command)],
                env=self.environment,
                stdout=said,
                stderr=said,
            )

    def of_evaluator(self) -> int:
        """The number of the node that the evaluator is on."""
        (found,) = self._listed("actors", "class_name=EvaluatorActor")
        nodes = {node["node_id"]: node["node_ip"] for node in self._listed("nodes")}
        return int(nodes[found["node_id"]].rsplit(".", 1)[1])

    def _listed(self, what: str, *filters: str) -> list[dict[str, Any]]:
        """What the head says is alive; nothing while it says nothing."""
        asked = [word for one in (*filters, "state=ALIVE") for word in ("--filter", one)]
        command = [RAY, "list", what, "--address", ADDRESS, "--format", "json", *asked]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
        return found


def mrisweep(*command: str) -> list[str]:
    """The command line of a command."""
    return [sys.executable, "-m", "sweep", *command]


def sweep_file(scratch: Path, tracking: Server) -> Path:
    """Four trials of three epochs, all drawn before anything is known of others."""
    store = make_store(scratch / "data" / "store.h5", patients=48, per_patient=6, size=32)
    plain = settings(
        store,
        name="nodes",
        train={"epochs": EPOCHS, "batch_size": 16},
        stress={
            "artifacts": ["rician", "motion", "ghosting", "spike", "bias"],
            "levels": [1, 3, 5],
            "grid": "physical",
            "batch_size": 16,
        },
        cluster={"evaluator": {"cpu": 1, "resources": {"scores": 1}}},
        tracking={"uri": tracking.uri},
    )
    plain["search"] |= {"trials": TRIALS, "scheduler": "none"}
    plain["search"]["space"]["model.norm"] = {"choice": ["batch", "group"]}
    file = scratch / "shared" / "sweep.yaml"
    file.write_text(yaml.safe_dump(plain))
    return file


def run_undisturbed(nodes: Nodes, file: Path, out: Path) -> None:
    """The same sweep on this machine alone, and nothing happens to it."""
    here = ("--set", "cluster.evaluator.resources={}", "--set", "name=nodes-undisturbed")
    with (nodes.scratch / "undisturbed.log").open("wb") as said:
        command = mrisweep("run", str(file), "--out", str(out), *here)
        status = subprocess.run(
            command, env=nodes.alone, stdout=said, stderr=said, check=False
        ).returncode
    if status:
        sys.exit(f"the undisturbed sweep ended with {status}: see {said.name}")
    say("a sweep to which nothing happens has ended")


def run_disturbed(nodes: Nodes, file: Path, out: Path) -> None:
    """The sweep as a job, with a node and then the head killed under it."""
    nodes.start(HEAD, cpus=1, scores=False)
    nodes.start(2, cpus=2)
    nodes.start(3, cpus=2, sees_data=False)
    nodes.wait(3)
    say("three nodes with token authentication; node-3 does not see the store")
    job = nodes.submit("run", "run", str(file), "--out", str(out))
    wait_for(lambda: in_evaluation(out), "an evaluation", job)
    struck = nodes.of_evaluator()
    nodes.running[struck].kill()
    say(f"node-{struck} killed while its evaluator was at work, at {reported(out)} epochs")
    before = reported(out)
    wait_for(lambda: reported(out) > before, "scores after that", job)
    say(f"scores go on to come: {reported(out)} epochs")
    wait_for(lambda: in_evaluation(out), "another evaluation", job)
    nodes.running[HEAD].kill()
    job.kill()
    say(f"head killed at {reported(out)} of {TRIALS * EPOCHS} epochs")
    for node in nodes.running.values():
        if node.is_up:
            node.kill()  # a job that is tried again gets nodes of its own
    nodes.start(HEAD, cpus=1, scores=False)
    nodes.start(3, cpus=2, sees_data=False)
    nodes.wait(2)
    say("a new head, and a node")
    job = nodes.submit("again", "resume", str(out))
    if job.wait():
        sys.exit(f"the job ended with {job.returncode}: see {nodes.scratch / 'job-again.log'}")
    copies = len(list(nodes.own(3).glob("mrisweep-stores/*.h5")))
    say(f"the sweep has ended; node-3 worked on a copy of the store: {'yes' if copies else 'no'}")


def results_of(out: Path) -> set[tuple[str, str]]:
    """Trials and epochs whose scores are in the folder."""
    return {(one.parent.name, one.stem) for one in (out / "results").glob("*/epoch-*.parquet")}


def reported(out: Path) -> int:
    """How many epochs have scores."""
    return len(results_of(out))


def in_evaluation(out: Path) -> bool:
    """Whether there is a checkpoint whose scores are not there yet."""
    checkpoints = {(one.parent.name, one.stem) for one in out.glob("checkpoints/*/epoch-*.pt")}
    return bool(checkpoints - results_of(out))


def table_of(out: Path) -> list[Any]:
    """Rows of the best table and every epoch's scores, without places and ids."""
    folder = SweepFolder.open(out)
    epochs = [
        (
            trial.trial,
            [(one.epoch, one.train_loss, one.metrics) for one in folder.epochs(trial.trial)],
        )
        for trial in folder.trials()
    ]
    return [placeless(Sweep(out / "sweep.yaml", out).best()), epochs]


def tracked_of(uri: str, experiment: str) -> dict[str, Any]:
    """What MLflow has: by trial its status and every metric with its history."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id], max_results=1000)
    told: dict[str, Any] = {
        "runs": Counter((run.data.tags["role"], run.info.status) for run in runs)
    }
    for run in runs:
        if run.data.tags["role"] == "trial":
            told[run.data.tags["trial"]] = {
                name: [(one.step, one.value) for one in history(client, run, name)]
                for name in sorted(run.data.metrics)
                if name != "train/images_per_s"  # differs each time
            }
    return told


def history(client: mlflow.MlflowClient, run: Run, name: str) -> list[Metric]:
    """Every point of a metric, in the order of its steps."""
    return sorted(client.get_metric_history(run.info.run_id, name), key=lambda one: one.step)


def story(scratch: Path, python: str) -> int:
    """Run both sweeps and compare them; the exit status."""
    (scratch / "data").mkdir()
    (scratch / "shared").mkdir()
    tracking = start_server(scratch, python)
    os.environ.update(tracking.environment)
    say(f"MLflow at {tracking.uri}: {tracking.told}")
    nodes, file = Nodes(scratch, tracking), sweep_file(scratch, tracking)
    plain, out = scratch / "shared" / "undisturbed", scratch / "shared" / "disturbed"
    run_undisturbed(nodes, file, plain)
    run_disturbed(nodes, file, out)
    subprocess.run(mrisweep("best", str(out)), env=nodes.alone, check=True)
    verdicts = {
        "the table and every epoch": table_of(out) == table_of(plain),
        "MLflow's runs, statuses and histories": tracked_of(tracking.uri, "nodes")
        == tracked_of(tracking.uri, "nodes-undisturbed"),
    }
    for what, equal in verdicts.items():
        say(
            f"{what}: {'as of the undisturbed sweep' if equal else 'NOT as of the undisturbed one'}"
        )
    return 0 if all(verdicts.values()) else 1


def main() -> int:
    """Begin the world, or be in it; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the files, and say where")
    parser.add_argument(
        "--mlflow-python",
        default=sys.executable,
        metavar="PYTHON",
        help="an interpreter with MLflow, and with psycopg and Flask-WTF for PostgreSQL and a "
        "password; default: this one",
    )
    options = parser.parse_args()
    enter("tests.nodes.three_nodes", sys.argv[1:])
    scratch = Path(tempfile.mkdtemp(prefix="three-nodes-"))
    scratch.chmod(0o755)  # PostgreSQL runs as somebody else
    status: int | None = None
    try:
        status = story(scratch, options.mlflow_python)
        return status
    finally:
        if options.keep or status != 0:
            say(f"its files are in {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

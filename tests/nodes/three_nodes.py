"""A sweep on three real nodes that loses one of them, and then the head: is its table the same?

    python -m tests.nodes.three_nodes            # as root, on Linux; some minutes on two cores
    python -m tests.nodes.three_nodes --keep     # its files stay, and it says where

`ray start` runs on a head and two workers, each with an address, processes and files of its own,
with token authentication; one worker does not see the store, and the sweep's folder is in a bucket
of a server that speaks S3. A tracking server with a password stands beside them. The sweep is
submitted as a job. While the evaluator is at work its node is killed, later the head; a new head
begins, and the sweep goes on. The exit status is 0 where the table, the epochs, Optuna's states and
what MLflow has are those of a sweep on one machine to which nothing happened.
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
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.entities import Metric, Run
from pyarrow.fs import FileSelector, S3FileSystem

from sweep.results.folder import SweepFolder
from tests.nodes.tracking import Server, start_server
from tests.nodes.world import NETWORK, OUTSIDE, Machine, enter, machine, wait_for
from tests.support.buckets import S3Server
from tests.support.stores import make_store
from tests.support.sweeps import Sweep, placeless, settings, study_statuses

RAY = str(Path(sys.executable).with_name("ray"))
GCS_PORT, DASHBOARD_PORT = 6379, 8265
HEAD = 1  # the number of the node
ADDRESS = f"http://{NETWORK}.{HEAD}:{DASHBOARD_PORT}"
BUCKET = "sweeps"
DISTURBED = f"s3://{BUCKET}/disturbed"
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
        programs = f"{Path(RAY).parent}{os.pathsep}{os.environ['PATH']}"  # a job calls mrisweep
        own = {"PYTHONPATH": str(Path.cwd()), "PATH": programs}
        self.alone = {**plain, **tracking.environment, **own}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**self.alone, **token}
        self.running: dict[int, Machine] = {}

    def start(self, number: int, cpus: int, scores: bool = True, sees_data: bool = True) -> None:
        """Start a node, or one in the place of one that was killed, and wait until it has joined.

        One after the other: Ray gives up a node that takes more than half a minute to begin.
        """
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
        # Ray keeps the files of a node where the head has its own, which is not the same disk.
        hidden = [] if number == HEAD else [self.own(HEAD)]
        hidden += [] if sees_data else [self.data]
        environment = {**self.environment, "TMPDIR": str(own), "MRISWEEP_CACHE": str(own / "cache")}
        log = self.scratch / f"node-{number}.log"
        node = self.running[number] = machine(
            number, f"node-{number}", command, environment, log, hidden
        )
        wait_for(lambda: len(self._listed("nodes")) == len(self.running), node.name, node.process)

    def kill(self, number: int) -> None:
        """Pull the plug of a node."""
        self.running.pop(number).kill()

    def own(self, number: int) -> Path:
        """The folder for temporary files of a node."""
        return self.scratch / f"tmp-{number}"

    def submit(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Submit a sweep as a job, whose log is followed into ``job-NAME.log``."""
        with (self.scratch / f"job-{name}.log").open("wb") as said:
            return subprocess.Popen(
                mrisweep("submit", *arguments, "--address", ADDRESS),
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
        found: list[dict[str, Any]] = []
        with suppress(ValueError):  # it says nothing, or that it cannot say anything yet
            found = json.loads(done.stdout)
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
    file = scratch / "sweep.yaml"
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


class InBucket:
    """What the bucket has of the sweep.

    Args:
        files: A client of the server.

    """

    def __init__(self, files: S3FileSystem) -> None:
        self._files = files

    def epochs(self, folder: str, ending: str) -> set[str]:
        """The trials and epochs of which there is a file, such as ``trial-0000/epoch-0002``."""
        root = f"{DISTURBED.removeprefix('s3://')}/{folder}"
        listed = self._files.get_file_info(FileSelector(root, allow_not_found=True, recursive=True))
        names = (one.path.removeprefix(f"{root}/") for one in listed)
        return {name.removesuffix(ending) for name in names if name.endswith(ending)}

    def reported(self) -> int:
        """How many epochs have scores."""
        return len(self.epochs("results", ".parquet"))

    def in_evaluation(self) -> bool:
        """Whether there is a checkpoint whose scores are not there yet."""
        checkpoints = {name for name in self.epochs("checkpoints", ".pt") if "/epoch-" in name}
        return bool(checkpoints - self.epochs("results", ".parquet"))


def run_disturbed(nodes: Nodes, file: Path, bucket: InBucket) -> None:
    """The sweep as a job, with a node and then the head killed under it."""
    nodes.start(HEAD, cpus=1, scores=False)
    nodes.start(2, cpus=2)
    nodes.start(3, cpus=2, sees_data=False)
    say("three nodes with token authentication; node-3 does not see the store")
    job = nodes.submit("run", str(file), "--out", DISTURBED)
    wait_for(bucket.in_evaluation, "an evaluation", job)
    struck = nodes.of_evaluator()
    nodes.kill(struck)
    say(f"node-{struck} killed while its evaluator was at work, at {bucket.reported()} epochs")
    said = nodes.scratch / "job-run.log"
    wait_for(lambda: "lost: 1 node" in said.read_text(), "word of the lost node", job)
    before = bucket.reported()
    wait_for(lambda: bucket.reported() > before, "scores after that", job)
    say(f"scores go on to come: {bucket.reported()} epochs")
    wait_for(bucket.in_evaluation, "another evaluation", job)
    nodes.kill(HEAD)
    job.kill()
    say(f"head killed at {bucket.reported()} of {TRIALS * EPOCHS} epochs")
    for number in list(nodes.running):
        nodes.kill(number)  # a job that is tried again gets nodes of its own
    nodes.start(HEAD, cpus=1, scores=False)
    nodes.start(3, cpus=2, sees_data=False)
    say("a new head, and a node")
    job = nodes.submit("again", "--resume", DISTURBED)
    if job.wait():
        sys.exit(f"the job ended with {job.returncode}: see {nodes.scratch / 'job-again.log'}")
    copies = len(list(nodes.own(3).glob("mrisweep-stores-*/*.h5")))
    say(f"the sweep has ended; node-3 worked on a copy of the store: {'yes' if copies else 'no'}")


def table_of(out: str | Path) -> list[Any]:
    """Rows of the best table, every epoch's scores, Optuna's states; without places and ids."""
    folder = SweepFolder.open(out)
    epochs = [
        (
            trial.trial,
            [(one.epoch, one.train_loss, one.metrics) for one in folder.epochs(trial.trial)],
        )
        for trial in folder.trials()
    ]
    rows = Sweep(folder.path / "sweep.yaml", folder.path).best(str(out))
    return [placeless(rows), epochs, study_statuses(folder)]


def tracked_of(uri: str, experiment: str) -> dict[str, Any]:
    """What MLflow has: by trial its status, its metrics, and the history of those of all cells.

    A server that asks for a password takes a third of a second for each history.
    """
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id], max_results=1000)
    told: dict[str, Any] = {
        "runs": Counter((run.data.tags["role"], run.info.status) for run in runs)
    }
    for run in runs:
        if run.data.tags["role"] == "trial":
            last = dict(run.data.metrics)
            last.pop("train/images_per_s", None)  # differs each time
            told[run.data.tags["trial"]] = (
                last,
                {
                    name: [(one.step, one.value) for one in history(client, run, name)]
                    for name in sorted(last)
                    if name.startswith(("robust/", "train/"))
                },
            )
    return told


def history(client: mlflow.MlflowClient, run: Run, name: str) -> list[Metric]:
    """Every point of a metric, in the order of its steps."""
    return sorted(client.get_metric_history(run.info.run_id, name), key=lambda one: one.step)


def story(scratch: Path, python: str) -> int:
    """Run both sweeps and compare them; the exit status."""
    (scratch / "data").mkdir()
    storage = S3Server(OUTSIDE)
    os.environ.update(storage.environment, MRISWEEP_CACHE=str(scratch / "cache"))
    bucket = InBucket(storage.files(BUCKET))
    tracking = start_server(scratch, python)
    os.environ.update(tracking.environment)
    say(f"MLflow at {tracking.uri}: {tracking.told}; the bucket at {storage.address}")
    nodes, file = Nodes(scratch, tracking), sweep_file(scratch, tracking)
    plain = scratch / "undisturbed"
    run_undisturbed(nodes, file, plain)
    run_disturbed(nodes, file, bucket)
    subprocess.run(mrisweep("best", DISTURBED), env=nodes.alone, check=True)
    verdicts = {
        "the table, every epoch and the study": table_of(DISTURBED) == table_of(plain),
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

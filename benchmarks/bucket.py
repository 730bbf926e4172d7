"""What a sweep's folder in a bucket costs: requests, bytes and seconds, of epochs and of questions.

    python benchmarks/bucket.py
    python benchmarks/bucket.py --save

A trial is trained on one node, its checkpoints are stress-tested on another, and the driver on a
third hears of it: in one process, which has a mirror for each, so that nothing is found on a node
that another one wrote. The bucket is a server of S3 on this machine that answers each request
``--delay`` seconds late, as one over a network does. Against the same trial in a folder on a disk.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Record

from sweep.api.best import best
from sweep.config.sweep import SweepConfig
from sweep.core import mirrors
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.fit import Done, Evaluation, LocalEvaluator, Run
from sweep.learn.screening import Screening
from sweep.remote.places import Place
from sweep.results.folder import SweepFolder
from sweep.results.tables import validation_slices
from sweep.results.trials import TrialLog
from sweep.store import Store
from tests.support.buckets import S3Server
from tests.support.stores import make_store

EPOCHS = 8
KINDS = ("PUT", "LIST", "GET", "HEAD", "DELETE")


def config_of(store: Store) -> SweepConfig:
    """One trial of a narrow network, every epoch scored in full."""
    return SweepConfig.from_dict(
        {
            "name": "bucket",
            "data": {"store": str(store.path), "train": [1, 2], "validation": [3]},
            "model": {"width": 16},
            "search": {"trials": 1, "screen": None, "space": {"train.lr": {"log": [1e-3, 1e-2]}}},
            "train": {"epochs": EPOCHS, "batch_size": 16},
            "stress": {
                "artifacts": ["rician", "bias"],
                "levels": [1, 5],
                "grid": "physical",
                "batch_size": 16,
            },
        }
    )


class Nodes:
    """Which node this process is."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def __call__(self, name: str) -> None:
        """Be that one from now on."""
        os.environ["MRISWEEP_CACHE"] = str(self._scratch / name)


class Elsewhere:
    """An evaluator that has the checkpoint brought to its own node first."""

    in_flight = 0

    def __init__(self, local: LocalEvaluator, on: Nodes) -> None:
        self._local, self._on = local, on

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> Evaluation:
        """See ``Evaluator``."""
        place = Place.of(checkpoint)
        self._on("evaluator")
        found = self._local.evaluate(place.current(), screening).result()
        self._on("worker")
        return Done(found)


def train(path: str | Path, store: Store, on: Nodes) -> tuple[list[float], SweepFolder]:
    """Train one trial; seconds of each epoch."""
    config = config_of(store)
    params = {"train.lr": 5e-3, "model.norm": "group"}
    trial_config, trial = config.trial(params), "trial-0000"
    slices = validation_slices(store, trial_config.data.validation)
    on("driver")
    driven = SweepFolder.create(path, config)
    sent = Place.of(driven.path)
    on("worker")
    folder = SweepFolder(sent.here())
    with TrialLog(driven, config.search.objective, task=store.task) as trial_log:
        trial_log.began(trial, 0, params, "group", 0)
        folder.take_up(trial)

        def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
            folder.write_epoch(record, predictions, slices)
            on("driver")
            trial_log.reported(trial, record.epoch)
            on("worker")

        evaluator = Elsewhere(LocalEvaluator(trial_config, store), on)
        files = folder.checkpoints(trial)
        run = Run(trial_config, store, files, evaluator=evaluator, report=report, trial=trial)
        seconds, began = [], time.perf_counter()
        for _ in run.epochs():
            seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
        on("driver")
        trial_log.ended(trial, "finished")
    return seconds, driven


class Counted:
    """Requests and bytes of a server between two looks."""

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self.look()

    def look(self) -> dict[str, float]:
        """What was asked since the last look."""
        found = {kind: float(self._server.counts[kind]) for kind in KINDS}
        found["MB up"] = self._server.counts["bytes"] / 1e6
        self._server.counts.clear()
        return found


def copies(server: S3Server, folder: SweepFolder, base: str, count: int) -> None:
    """As many trials as asked for, with the record of the first."""
    text = next((folder.path / "trials").glob("*.json")).read_text()
    files = server.files("bucket")
    for number in range(1, count):
        name = f"trial-{number:04d}"
        changed = text.replace("trial-0000", name).replace('"number": 0', f'"number": {number}')
        with files.open_output_stream(f"{base}/trials/{name}.json") as stream:
            stream.write(changed.encode())


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(record: Record, delay_s: float, trials: int) -> None:
    """Train in both places, then ask the bucket."""
    with tempfile.TemporaryDirectory() as scratch:
        root, server = Path(scratch), S3Server()
        store, on = make_store(root / "tiny.h5"), Nodes(root / "nodes")
        os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        server.files("bucket")
        server.delay_s = delay_s
        disk, _ = train(root / "disk", store, on)
        counted = Counted(server)
        bucket, folder = train("s3://bucket/run-1", store, on)
        found = counted.look()
        table = "an epoch in a bucket"
        for kind in KINDS:
            record.add(table, f"requests {kind}", "measured", found[kind] / EPOCHS)
        record.add(table, "MB put", "measured", found["MB up"] / EPOCHS)
        kept = mirrors.listed(folder.checkpoints("trial-0000"))
        weights = mirrors.fetched(kept[0]).stat().st_size / 1e6
        record.add(table, "of a checkpoint of MB", "measured", weights)
        more = sorted(bucket)[EPOCHS // 2] - sorted(disk)[EPOCHS // 2]
        row = f"seconds more than on a disk, with {1000 * delay_s:.0f} ms to an answer"
        record.add(table, row, "measured", more)
        server.delay_s = 0.0
        copies(server, folder, "bucket/run-1", trials)
        time.sleep(3)  # what changed with the last changes is brought again
        on("driver")
        folder.write_time_used(1.0, 0.0)
        server.delay_s = delay_s
        table = f"`best` of {trials} trials in a bucket"
        for row, node in (("on a machine that has nothing of it", "laptop"), ("again", "laptop")):
            on(node)
            counted.look()
            seconds = timed(lambda: best("s3://bucket/run-1"))
            asked = counted.look()
            record.add(table, row, "seconds", seconds)
            record.add(table, row, "requests", sum(asked[kind] for kind in KINDS))
        server.stop()


def main() -> None:
    """Measure, print, save if asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--delay", type=float, default=0.03, help="seconds to an answer")
    options.add_argument("--trials", type=int, default=300, help="of the sweep that is asked")
    options.add_argument("--save", action="store_true", help="write benchmarks/results/bucket.json")
    given = options.parse_args()
    record = Record("bucket")
    measure(record, given.delay, given.trials)
    for one in record.figures:
        print(f"{one['table']:44} {one['row']:56} {one['column']:10} {one['value']}")
    if given.save:
        print(record.save())


if __name__ == "__main__":
    main()

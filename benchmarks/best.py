"""What `mrisweep best` costs where there are many trials: from a folder, and from MLflow.

    python benchmarks/best.py
    python benchmarks/best.py --trials 1000 --folder /dev/shm/many --save

Trials as a sweep of seven artifacts at five levels leaves them: 36 cells with the clean one, four
labels, every metric, intervals. A process is started for each figure; its time is that from its
start to its end, the least of fifteen, as others share the machine, with the CPU time that it took.
Files are in the page cache. The tables of MLflow's database are filled directly, as its client
takes an hour for so many runs, with what a trial's run says last; the course over epochs is left
out.
"""

import argparse
import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from results import Record

from sweep.config.sweep import SweepConfig
from sweep.core.records import CLEAN, Basis, Cell, Score, TrialRecord
from sweep.metrics import metrics
from sweep.metrics.summary import summarize
from sweep.metrics.table import SUMMARIES
from sweep.results.folder import SweepFolder
from sweep.results.summary import FILE, GRAIN_NS

NORMS = ("batch", "group", "layer", "instance")
LABELS = ("meniscus tear", "cartilage", "ligament", "effusion")
ARTIFACTS = ("rician", "motion", "ghosting", "spike", "bias", "gibbs", "zipper")
CELLS = (CLEAN, *(Cell(name, level) for name in ARTIFACTS for level in range(1, 6)))
TIMES = 15


def config_of(trials: int) -> SweepConfig:
    """A sweep of four norms and two numbers."""
    return SweepConfig.from_dict(
        {
            "name": "many",
            "data": {"store": "none.h5", "train": [1], "validation": [2]},
            "stress": {"artifacts": list(ARTIFACTS), "levels": [1, 2, 3, 4, 5], "grid": "physical"},
            "train": {"epochs": 8},
            "search": {
                "trials": trials,
                "space": {
                    "model.norm": {"choice": list(NORMS)},
                    "train.lr": {"log": [1e-4, 1e-2]},
                    "train.weight_decay": {"log": [1e-4, 1e-1]},
                },
            },
        }
    )


def records_of(trials: int, share: float) -> Iterator[TrialRecord]:
    """Trials that ended; ``share`` of them was scored in full, the others screened alone."""
    draw = random.Random(0)
    scores = [
        Score(cell, label, name, 0.5, 9, 99)
        for cell in CELLS
        for label in LABELS
        for name in metrics()
    ]
    names = list(summarize(scores))
    sure = [
        name
        for metric in metrics().values()
        if metric.has_interval
        for name in (metric.clean, *map(metric.robust, SUMMARIES))
    ]
    for number in range(trials):
        full = draw.random() < share
        prefix = "" if full else "screen/"
        values = {f"{prefix}{name}": draw.random() for name in names}
        norm = NORMS[number % len(NORMS)]
        params = {
            "model.norm": norm,
            "train.lr": 10 ** draw.uniform(-4, -2),
            "train.weight_decay": 10 ** draw.uniform(-4, -1),
        }
        intervals = {f"{prefix}{n}": (draw.random(), draw.random()) for n in sure}
        df = {name: 10 + 90 * draw.random() for name in intervals}
        yield TrialRecord(
            trial=f"trial-{number:04d}",
            number=number,
            params=params,
            norm=norm,
            seed=0,
            status="finished" if full else "pruned",
            started_at_ms=1_700_000_000_000 + number,
            ended_at_ms=1_700_000_060_000 + number,
            best_epoch=draw.randint(1, 8),
            metrics=values,
            intervals=intervals if full else {},
            collapsed=(CELLS[-1],) if draw.random() < 0.1 else (),
            basis=Basis(160, dict.fromkeys(LABELS, 40), df) if full else None,
        )


def make_folder(path: Path, trials: int, share: float) -> SweepFolder:
    """A sweep's folder with that many trials, written a while ago."""
    folder = SweepFolder.create(path, config_of(trials))
    (path / "trials").mkdir()
    for record in records_of(trials, share):
        folder.write_trial(record)
    for file in os.scandir(path / "trials"):
        then = file.stat().st_mtime_ns - 2 * GRAIN_NS
        os.utime(file.path, ns=(then, then))
    return folder


def fill_server(folder: SweepFolder, database: Path) -> str:
    """MLflow's database with a run for each trial; its address."""
    import mlflow

    uri = f"sqlite:///{database}"
    experiment = mlflow.MlflowClient(tracking_uri=uri).create_experiment("many")
    identity, count = folder.identity, 0
    with sqlite3.connect(database) as connection:
        for record in folder.trials():
            run, at = uuid.uuid4().hex, record.started_at_ms
            whole = (run, record.trial, "UNKNOWN", "", "", "user", "FINISHED", at, at, "", "active")
            connection.execute(
                f"INSERT INTO runs VALUES ({', '.join('?' * 14)})",
                (*whole, f"file:///none/{run}", experiment, None),
            )
            tags = {
                "role": "trial",
                "sweep_id": identity.sweep_id,
                "trial": record.trial,
                "norm": record.norm,
                "seed": str(record.seed),
                "status": record.status,
                "mode": "trained",
                "folder": str(folder.path),
                "collapsed": "none",
            }
            connection.executemany(
                "INSERT INTO tags VALUES (?, ?, ?)", [(*one, run) for one in tags.items()]
            )
            params = {name: json.dumps(value) for name, value in record.params.items()}
            connection.executemany(
                "INSERT INTO params VALUES (?, ?, ?)", [(*one, run) for one in params.items()]
            )
            values = {"best/epoch": float(record.best_epoch or 0), **record.metrics}
            values |= {f"best/{name}": value for name, value in record.metrics.items()}
            for name, ends in record.intervals.items():
                low, high = ends
                values |= {f"interval/{name}/low": low, f"interval/{name}/high": high}
            count += len(values)
            connection.executemany(
                "INSERT INTO latest_metrics VALUES (?, ?, ?, ?, ?, ?)",
                [(name, value, at, 1, False, run) for name, value in values.items()],
            )
    print(f"{count} metrics on the server", flush=True)
    return uri


class Took(NamedTuple):
    """Seconds of a process."""

    wall: float
    cpu: float


def best(*arguments: str, times: int = TIMES, before: Sequence[Path] = ()) -> Took:
    """The least time of a process of `mrisweep best`.

    Args:
        arguments: Those of the command.
        times: How often it is started.
        before: Files that are removed each time.

    """
    took = []
    for _ in range(times):
        for path in before:
            path.unlink(missing_ok=True)
        used, started = _cpu_s(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sweep", "best", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        took.append(Took(time.perf_counter() - started, _cpu_s() - used))
    return Took(*map(min, zip(*took, strict=True)))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure, print and, if asked, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="to work in (default: one for files of a day)")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/best.json")
    options = parser.parse_args()
    where = Path(tempfile.mkdtemp(prefix="best-", dir=options.folder))
    # As an installed package is: compiled once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(where / "compiled")
    record = Record("best")
    try:
        measure(where, options.trials, record)
    finally:
        shutil.rmtree(where)
    if options.save:
        print(record.save())
    return 0


def measure(where: Path, trials: int, record: Record) -> None:
    """Every figure, printed as it comes."""
    title = f"best of {trials:,} trials"

    def note(row: str, took: Took) -> None:
        record.add(title, row, "s", took.wall)
        record.add(title, row, "CPU s", took.cpu)
        print(f"{row}: {took.wall:.2f} s, {took.cpu:.2f} s of CPU", flush=True)

    folder = make_folder(where / "full", trials, 1.0)
    path, table = str(folder.path), folder.path / FILE
    best(path, times=1)
    note("every row, printed", best(path))
    note("the best ten", best(path, "--top", "10"))
    note("the best of each norm", best(path, "--per-norm"))
    note("the best ten as JSON, every metric", best(path, "--top", "10", "--json"))
    note(
        "the table is not there yet: every file read, the table written",
        best(path, "--top", "10", times=2, before=[table]),
    )
    mixed = make_folder(where / "mixed", trials, 0.1)
    best(str(mixed.path), times=1)
    note("nine tenths were stopped early", best(str(mixed.path)))
    uri = fill_server(folder, where / "mlflow.db")
    note("MLflow, every row", best("--mlflow", uri, "--experiment", "many", times=1))


if __name__ == "__main__":
    sys.exit(main())

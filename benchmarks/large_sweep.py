"""What a sweep of thousands of trials costs its driver and its folder, with Ray Tune and all.

    python benchmarks/large_sweep.py
    python benchmarks/large_sweep.py --trials 300 1000 --save

Trials in which nothing is trained: their workers write what a small network on a small store would
leave (a checkpoint, scores of 16 cells, predictions of them) and report it. All else is a sweep as
`mrisweep run` runs it: Tune, the study, early stopping, records, intervals, the choice of the best
at the end. Without trackers, which have threads of their own. Of each number of trials: CPU time
and memory of the driver's process, what the folder holds, and what it takes to go on from it, to
ask it, and to look at it as somebody does who watches it.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from results import Record

import sweep.cluster.trial
import sweep.cluster.tune
from sweep.api.run import resume, run
from sweep.cluster.trial import SweepTrial
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.files import replacing
from sweep.core.records import EpochRecord, Predictions, Score, best_epoch
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import EpochStats
from sweep.learn.fit import Report, is_over
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, record_of
from sweep.learn.trainer import Trainer
from sweep.metrics import metrics
from sweep.results.folder import SweepFolder
from sweep.results.summary import summary
from sweep.results.trial_files import stamps
from sweep.store import Store, write_store
from sweep.store.slices import Slice

TRIALS = (300, 1000, 5000)
MORE = 2  # trials that a resume adds, as many for each norm
# So few patients that no trial has intervals, whose cost `benchmarks/intervals.py` measures.
PATIENTS, SLICES, SIZE, EPOCHS = 24, 240, 32, 4
EVERY_S = 0.5  # between two looks at the driver's memory
SHARES = (0.1, 0.5, 1.0)  # of the trials, at which memory is told


def make_store(path: Path) -> Store:
    """Noise with two labels; a third of the patients in fold 2."""
    generator = np.random.default_rng(0)
    described = [
        Slice(
            f"p{n % PATIENTS}/{n}",
            f"p{n % PATIENTS}",
            str(1 + (n % 3) // 2),
            frozenset({"ab"[n % PATIENTS // 3 % 2]}),
            "",
        )
        for n in range(SLICES)
    ]
    images = (generator.random((SIZE, SIZE), np.float32) for _ in range(SLICES))
    source = {"benchmark": True}
    return write_store(
        path,
        described,
        images,
        shape=(SIZE, SIZE),
        label_names=("a", "b"),
        task="multiclass",
        source=source,
    )


def config_of(store: Path, trials: int, scheduler: str) -> SweepConfig:
    """A sweep of two norms and two numbers, two trials at a time."""
    return SweepConfig.from_dict(
        {
            "name": "large",
            "data": {"store": str(store), "train": [1], "validation": [2]},
            "model": {"width": 2, "stem_stride": 2},
            "search": {
                "trials": trials,
                "scheduler": scheduler,
                "sampler": "sobol",
                "space": {
                    "model.norm": {"choice": ["batch", "group"]},
                    "train.lr": {"log": [1e-4, 1e-2]},
                    "train.weight_decay": {"log": [1e-4, 1e-1]},
                },
            },
            "train": {"epochs": EPOCHS},
            "stress": {"grid": "physical"},
            "cluster": {"evaluator": {"cpu": 0}},
            "tracking": {"to": []},
        }
    )


class FakeRun:
    """What ``sweep.learn.fit.Run`` is to a worker, of a trial that is not trained."""

    template: bytes = b""  # of a checkpoint; every trial of a worker has the same weights

    def __init__(
        self,
        config: TrialConfig,
        store: Store,
        folder: Path,
        *,
        report: Report,
        history: Sequence[EpochRecord],
        trial: str,
        **_: Any,
    ) -> None:
        self.config, self.files, self.trial = config, CheckpointFolder(folder), trial
        self.report, self.history = report, list(history)
        self.screening = Screening.of(config, store)
        self.slices = len(store.indices(config.data.validation))
        self.labels = store.label_names
        self.random = random.Random(trial)
        if not FakeRun.template:
            trainer = Trainer(config, store, trial=trial)
            trainer.save(self.files, 1, EpochStats(1.0, 1.0))
            FakeRun.template = self.files.epoch(1).read_bytes()

    def over(self) -> bool:
        """See ``Run``."""
        return is_over(self.config, self.history)

    def complete(self) -> list[int]:
        """See ``Run``; the last epoch is scored in full, and that is enough."""
        return []

    def close(self) -> None:
        """See ``Run``."""

    def epochs(self) -> Iterator[EpochRecord]:
        """See ``Run``."""
        for epoch in range(len(self.history) + 1, self.config.train.epochs + 1):
            for path in (self.files.epoch(epoch), self.files.state):
                with replacing(path) as temporary:
                    temporary.write_bytes(FakeRun.template)
            part = None if self.config.in_full(epoch) else self.screening
            cells = part.cells if part else cells_of(self.config.stress)
            slices = len(part.slices) if part else self.slices
            scores = tuple(
                Score(cell, label, name, self.random.random(), 9, slices)
                for cell in cells
                for label in self.labels
                for name in metrics()
            )
            whole = (() if part else scores), self.trial, epoch, EpochStats(1.0, 1.0)
            record = record_of(*whole, scores if part else ())
            drawn = np.random.default_rng(self.random.getrandbits(32))
            shape = (slices, len(self.labels))
            found = [Predictions(one, drawn.standard_normal(shape, np.float32)) for one in cells]
            self.history.append(record)
            self.report(record, found)
            best = best_epoch(((r.epoch, r.metrics) for r in self.history), self.config.objective)
            self.files.keep([epoch, best[0] if best else None])
            yield record


class FakeTrial(SweepTrial):
    """A worker's trial with ``FakeRun`` in the place of training."""

    def setup(self, *arguments: Any, **named: Any) -> None:
        """See ``SweepTrial``."""
        sweep.cluster.trial.Run = FakeRun
        super().setup(*arguments, **named)


def resident_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Watcher(threading.Thread):
    """Notes, while a sweep runs, its trials so far, the driver's memory and its CPU time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.began = folder / "trials", time.monotonic()
        self.seen: list[tuple[float, int, float, float]] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Look, now and then."""
        while not self.over.wait(EVERY_S):
            self.look()

    def look(self) -> None:
        """Look once."""
        count = len(os.listdir(self.folder)) if self.folder.exists() else 0
        now = time.monotonic() - self.began
        self.seen.append((now, count, resident_mb(), time.process_time()))


def drive(command: str, path: Path, store: Path, trials: int, scheduler: str) -> dict[str, Any]:
    """Run or resume a sweep in this process; what its driver took."""
    sweep.cluster.tune.SweepTrial = FakeTrial
    sweep.cluster.tune.start_pool = lambda *_: []
    watcher = Watcher(path)
    before = len(os.listdir(watcher.folder)) if watcher.folder.exists() else 0
    watcher.start()
    began = time.process_time()
    if command == "run":
        run(config_of(store, trials, scheduler), path)
    else:
        resume(path, more=MORE)
    watcher.over.set()
    watcher.look()
    seen = watcher.seen
    first = next(one for one in seen if one[1] > before)
    last = next(one for one in seen if one[1] == seen[-1][1])
    return {
        "first_s": first[0],
        "first_cpu_s": first[3] - began,
        "trials_cpu_s": last[3] - first[3],
        "end_cpu_s": seen[-1][3] - last[3],
        "wall_s": seen[-1][0],
        "memory": {
            share: next(one[2] for one in seen if one[1] >= share * seen[-1][1]) for share in SHARES
        },
        "peak_mb": max(one[2] for one in seen),
    }


def child(*arguments: str) -> dict[str, Any]:
    """Do a part of this benchmark in a process of its own; its figures."""
    command = [sys.executable, __file__, "--only", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def seconds_of(*arguments: str) -> float:
    """CPU time of a command of ours."""
    before = os.times()
    command = [sys.executable, "-m", "sweep", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def looked_at(path: Path) -> dict[str, float]:
    """CPU time of a look at all trials: the first, one that finds nothing new, one of a new one."""
    found = {}
    trial = sorted(stamps(path))[0]
    for name in ("first", "again", "one_new"):
        if name == "one_new":
            os.utime(path / "trials" / trial)
        began = time.process_time()
        summary(path, ["robust/auroc_cvar"])
        found[name] = time.process_time() - began
    return found


def held(path: Path) -> dict[str, int]:
    """Files, folders and bytes below a folder."""
    files = folders = size = 0
    for _, below, names, at in os.fwalk(path):
        folders += len(below)
        files += len(names)
        size += sum(os.stat(name, dir_fd=at).st_size for name in names)
    return {"files": files, "folders": folders, "bytes": size}


def measure(trials: int, scheduler: str, place: Path) -> dict[str, Any]:
    """Everything about a sweep of so many trials."""
    store = make_store(place / "store.h5")
    path = place / "sweep"
    asked = (str(path), str(store.path), str(trials), scheduler)
    found: dict[str, Any] = {"run": child("run", *asked)}
    found["held"] = held(path)
    found["held_by"] = {one.name: held(one) for one in path.iterdir() if one.is_dir()}
    found["resume"] = child("resume", *asked)
    found["best_s"] = [seconds_of("best", str(path), "--top", "10") for _ in range(2)]
    found["look"] = looked_at(SweepFolder.open(path).path)
    return found


def note(record: Record, trials: int, found: dict[str, Any]) -> None:
    """Put the figures of one number of trials into a column."""
    column, ran, on = f"{trials} trials", found["run"], found["resume"]
    memory = {float(share): value for share, value in ran["memory"].items()}
    rows = {
        "driver, ms of CPU a trial": 1000 * ran["trials_cpu_s"] / trials,
        "driver, s of CPU after the last": ran["end_cpu_s"],
        **{f"driver, MB at {100 * s:.0f} % of the trials": memory[s] for s in SHARES},
        "driver, MB at most": ran["peak_mb"],
        "the whole run, s": ran["wall_s"],
        "folder, files a trial": found["held"]["files"] / trials,
        "folder, folders a trial": found["held"]["folders"] / trials,
        "folder, kB a trial": found["held"]["bytes"] / 1e3 / trials,
        "`resume --trials 2`, s until the first new trial": on["first_s"],
        "`resume --trials 2`, s of CPU until then": on["first_cpu_s"],
        "`best --top 10`, s of CPU, first": found["best_s"][0],
        "`best --top 10`, s of CPU, again": found["best_s"][1],
        "a look at all trials, s, one of them new": found["look"]["one_new"],
        "a look at all trials, s, nothing new": found["look"]["again"],
    }
    for row, value in rows.items():
        record.add("a large sweep", row, column, value)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", nargs="+", type=int, default=list(TRIALS))
    parser.add_argument("--scheduler", default="asha")
    parser.add_argument("--save", action="store_true", help="write results/large_sweep.json")
    parser.add_argument("--only", nargs=5, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    options = parse(arguments)
    if options.only:
        command, path, store, trials, scheduler = options.only
        found = drive(command, Path(path), Path(store), int(trials), scheduler)
        print(json.dumps(found))
        return 0
    record = Record("large_sweep")
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as place:
            found = measure(trials, options.scheduler, Path(place))
        print(trials, json.dumps(found, indent=1), flush=True)
        note(record, trials, found)
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

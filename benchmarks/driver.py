"""What a trial costs the driver, and whether that grows with the trials before it.

    python benchmarks/driver.py
    python benchmarks/driver.py --samplers sobol --marks 50 500 --save

Trials of two epochs in which nothing is trained, as the driver sees them: it draws one, hears of
its epochs and its end, and keeps study, stopping, records and progress. No Ray is started. CPU time
of the driver's thread, mean of the trials from half of a mark to the mark, in a folder in memory,
so that it is not that of the disk; and what the process has grown by since the 25th trial. Each
sampler has a process of its own.
"""

import argparse
import io
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from results import Record

from sweep.config.sweep import SweepConfig
from sweep.core.records import CLEAN, Cell, EpochRecord, Predictions, Score
from sweep.metrics import metrics
from sweep.results.folder import SweepFolder
from sweep.results.progress import Progress
from sweep.results.tables import Slices
from sweep.results.trials import TrialLog
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.stopping.rules import make_rule
from sweep.search.study import Study, Suggestion

EPOCHS = 2
FIRST = 25  # trials after which memory is counted, when all is imported and every cache is warm
MARKS = (50, 500, 5000)
NORMS = ("batch", "group")  # which divide every mark
MEMORY = "memory"
ROWS = {
    "ask": "ms to draw it",
    "report": "ms for its epochs",
    "stop": "ms to compare it",
    "end": "ms for its end",
    "all": "ms in all",
    MEMORY: "kB left in memory",
}
PARTS = tuple(part for part in ROWS if part != MEMORY)
CELLS = (CLEAN, Cell("bias", 1))
SLICES = Slices(("a", "b", "c", "d"), ("a", "b", "c", "d"), ("tear",), np.eye(4, 1) > 0)


def config_of(sampler: str, trials: int) -> SweepConfig:
    """A sweep of two norms and two numbers."""
    return SweepConfig.from_dict(
        {
            "name": "driver",
            "data": {"store": "none.h5", "train": [1], "validation": [2]},
            "train": {"epochs": EPOCHS},
            "search": {
                "trials": trials,
                "sampler": sampler,
                "scheduler": "asha",  # whose rungs remember every trial
                "screen": None,
                "space": {
                    "model.norm": {"choice": list(NORMS)},
                    "train.lr": {"log": [1e-4, 1e-2]},
                    "train.weight_decay": {"log": [1e-4, 1e-1]},
                },
            },
        }
    )


class Terminal(io.StringIO):
    """A terminal that nobody looks at: progress is rewritten at every report."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Driver:
    """A driver without Tune, and its stopwatch."""

    def __init__(self, path: Path, config: SweepConfig) -> None:
        self.config, search = config, config.search
        self.folder = SweepFolder.create(path, config)
        study = Study(self.folder.journal, config.name, search, config.seed, EPOCHS)
        fidelity = Fidelity(search, EPOCHS)
        self.scheduler = StratifiedScheduler(
            new_rule=lambda: make_rule(search, EPOCHS),
            values_of=lambda epoch, metrics: search.compared(fidelity(epoch, metrics)),
            last_epoch=lambda params: EPOCHS,
        )
        progress = Progress(search.total, EPOCHS, search.objective, stream=Terminal())
        self.trial_log = TrialLog(self.folder, search.objective, [progress], total=search.total)
        self.searcher = StudySearcher(
            study,
            search.objective,
            search.total,
            self.scheduler,
            self.trial_log.best_metrics,
            fidelity,
        )
        self.random = random.Random(0)

    def trial(self, number: int) -> dict[str, float]:
        """Run the next trial to its end; seconds of CPU that each part took."""
        spent = dict.fromkeys(PARTS, 0.0)

        def timed(part: str, work: Callable[[], Any]) -> Any:
            began = time.thread_time()
            found = work()
            for name in (part, "all"):
                spent[name] += time.thread_time() - began
            return found

        tune = f"tune-{number}"
        suggestion = timed("ask", partial(self.searcher.suggest, tune))
        name, params = suggestion["trial"], suggestion["params"]
        norm, seen = params["model.norm"], Suggestion.from_tune(suggestion)
        timed("ask", partial(self.trial_log.began, name, number, params, norm, 0))
        for epoch in range(1, EPOCHS + 1):
            self._write(name, epoch)
            result = {"epoch": epoch, **self.folder.epoch(name, epoch).metrics}
            if timed("stop", partial(self.scheduler.observe, seen, epoch, result)) == "STOP":
                break
            if epoch < EPOCHS:
                timed("report", partial(self.searcher.on_trial_result, tune, result))
                timed("report", partial(self.trial_log.reported, name, epoch))
        timed("report", partial(self.trial_log.reported, name, epoch))
        timed("end", partial(self.searcher.on_trial_complete, tune, result))
        pruned = self.scheduler.stopped(name)
        timed("end", partial(self.trial_log.ended, name, "pruned" if pruned else "finished"))
        return spent

    def _write(self, trial: str, epoch: int) -> None:
        """Put into the folder what a worker would."""
        scores = tuple(
            Score(cell, "tear", metric, self.random.random(), 2, 4)
            for cell in CELLS
            for metric in metrics()
        )
        record = EpochRecord(trial, epoch, 1.0, 1.0, 1000 * epoch, scores, {})
        log_odds = np.zeros((4, 1), np.float32)
        found = [Predictions(cell, log_odds) for cell in CELLS]
        self.folder.write_epoch(record, found, SLICES)


def resident_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(sampler: str, marks: Sequence[int]) -> list[dict[str, float]]:
    """Run as many trials as the last mark says; what a trial took at each mark."""
    scratch = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        driver = Driver(Path(place) / "sweep", config_of(sampler, max(marks)))
        spent: list[dict[str, float]] = []
        found: list[dict[str, float]] = []
        begun_at = 0.0
        with driver.trial_log:
            for number in range(max(marks)):
                spent.append(driver.trial(number))
                done = number + 1
                if done == FIRST:
                    begun_at = resident_mb()
                if done in marks:
                    late = spent[done // 2 :]
                    mean = {p: 1000 * statistics.fmean(one[p] for one in late) for p in PARTS}
                    grown = resident_mb() - begun_at
                    found.append({**mean, MEMORY: 1000 * grown / (done - FIRST)})
                    print(sampler, done, found[-1], flush=True)
    return found


def alone(sampler: str, marks: Sequence[int]) -> list[dict[str, float]]:
    """``measure`` in a process that has measured nothing before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
        return one.submit(measure, sampler, marks).result()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choices = ("random", "sobol", "tpe")
    parser.add_argument("--samplers", nargs="+", default=list(choices), choices=choices)
    parser.add_argument("--marks", nargs="+", type=int, default=list(MARKS))
    parser.add_argument("--save", action="store_true", help="write results/driver.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    options = parse(arguments)
    record = Record("driver")
    for sampler in options.samplers:
        found = alone(sampler, options.marks)
        for part in (*PARTS, MEMORY):
            for mark, figures in zip(options.marks, found, strict=True):
                row = f"{sampler}, {ROWS[part]}"
                record.add("of a trial", row, f"{mark} trials", figures[part])
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the cluster costs a trial: throughput beside the plain loop, memory beside the store.

Two measurements, each against its floor and in one run:

- images per second of a trial inside a sweep (checkpoints, reports, waiting for the evaluators
  and all) against ``Trainer.train_epoch`` in a process of its own, with as many threads; the plain
  loop runs before and after the sweep, and medians over epochs are compared;
- memory that two trials on this machine, training at the same time, take for the store
  (proportional set size of the mapped file, all processes together) against the store's size.

Run it on an idle machine with two cores or more: ``python benchmarks/sweep_cost.py``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from results import Record

from sweep.cluster.session import WORKER_ENV
from sweep.results.folder import SweepFolder
from sweep.store import Store, write_store
from sweep.store.slices import Slice

PLAIN = """
import json, sys, torch
from sweep.config.sweep import SweepConfig
from sweep.store import Store
from sweep.learn.trainer import Trainer
torch.set_num_threads(1)
config = SweepConfig.from_yaml(sys.argv[1])
trainer = Trainer(config.trial({}), Store.open(config.data.store))
print(json.dumps([trainer.train_epoch(e).images_per_s for e in range(1, int(sys.argv[2]) + 1)]))
"""


def make_store(path: Path, slices: int, size: int) -> Store:
    """Noise with two labels, in 20 patients, two thirds of them in fold 1."""
    generator = np.random.default_rng(0)
    described = [
        Slice(
            f"p{n % 20}/{n}",
            f"p{n % 20}",
            str(1 + (n % 20) // 14),
            frozenset({"ab"[n // 20 % 2]}),
            "",
        )
        for n in range(slices)
    ]
    images = (generator.random((size, size), np.float32) for _ in range(slices))
    return write_store(
        path,
        described,
        images,
        shape=(size, size),
        label_names=("a", "b"),
        task="multiclass",
        source={"benchmark": True},
    )


def write_sweep(
    folder: Path, store: Store, trials: int, cpu: float, epochs: int, width: int
) -> Path:
    """A sweep whose stress test is light enough for the evaluator to keep up."""
    path = folder / "sweep.yaml"
    sweep = {
        "name": "cost",
        "data": {"store": str(store.path), "train": [1], "validation": [2]},
        "model": {"width": width, "stem_stride": 2, "norm": "group"},
        "search": {
            "trials": trials,
            "scheduler": "none",
            "stratify": None,
            "space": {"train.lr": {"log": [1e-4, 1e-3]}},
        },
        "train": {"epochs": epochs},
        "stress": {"artifacts": ["bias"], "levels": [3], "grid": "physical"},
        "cluster": {"trial": {"cpu": cpu}, "evaluator": {"cpu": 2 - trials * cpu}},
    }
    path.write_text(yaml.safe_dump(sweep))
    return path


def run_sweep(sweep: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start the sweep as a user would."""
    command = [sys.executable, "-m", "sweep", "run", str(sweep), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def plain_rates(sweep: Path, epochs: int) -> list[float]:
    """Images per second of each epoch of the plain loop, the first left out."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(sweep), str(epochs)],
        env=os.environ | WORKER_ENV | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=True,
    )
    return list(json.loads(done.stdout))[1:]


def throughput(folder: Path, epochs: int, record: Record) -> None:
    """Print a trial's images per second against the plain loop's."""
    store = make_store(folder / "small.h5", slices=1600, size=96)
    sweep = write_sweep(folder, store, trials=1, cpu=1, epochs=epochs, width=16)
    before = plain_rates(sweep, epochs)
    if run_sweep(sweep, folder / "one").wait():
        raise SystemExit("the sweep failed")
    plain = statistics.median(before + plain_rates(sweep, epochs))
    records = SweepFolder.open(folder / "one").epochs("trial-0000")
    images = len(store.indices([1])) // 32 * 32
    walls = [
        (later.evaluated_at_ms - earlier.evaluated_at_ms) / 1000
        for earlier, later in pairwise(records)
    ]
    whole = images / statistics.median(walls[:-1])  # the last epoch has no other to train beside
    inside = statistics.median(record.images_per_s for record in records[1:])
    print(f"plain loop                    {plain:7.1f} images/s")
    print(f"trial, training alone         {inside:7.1f} images/s   ratio {inside / plain:.3f}")
    print(f"trial, wall clock, everything {whole:7.1f} images/s   ratio {whole / plain:.3f}")
    table = "inside a sweep"
    record.add(table, "images per second against the plain loop", "ratio", whole / plain)
    record.add(table, "the same, training alone", "ratio", inside / plain)


def mapped_kb(path: Path) -> Iterator[tuple[int, int]]:
    """(resident, proportional) kilobytes of the file's map in each process that has it."""
    for maps in Path("/proc").glob("[0-9]*/smaps"):
        try:
            lines = maps.read_text().splitlines()
        except OSError:
            continue
        sizes = [0, 0]
        inside = False
        for line in lines:
            if "-" in line.split(" ", 1)[0]:
                inside = line.endswith(str(path))
            elif inside and line.startswith(("Rss:", "Pss:")):
                sizes[line.startswith("Pss:")] += int(line.split()[1])
        if any(sizes):
            yield sizes[0], sizes[1]


def memory(folder: Path, record: Record) -> None:
    """Print what two trials and an evaluator hold of a store, together, at their peak."""
    store = make_store(folder / "large.h5", slices=12_000, size=96)
    size_mb = store.images.nbytes / 1e6
    sweep = write_sweep(folder, store, trials=2, cpu=0.75, epochs=2, width=2)
    process = run_sweep(sweep, folder / "two")
    peak: list[tuple[int, int]] = []

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(
                peak, list(mapped_kb(store.path)), key=lambda now: sum(pss for _, pss in now)
            )
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    if process.wait():
        raise SystemExit("the sweep failed")
    watcher.join()
    resident = sum(rss for rss, _ in peak) * 1024 / 1e6
    together = sum(pss for _, pss in peak) * 1024 / 1e6
    print(f"store                         {size_mb:7.1f} MB, mapped by {len(peak)} processes")
    print(f"resident, each counted alone  {resident:7.1f} MB   ratio {resident / size_mb:.2f}")
    print(f"memory taken, all together    {together:7.1f} MB   ratio {together / size_mb:.2f}")
    what = f"memory of two trials and an evaluator for a store of {size_mb:.0f} MB"
    record.add("inside a sweep", what, "ratio", together / size_mb)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6, help="of the throughput measurement")
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/sweep_cost.json"
    )
    options = parser.parse_args()
    record = Record("sweep_cost")
    with tempfile.TemporaryDirectory() as scratch:
        throughput(Path(scratch), options.epochs, record)
        memory(Path(scratch), record)
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

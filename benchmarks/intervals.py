"""What intervals cost: the table of wins by patient, beside AUROC of every slice in every resample.

    python benchmarks/intervals.py --save

36 cells x 4 labels of 5,000 slices, 160 patients, 2,000 resamples; random scores without ties, of
which a fifth are positive. One thread: set OMP_NUM_THREADS=1. The old way is timed on some of the
cells and labels, which all cost the same, and its time multiplied.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from peak_memory import extra_bytes
from results import Record

from sweep.core.keys import generator
from sweep.metrics.functions import auroc
from sweep.stats.clustered import estimate
from sweep.stats.estimate import RESAMPLES, mean, resampled_patients
from sweep.stats.interval import interval

SLICES, PATIENTS = 5000, 160
CELLS, LABELS = 36, 4
TIMED = 3  # of the cells x labels, in the old way
CHUNK = 250  # resamples at a time, as it was
TABLE = "intervals of 36 cells x 4 labels"


class Work:
    """Scores of one checkpoint, and both ways to its resamples."""

    def __init__(self) -> None:
        draws = generator("benchmark of intervals")
        self.of = np.sort(draws.integers(0, PATIENTS, SLICES))
        self.truth = draws.random((LABELS, SLICES)) < 0.2
        self.scores = draws.normal(size=(CELLS, LABELS, SLICES)).astype(np.float32)
        self.weights = resampled_patients(PATIENTS)

    def wins(self) -> None:
        """The way of ``sweep.stats``: every cell and label, macro means, mean over cells."""
        cells = [
            mean([estimate(auroc, s, t, self.of, self.weights) for s, t in self._labels(cell)])
            for cell in range(CELLS)
        ]
        interval(mean(cells))

    def slices(self) -> None:
        """Every slice with its weight in every resample, of some cells and labels."""
        for scores, truth in list(self._labels(0))[:TIMED]:
            for rows in np.array_split(self.weights, RESAMPLES // CHUNK):
                auroc(scores, truth, rows[:, self.of])

    def _labels(self, cell: int) -> zip:
        return zip(self.scores[cell], self.truth, strict=True)


def seconds(work: Callable[[], None]) -> float:
    """The least of three."""
    found = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--save", action="store_true", help="write results/intervals.json")
    options = parser.parse_args(arguments)
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1, as the figures are those of one thread")
    record, of = Record("intervals"), Work()
    for name, work, share in (
        ("wins by patient", of.wins, 1.0),
        ("every slice in every resample", of.slices, TIMED / (CELLS * LABELS)),
    ):
        took, extra = seconds(work) / share, extra_bytes(work, torch.device("cpu"))
        record.add(TABLE, name, "s", f"{took:.1f}")
        record.add(TABLE, name, "MB at its peak", "-" if extra is None else f"{extra / 1e6:.0f}")
        print(f"{name}: {took:.2f} s, {(extra or 0) / 1e6:.0f} MB")
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

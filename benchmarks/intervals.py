"""What intervals and a winner's correction cost.

    OMP_NUM_THREADS=1 python benchmarks/intervals.py --save

Intervals of 36 cells x 4 labels of 5,000 slices, 160 patients, 2,000 resamples: by the table of
wins by patient, beside AUROC of every slice in every resample, which is timed on some of the cells
and labels, as all cost the same, and its time multiplied. Random scores without ties, of which a
fifth are positive. A winner of 300 trials x 8 epochs of 16 cells x 3 labels of 486 slices, 40
patients (as in the sweep of brain tumours), 500 resamples.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from peak_memory import extra_bytes
from results import Record

from sweep.core.keys import generator
from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics import metrics
from sweep.metrics.functions import auroc
from sweep.stats.clustered import estimate
from sweep.stats.estimate import RESAMPLES, mean, resampled_patients
from sweep.stats.interval import interval
from sweep.stats.winner import RESAMPLES as TIMES
from sweep.stats.winner import Candidate, candidate_of, optimism

SLICES, PATIENTS = 5000, 160
CELLS, LABELS = 36, 4
TIMED = 3  # of the cells x labels, in the old way
CHUNK = 250  # resamples at a time, as it was
WINNER = "a winner's correction"
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


class Choice:
    """Checkpoints of a sweep, made when they are asked for as they would be read."""

    def __init__(self, checkpoints: int = 2400) -> None:
        self.checkpoints = checkpoints
        draws = generator("benchmark of a choice")
        of = np.sort(draws.integers(0, 40, 486))
        self.patients = [f"p{at:02}" for at in of]
        self.truth = draws.random((486, 3)) < 0.3
        self.weights = resampled_patients(len(set(self.patients)), TIMES)

    def __call__(self) -> None:
        """Choose among them all."""
        optimism(self._candidates(), "cvar")

    def _candidates(self) -> Iterator[Candidate]:
        cells = [CLEAN, *(Cell("noise", level) for level in range(1, 16))]
        for number in range(self.checkpoints):
            draws = generator("checkpoint", number)
            found = [
                Predictions(cell, draws.normal(size=(486, 3)).astype(np.float32)) for cell in cells
            ]
            norm = f"norm {number % 3}"
            of = found, self.truth, self.patients
            yield candidate_of(norm, metrics()["auroc"], *of, {}, self.weights)


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
    began = time.perf_counter()
    Choice()()
    took, extra = time.perf_counter() - began, extra_bytes(Choice(50), torch.device("cpu"))
    row = "300 trials x 8 epochs x 16 cells x 3 labels"
    record.add(WINNER, row, "s", f"{took:.0f}")
    record.add(WINNER, row, "MB at its peak", "-" if extra is None else f"{extra / 1e6:.0f}")
    print(f"{row}: {took:.0f} s, {(extra or 0) / 1e6:.0f} MB")
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

"""How much room a sweep's folder will take: one of each file is written, and then it is counted."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.config.finalists import FinalistSettings
from sweep.config.keep import ALL, BEST, EACH, FINALISTS, FRONT, SCORED, words
from sweep.config.sweep import SweepConfig
from sweep.core.keys import generator
from sweep.core.records import Cell, Predictions, TrialRecord
from sweep.core.text import bytes_text
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import EpochStats
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, record_of, scores_of
from sweep.learn.trainer import Trainer
from sweep.metrics import metrics
from sweep.metrics.table import SUMMARIES
from sweep.results import tables, trial_files
from sweep.results.inventory import Kind, sizes_text
from sweep.results.tables import slices_at
from sweep.search.forecast import Forecast

ROWS = 2000  # slices that are written at most; the size goes on as they do
OF_TRIAL, OF_EPOCH = 1400, 100  # bytes in the study's journal


class Sizes(NamedTuple):
    """Bytes of one of each file.

    Attributes:
        checkpoint: Of an epoch, that of an average with it.
        state: What a trial goes on from.
        predictions: Of an epoch that was scored in full.
        scores: Of the same.
        screened_predictions: Of an epoch that was screened; those of a full one where none is.
        screened_scores: Of the same.
        record: Of a trial.
        config: Of the sweep file as resolved.

    """

    checkpoint: int
    state: int
    predictions: float
    scores: int
    screened_predictions: float
    screened_scores: int
    record: int
    config: int


@dataclass(frozen=True)
class Space:
    """What a sweep's folder is expected to hold.

    Attributes:
        end: Bytes by kind, once the sweep has ended.
        peak: Bytes at most while it runs.
        waiting: Whether that is while all trials wait for each other.

    """

    end: dict[str, float]
    peak: float
    waiting: bool

    def text(self) -> str:
        """For people."""
        when = "while trials wait for each other" if self.waiting else "while it runs"
        at_most = f"; at most about {bytes_text(self.peak)} {when}"
        return f"about {sizes_text(self.end)}{at_most}"


def space_of(
    config: SweepConfig, sizes: Sizes, expected: Forecast, concurrent: int, rows: int, asked: float
) -> Space:
    """Count the files of a sweep.

    Args:
        config: The sweep.
        sizes: Of one of each.
        expected: How many trials come to each epoch.
        concurrent: Trials at a time.
        rows: Rows of modes.
        asked: On how many times as many inputs as in a full stress test a finalist is scored.

    """
    counted = _Counts.of(config, expected.reached)
    end = {
        Kind.CHECKPOINT: counted.checkpoints * sizes.checkpoint,
        Kind.PREDICTIONS: counted.full_kept * sizes.predictions
        + counted.screened_kept * sizes.screened_predictions
        + rows * sizes.predictions,
        Kind.SCORES: counted.full * sizes.scores
        + counted.screened * sizes.screened_scores
        + rows * sizes.scores,
        Kind.RECORD: counted.trials * sizes.record,
        Kind.OTHER: sizes.config + counted.trials * OF_TRIAL + expected.epochs * OF_EPOCH,
        **_of_finalists(config, sizes, asked),
    }
    before_pruned = (counted.full - counted.full_kept) * sizes.predictions + max(
        0, counted.unpruned - counted.checkpoints
    ) * sizes.checkpoint
    at_work = min(concurrent, counted.trials) * (sizes.state + 3 * sizes.checkpoint)
    ending = sum(end.values()) + before_pruned + at_work
    waiting = _while_waiting(config, sizes, expected.reached)
    known = {kind.value: size for kind, size in end.items() if size}
    ordered = dict(sorted(known.items(), key=lambda item: -item[1]))
    return Space(ordered, max(ending, waiting), waiting > ending)


class _Counts(NamedTuple):
    """How many there are of a sweep's files.

    Attributes:
        trials: Trials.
        full: Epochs that are scored in full.
        screened: Epochs that are not.
        full_kept: Of the former those whose predictions stay.
        screened_kept: Of the latter.
        checkpoints: That stay.
        unpruned: Checkpoints of ended trials, before all have ended.

    """

    trials: int
    full: float
    screened: float
    full_kept: float
    screened_kept: float
    checkpoints: float
    unpruned: float

    @classmethod
    def of(cls, config: SweepConfig, reached: Sequence[float]) -> "_Counts":
        trials, keep = config.search.total, config.keep
        in_full = _in_full(config)
        full = sum(count for at, count in enumerate(reached, 1) if at in in_full)
        screened = sum(reached) - full
        again = min(reached[-1], screened)  # with its last epoch a trial's best is scored in full
        if len(in_full) < len(reached):
            full, screened = full + again, screened - again
        whole = max(count for at, count in enumerate(reached, 1) if at in in_full)
        part = trials - whole
        some = min(whole, _some(config))
        of_checkpoints, of_predictions = words(keep.checkpoints), words(keep.predictions)
        checkpoints = sum(reached) if ALL in of_checkpoints else some
        checkpoints = trials if EACH in of_checkpoints else checkpoints
        kept = {ALL: (full, screened), SCORED: (full, part), EACH: (whole, part)}
        full_kept, screened_kept = kept.get(of_predictions[0], (some, 0.0))
        modes = config.stress.modes.names or any(config.offered("train.ema"))
        unpruned = trials if modes else checkpoints
        return cls(
            trials,
            full,
            screened,
            full_kept,
            screened_kept,
            checkpoints,
            max(unpruned, checkpoints),
        )


def _in_full(config: SweepConfig) -> set[int]:
    """The epochs that are scored in full as soon as they are trained."""
    last = config.search.most_epochs(config.train.epochs)
    screening = config.search.screening(config.train.epochs)
    if screening is None:
        return set(range(1, last + 1))
    return {*(screening.full or ()), last}


def _some(config: SweepConfig) -> float:
    """Trials that words of ``keep`` choose; a front is taken for as many as the best are."""
    keep, groups = config.keep, len(config.groups())
    per_norm = (config.finalists or FinalistSettings()).per_norm
    most = {BEST: keep.top, FRONT: keep.top, FINALISTS: per_norm}
    return groups * max((most[word] for word in keep.of_some), default=0)


def _while_waiting(config: SweepConfig, sizes: Sizes, reached: Sequence[float]) -> float:
    """Bytes when all trials have come to where they wait: each keeps what it goes on from."""
    after = config.search.waits_after(config.train.epochs)
    if after is None:
        return 0
    checkpoints = min(2, after)  # the best and the latest
    each = sizes.state + checkpoints * sizes.checkpoint + sizes.record + OF_TRIAL
    epochs = sum(reached[:after])
    of_epoch = sizes.screened_predictions + sizes.screened_scores + OF_EPOCH
    return config.search.total * each + epochs * of_epoch + sizes.config


def _of_finalists(config: SweepConfig, sizes: Sizes, asked: float) -> dict[Kind, float]:
    settings = config.finalists
    if settings is None:
        return {}
    groups = len(config.groups())
    runs = groups * settings.per_norm * settings.seeds
    kept = {"all": runs, "best": groups, "none": 0}[config.keep.finalists]
    return {
        Kind.FINAL_CHECKPOINT: kept * settings.epochs * sizes.checkpoint,
        Kind.FINAL_PREDICTIONS: runs * settings.epochs * asked * sizes.predictions,
    }


def sizes_of(config: SweepConfig, trainer: Trainer) -> Sizes:
    """Write one of each file, of random answers, as a network's would be as hard to compress.

    Args:
        config: The sweep.
        trainer: Of one of its trials, after some steps.

    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        files = CheckpointFolder(place / "checkpoints")
        trainer.save(files, 1, EpochStats(0.5, 100.0))
        screening = Screening.of(trainer.config, trainer.store)
        full, scores, record = _written(trainer, place, None)
        part, part_scores, _ = (
            _written(trainer, place, screening) if screening else (full, scores, record)
        )
        return Sizes(
            checkpoint=sum(one.stat().st_size for one in files.path.glob("epoch-*.pt")),
            state=files.state.stat().st_size,
            predictions=full,
            scores=scores,
            screened_predictions=part,
            screened_scores=part_scores,
            record=record,
            config=len(config.to_yaml()),
        )


def _written(trainer: Trainer, place: Path, screening: Screening | None) -> tuple[float, int, int]:
    """Bytes of the predictions and scores of an epoch, and of a record with them."""
    store, data = trainer.store, trainer.config.data
    indices: NDArray[np.int64] = store.indices(data.validation)
    cells: Sequence[Cell] = cells_of(trainer.config.stress)
    if screening is not None:
        indices, cells = indices[screening.slices], screening.cells
    some = indices[:ROWS]
    draws = generator("space", len(some))
    shape = len(some), len(store.label_names)
    found = [Predictions(cell, draws.standard_normal(shape).astype(np.float32)) for cell in cells]
    tables.write_predictions(place / "p", "trial-0000", 1, found, slices_at(store, some))
    scores = scores_of(found, store, some)
    of_epoch = () if screening else scores, "trial-0000", 1, EpochStats(0.5, 100.0)
    epoch = record_of(*of_epoch, scores if screening else ())
    tables.write_scores(place / "s", epoch)
    intervals = {
        name: (math.pi / 4, math.pi / 3)
        for metric in metrics().values()
        if metric.has_interval
        for name in (metric.clean, *map(metric.robust, SUMMARIES))
    }
    trial = TrialRecord(
        "trial-0000", 0, {}, "batch", 0, "finished", 1, 1, 1, epoch.metrics, intervals
    )
    record = len(trial_files.text_of(trial))
    return (
        (place / "p").stat().st_size * len(indices) / max(1, len(some)),
        (place / "s").stat().st_size,
        record,
    )

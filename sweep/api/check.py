"""What a sweep will cost, from a few steps measured on this machine."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from sweep.config.levels import unreached
from sweep.config.sweep import SweepConfig
from sweep.core.text import clock
from sweep.learn.batches import epoch_batches, steps_per_epoch
from sweep.learn.checkpoints import CheckpointFolder, EpochStats
from sweep.learn.stress import cells_of, predict
from sweep.learn.trainer import Trainer
from sweep.store import Store

STEPS = 3


@dataclass(frozen=True)
class Cost:
    """Of a whole sweep, if no trial is stopped early and every node is like this one.

    Attributes:
        train_s: Seconds of training of one epoch.
        evaluate_s: Seconds of stress-testing one epoch, all cells, one evaluator.
        seconds: The seconds of the whole sweep.
        checkpoint_bytes: The checkpoint bytes of one epoch.
        slices: Training and validation slices.
        cells: Distributions that an epoch is scored on.
        unreached: Distributions that were asked for and that no severity makes.

    """

    train_s: float
    evaluate_s: float
    seconds: float
    checkpoint_bytes: int
    slices: tuple[int, int]
    cells: int
    unreached: tuple[str, ...]

    def text(self) -> str:
        """For people."""
        train, validation = self.slices
        return (
            f"training     {train} slices, {self.train_s:.1f} s an epoch\n"
            f"stress test  {validation} slices x {self.cells} distributions, "
            f"{self.evaluate_s:.1f} s an epoch on one evaluator\n"
            f"{self._left_out()}"
            f"checkpoint   {self.checkpoint_bytes / 1e6:.1f} MB\n"
            f"whole sweep  at most about {clock(self.seconds)} on nodes like this one; early "
            f"stopping makes it shorter"
        )

    def _left_out(self) -> str:
        named = ", ".join(self.unreached)
        return f"left out     {named}: no severity reaches that level\n" if named else ""


def estimate(config: SweepConfig, store: Store, concurrent: int) -> Cost:
    """Measure a few steps of the configuration as written, and extrapolate.

    Args:
        config: The config of the sweep.
        store: Its data.
        concurrent: Trials at a time.

    """
    torch.set_num_threads(config.cluster.trial.threads)
    trainer = Trainer(config.trial({}), store)
    train_s = _train_seconds(trainer)
    torch.set_num_threads(config.cluster.evaluator.threads)
    evaluate_s = _evaluate_seconds(trainer)
    epochs = config.search.trials * config.train.epochs
    training = epochs * train_s / min(concurrent, config.search.trials)
    evaluating = epochs * evaluate_s / config.cluster.evaluators
    return Cost(
        train_s=train_s,
        evaluate_s=evaluate_s,
        seconds=max(training, evaluating),
        checkpoint_bytes=_checkpoint_bytes(trainer),
        slices=(len(trainer.indices), len(store.indices(config.data.validation))),
        cells=len(cells_of(config.stress)),
        unreached=unreached(config.stress),
    )


def _train_seconds(trainer: Trainer) -> float:
    """Of one epoch, from a few steps after one that warms up."""
    settings, seed = trainer.config.train, trainer.config.seed
    batches = list(epoch_batches(trainer.store, trainer.indices, settings, seed, 1))
    trainer.model.train()
    steps = batches[: STEPS + 1]
    started = 0.0
    for number, batch in enumerate(steps):
        started = time.perf_counter() if number == min(1, len(steps) - 1) else started
        float(trainer.step(trainer.load(batch), 1, settings.lr))
    measured = max(1, len(steps) - 1)
    per_step = (time.perf_counter() - started) / measured
    return per_step * steps_per_epoch(len(trainer.indices), settings)


def _evaluate_seconds(trainer: Trainer) -> float:
    """Of all cells, from one batch of each."""
    trial_config, model = trainer.config, trainer.model.eval()
    indices = trainer.store.indices(trial_config.data.validation)
    batch = indices[: trial_config.stress.batch_size]
    started = time.perf_counter()
    for cell in cells_of(trial_config.stress):
        predict(
            model,
            trainer.store,
            batch,
            cell,
            trial_config.data,
            trial_config.stress,
            trainer.device,
        )
    return (time.perf_counter() - started) * len(indices) / len(batch)


def _checkpoint_bytes(trainer: Trainer) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        files = CheckpointFolder(Path(scratch))
        trainer.save(files, 1, EpochStats(0.0, 0.0))
        return files.epoch(1).stat().st_size

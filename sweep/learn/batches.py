"""Which slices make a training batch, and which artifacts fall on them: keyed, never stateful."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sweep.config.levels import reached
from sweep.config.settings import TrainSettings, TrialConfig
from sweep.core.records import CLEAN, Cell
from sweep.learn.inputs import corrupt
from sweep.learn.keys import generator_of, seed_of
from sweep.learn.signals import Signals, alike
from sweep.store import Store


def balanced_weights(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sampling weights that give every combination of labels the same share.

    Args:
        labels: (N, L) multi-hot.

    Returns:
        (N,): 1 / number of slices with the same labels.

    """
    _, kind, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / counts[kind.reshape(-1)]
    return weights


def steps_per_epoch(slices: int, settings: TrainSettings) -> int:
    """Full batches in an epoch; one smaller batch where the data do not fill one."""
    return max(1, slices // settings.batch_size)


def epoch_batches(
    store: Store, indices: NDArray[np.int64], settings: TrainSettings, seed: int, epoch: int
) -> Iterator[NDArray[np.int64]]:
    """The batches of one epoch, from (seed, epoch) alone.

    The last, incomplete batch is dropped: batch norm would see other statistics in it.

    Args:
        store: of the slices.
        indices: (N,) training slices.
        settings: batch size and sampler.
        seed: of the trial.
        epoch: 1 for the first.

    Yields:
        (B,) store indices.

    """
    generator = generator_of("batches", seed, epoch)
    if settings.sampler == "balanced":
        weights = torch.from_numpy(balanced_weights(store.labels[indices]))
        order = torch.multinomial(weights, len(indices), replacement=True, generator=generator)
    else:
        order = torch.randperm(len(indices), generator=generator)
    shuffled = indices[order.numpy()]
    for step in range(steps_per_epoch(len(indices), settings)):
        yield shuffled[step * settings.batch_size : (step + 1) * settings.batch_size]


def augment(signals: Signals, keys: Sequence[str], config: TrialConfig, epoch: int) -> Tensor:
    """Artifacts on a part of the slices, drawn from (seed, epoch, slice key) alone.

    Args:
        signals: of B slices.
        keys: of each slice.
        config: which artifacts, levels, how often, what a level means; the seed of the trial.
        epoch: 1 for the first.

    Returns:
        (B, H, W) magnitude.

    """
    if not config.train.augment.artifacts:
        return signals.clean()
    groups = alike(_drawn_cells(keys, config, epoch))
    # The draws differ from every stress test's: its seeds are never of this form.
    seed = seed_of("augment", config.seed, epoch)
    parts = [
        corrupt(signals.take(places), cell, [keys[place] for place in places], seed, config.stress)
        for cell, places in groups.items()
    ]
    order = np.argsort(np.concatenate(list(groups.values())))
    return torch.cat(parts)[torch.from_numpy(order)]


def _drawn_cells(keys: Sequence[str], config: TrialConfig, epoch: int) -> Iterator[Cell]:
    """The cell of each slice: clean, or an artifact at a level."""
    settings = config.train.augment
    levels = {name: reached(config.stress, name, settings.levels) for name in settings.artifacts}
    for key in keys:
        generator = np.random.default_rng(seed_of("augment", config.seed, epoch, key))
        if generator.random() < settings.probability:
            artifact = settings.artifacts[generator.integers(len(settings.artifacts))]
            yield Cell(artifact, levels[artifact][generator.integers(len(levels[artifact]))])
        else:
            yield CLEAN

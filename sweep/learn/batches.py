"""Which slices make a training batch: keyed, never stateful."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from sweep.config.training import TrainSettings
from sweep.core.keys import Part, seed_of
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


def positives_weights(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sampling weights that give every number of positive labels the same share.

    The sampler of Madaan et al., MIDL 2023 (arXiv 2306.13276).

    Args:
        labels: (N, L) multi-hot.

    Returns:
        (N,): 1 / number of slices with as many positive labels.

    """
    return balanced_weights(labels.sum(axis=1, keepdims=True))


# Each gives, for labels (N, L), the weights (N,) by which slices are drawn with replacement.
WEIGHTS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float64]]] = {
    "balanced": balanced_weights,
    "positives": positives_weights,
}


def steps_per_epoch(slices: int, settings: TrainSettings) -> int:
    """Full batches in an epoch; one smaller batch where the data do not fill one."""
    return max(1, slices // settings.batch_size)


def epoch_batches(
    store: Store, indices: NDArray[np.int64], settings: TrainSettings, seed: int, epoch: int
) -> Iterator[NDArray[np.int64]]:
    """The batches of one epoch, from (seed, epoch) alone.

    The last, incomplete batch is dropped: batch norm would see other statistics in it.

    Args:
        store: The store of the slices.
        indices: (N,) training slices.
        settings: Batch size and sampler.
        seed: The seed of the trial.
        epoch: 1 for the first.

    Yields:
        (B,) store indices.

    """
    generator = torch_generator("batches", seed, epoch)
    if settings.sampler in WEIGHTS:
        weights = torch.from_numpy(WEIGHTS[settings.sampler](store.labels[indices]))
        order = torch.multinomial(weights, len(indices), replacement=True, generator=generator)
    else:
        order = torch.randperm(len(indices), generator=generator)
    shuffled = indices[order.numpy()]
    for step in range(steps_per_epoch(len(indices), settings)):
        yield shuffled[step * settings.batch_size : (step + 1) * settings.batch_size]


def torch_generator(*key: Part) -> torch.Generator:
    """A key's own generator on the CPU."""
    return torch.Generator().manual_seed(seed_of(*key))

"""Batch norm in eval mode by other statistics than training left; the network stays as it is.

In eval mode the layers of `batch_norms` normalise by their buffers `running_mean`, `running_var`.
Here these are other tensors for a while: those of the batch that comes in, a mixture of both, or
those of a whole population. No tensor of the network is written to, and when the block ends, also
by an exception, the buffers are the very tensors that they were.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mrimodels.norms.statistics import moments
from mrimodels.norms.switchable import SwitchableNorm2d

KINDS = (_BatchNorm, SwitchableNorm2d)


class Moments(NamedTuple):
    """What one layer saw of C channels.

    Attributes:
        mean: (C,) float64.
        variance: (C,) float64, biased.
        values: Those of a channel that they are taken of: samples times pixels.

    """

    mean: Tensor
    variance: Tensor
    values: int


@dataclass(frozen=True)
class Population:
    """Statistics of many batches together.

    Attributes:
        layers: Of each layer of `batch_norms`, in order; None for one that no batch came to.

    """

    layers: tuple[Moments | None, ...]

    def unbiased(self) -> "Population":
        """The same with the unbiased variance n / (n - 1) var, which torch keeps in `running_var`.

        It is the one to use for samples that are not of this population's own.
        """
        return Population(tuple(seen and _unbiased(seen) for seen in self.layers))


def batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return the layers of a network that normalise by running statistics of batches.

    Batch norm of every kind, batch renormalisation, and switchable norm, which has batch statistics
    as a part of its own. A batch norm without running statistics is none: it uses its batch always.
    """
    found = [module for module in model.modules() if isinstance(module, KINDS)]
    return [layer for layer in found if layer.running_mean is not None]


@contextmanager
def batch_statistics(model: nn.Module, source: float = 0.0) -> Iterator[None]:
    """While inside, batch norms in eval mode normalise each batch by statistics of that batch.

        mean = N / (N + n) mean_s + n / (N + n) mean_b        variance alike

    with the running statistics s, the biased ones of the batch b, as in train mode, and its n
    samples. N = 0 is prediction-time batch norm, arXiv 2006.10963; N > 0 counts the running
    statistics as N more samples, arXiv 2006.16971.

    Args:
        model: In eval mode.
        source: N, not negative.

    """
    with _watched(model, source, lambda place, seen: None):
        yield


@torch.no_grad()
def population_statistics(model: nn.Module, batches: Iterable[Tensor]) -> Population:
    """Return the statistics of all batches together, from one pass in which each uses its own.

    With mean m and biased variance v of a batch, and E the mean over batches by their number of
    values, so that a smaller batch counts less:

        mean = E[m]        variance = E[v + m^2] - E[m]^2 = E[v] + E[(m - mean)^2]

    PreciseBN, Wu & Johnson, arXiv 2105.07576; the second form takes no difference of large numbers.
    This is the biased variance of all values of a layer's input. Layers above the first see inputs
    that were normalised by batch: so it depends, a little, on what stood together in a batch.

    Args:
        model: In eval mode.
        batches: (B, C, H, W) each, as `model` takes them.

    """
    seen: list[list[Moments]] = [[] for _ in batch_norms(model)]
    with _watched(model, 0.0, lambda place, one: seen[place].append(one)):
        for batch in batches:
            model(batch)
    return Population(tuple(_pooled(parts) if parts else None for parts in seen))


@contextmanager
def using_statistics(model: nn.Module, population: Population) -> Iterator[None]:
    """While inside, batch norms in eval mode normalise by the statistics of a population."""
    layers = batch_norms(model)
    with _restored(layers):
        for layer, seen in zip(layers, population.layers, strict=True):
            if seen is not None:
                _use(layer, seen.mean, seen.variance)
        yield


@contextmanager
def _watched(
    model: nn.Module, source: float, see: Callable[[int, Moments], None]
) -> Iterator[None]:
    """Let every layer use its batch, mixed with its running statistics; tell what it is."""
    layers = batch_norms(model)
    with _restored(layers) as before:
        handles = [
            layer.register_forward_pre_hook(_hook(place, *before[place], source, see))
            for place, layer in enumerate(layers)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _hook(
    place: int,
    mean: Tensor,
    variance: Tensor,
    source: float,
    see: Callable[[int, Moments], None],
) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    """What happens before the layer's forward; mean and variance (C,) are its running ones."""

    def before(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        x: Tensor = inputs[0]
        seen = _moments(x)
        see(place, seen)
        if source == 0:
            _use(layer, seen.mean, seen.variance)
            return
        own = source / (source + len(x))
        _use(
            layer,
            own * mean.double() + (1 - own) * seen.mean,
            own * variance.double() + (1 - own) * seen.variance,
        )

    return before


@contextmanager
def _restored(layers: Sequence[nn.Module]) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Give the running means and variances, and put these very tensors back at the end."""
    before: list[Any] = [(layer.running_mean, layer.running_var) for layer in layers]
    try:
        yield before
    finally:
        for layer, (mean, variance) in zip(layers, before, strict=True):
            layer.running_mean, layer.running_var = mean, variance


def _use(layer: nn.Module, mean: Tensor, variance: Tensor) -> None:
    kept: Any = layer.running_mean
    layer.running_mean, layer.running_var = mean.to(kept), variance.to(kept)


def _moments(x: Tensor) -> Moments:
    """Return those of (N, C, ...) over all but the channels."""
    axes = (0, *range(2, x.ndim))
    mean, variance = moments(x, axes)
    return Moments(
        mean.flatten().double(), variance.flatten().double(), x.numel() // max(x.shape[1], 1)
    )


def _pooled(parts: Sequence[Moments]) -> Moments:
    means = torch.stack([part.mean for part in parts])
    variances = torch.stack([part.variance for part in parts])
    values = means.new_tensor([part.values for part in parts])
    shares = (values / values.sum())[:, None]
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean).square())).sum(0)
    return Moments(mean, variance, sum(part.values for part in parts))


def _unbiased(seen: Moments) -> Moments:
    return seen._replace(variance=seen.variance * (seen.values / max(seen.values - 1, 1)))

"""Random curves over intensity, piece by piece between evenly spaced nodes."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.keyed import Source
from artifacts_sim.kinds.foreground import FRACTION

_SAMPLES_PER_AXIS = 64
BRIGHT = 0.99  # of the pixels are no brighter than bright ones


def nodes(source: Source, count: int) -> NDArray[np.float64]:
    """Draw the values of curves at their nodes, from -1/2 to 1/2 in every row: (B, count)."""
    u = source.uniform(count)
    low, high = u.min(axis=1, keepdims=True), u.max(axis=1, keepdims=True)
    unit: NDArray[np.float64] = (u - (low + high) / 2) / (high - low)
    return unit


def bright(shown: Tensor) -> Tensor:
    """The brightness that few pixels of a slice's foreground exceed: (B,), above 0.

    It is the 99th percentile of the foreground, however large the background is: of the pixels
    above 0.2 sum(x^2) / sum(x). Every m-th pixel of an axis is looked at, m the least that leaves
    at most 64 of them; where all are 0, it is the brightest of the others, and 1 of an empty slice.

    Args:
        shown: (B, RO, PE) magnitude.

    """
    samples = sampled(shown)
    seen = samples.detach()
    threshold = FRACTION * seen.square().sum(dim=1) / seen.sum(dim=1)
    above = ((seen > threshold[:, None]).sum(dim=1) * (1 - BRIGHT)).long()
    brightest = samples.topk(math.floor(samples.shape[1] * (1 - BRIGHT)) + 1, dim=1).values
    percentile = brightest.gather(1, above[:, None])[:, 0]
    return above_zero(torch.where(percentile > 0, percentile, shown.amax(dim=(1, 2))))


def sampled(shown: Tensor) -> Tensor:
    """Every m-th pixel of an axis, m the least that leaves at most 64 of them: (B, pixels)."""
    down, across = (math.ceil(size / _SAMPLES_PER_AXIS) for size in shown.shape[1:])
    return shown[:, ::down, ::across].flatten(1)


def above_zero(scale: Tensor) -> Tensor:
    """A scale, or 1 where there is none, as of an empty slice."""
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def piece(v: Tensor, pieces: int) -> tuple[Tensor, Tensor]:
    """Find the piece of each place, and where in it the place is.

    Args:
        v: (B, RO, PE) >= 0; a piece is 1 long, and the last one has no end.
        pieces: How many there are.

    Returns:
        Where the piece stands in a table of all slices, as `picked` takes it, (B, RO, PE) int32;
        and the place from its beginning, like v.

    """
    begin = v.detach().floor().clamp_max_(pieces - 1)
    rows = pieces * torch.arange(len(v), dtype=torch.int32, device=v.device)
    return begin.to(torch.int32).add_(rows[:, None, None]), v - begin


def picked(table: Tensor, number: Tensor) -> Tensor:
    """Give every pixel the number of its piece: (B, RO, PE).

    Args:
        table: (B, pieces).
        number: Of `piece`.

    """
    return table.flatten().index_select(0, number.flatten()).view(number.shape)


def by_slice(function: Callable[..., Tensor], z: Tensor) -> Tensor:
    """Take a function of torch of every pixel; in place, where no gradient is recorded.

    On CPUs one slice at a time, as a vector's tail is rounded otherwise: it must not depend on
    the neighbours.
    """
    if torch.is_grad_enabled():
        return function(z)
    for block in z if z.is_cpu else z[None]:
        function(block, out=block)
    return z

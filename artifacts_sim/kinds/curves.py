"""Random curves over intensity, piece by piece between evenly spaced nodes."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.keyed import Source

_SAMPLES_PER_AXIS = 64
_BRIGHT = 0.99  # of the pixels are no brighter


def nodes(source: Source, count: int) -> NDArray[np.float64]:
    """Draw the values of curves at their nodes, from -1/2 to 1/2 in every row: (B, count)."""
    u = source.uniform(count)
    low, high = u.min(axis=1, keepdims=True), u.max(axis=1, keepdims=True)
    unit: NDArray[np.float64] = (u - (low + high) / 2) / (high - low)
    return unit


def bright(shown: Tensor) -> Tensor:
    """The brightness that few pixels of a slice exceed: (B,), above 0.

    It is the 99th percentile of every m-th pixel of an axis, m the least that leaves at most 64 of
    them; where that is 0, the brightest pixel; and 1 of an empty slice.

    Args:
        shown: (B, RO, PE) magnitude.

    """
    down, across = (math.ceil(size / _SAMPLES_PER_AXIS) for size in shown.shape[1:])
    samples = shown[:, ::down, ::across].flatten(1)
    above = math.floor(samples.shape[1] * (1 - _BRIGHT)) + 1
    percentile = samples.topk(above, dim=1).values[:, -1]
    return above_zero(torch.where(percentile > 0, percentile, shown.amax(dim=(1, 2))))


def above_zero(scale: Tensor) -> Tensor:
    """A scale, or 1 where there is none, as of an empty slice."""
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def piece(v: Tensor, pieces: int) -> tuple[Tensor, Tensor]:
    """Find the piece of each place, and where in it the place is.

    Args:
        v: (B, RO, PE), from 0 to the number of pieces, where the last one ends.
        pieces: How many there are.

    Returns:
        Where the piece stands in a table of all slices, as `picked` takes it, (B, RO, PE) int32;
        and the place from 0 to 1 in it, like v.

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

"""Signal that is shown beside its place along one axis, and piles up: none is made or lost."""

from collections.abc import Callable

import torch
from torch import Tensor

_POINT_PX = 1e-4  # an image interval of this length holds half of its signal as a point


def piled_up(signal: Tensor, shift_px: Tensor) -> Tensor:
    """Move the edges of every pixel along the last axis, and the signal between with them.

    The signal of pixel i, between the edges i and i + 1, is spread evenly over the interval from
    i + shift[i] to i + 1 + shift[i + 1], whichever of both comes first, and pixel j receives what
    falls between j and j + 1. So signal piles up where the map compresses, thins out where it
    stretches, and adds up where it folds. What leaves the axis is lost; from outside comes none.
    Sources: the Jacobian of Chang and Fitzpatrick, IEEE Trans Med Imaging 11:319 (1992); the
    intervals are those of any conservative remapping, of first order.

    The density rises by rho_i = signal_i / length_i, of either sign, at the one end of an image
    interval, and falls at the other. So a running sum of these steps, less the part of a pixel
    that lies before each step, is the result: one pass, whatever the map. An interval of length l
    has a part e^2 / (e^2 + l^2) of its signal as a point, e = 1e-4, as rho has no limit otherwise.

    Args:
        signal: (B, planes, L, N), real, of lines of N pixels.
        shift_px: (B, L, N + 1), of the edges, in pixels; in the same precision.

    Returns:
        Like the signal; where that is >= 0, above minus its rounding.

    """
    n = signal.shape[-1]
    below = shift_px.detach().floor()
    length = (shift_px[..., 1:] - shift_px[..., :-1] + 1)[:, None]
    density = signal * (length / (length.square() + _POINT_PX**2))
    # In double precision what is added once and taken once leaves nothing behind.
    step = density.new_zeros((*signal.shape[:-1], n + 1), dtype=torch.float64)
    step[..., :-1] = density
    step[..., 1:] -= density
    before = step.to(signal) * (shift_px - below)[:, None]
    before[..., :-1] -= signal - density * length  # the points
    # Of the cells, the first takes what lies before the axis, the last what lies beyond it.
    cell = (below + torch.arange(1, n + 2).to(below)).clamp_(0, n + 1)
    cell = cell.to(torch.int64)[:, None].expand(step.shape)
    cells = (*signal.shape[:-1], n + 2)
    steps = step.new_zeros(cells).scatter_add_(-1, cell, step)
    parts = before.new_zeros(cells).scatter_add_(-1, cell, before)
    inside = slice(1, n + 1)
    return steps.cumsum(dim=-1)[..., inside].to(signal) - parts[..., inside]


def slice_by_slice(work: Callable[..., Tensor], *given: Tensor) -> Tensor:
    """Do the work on (B, ...) tensors, on a CPU one slice after the other.

    Its intermediates then stay in the cache, and no kernel runs on from slice to slice.
    """
    if not given[0].is_cpu or len(given[0]) == 1:
        return work(*given)
    slices = range(len(given[0]))
    return torch.cat([work(*(one[i : i + 1] for one in given)) for i in slices])

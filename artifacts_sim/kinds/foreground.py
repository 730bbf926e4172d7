"""Where the object lies, and places within it, that do not depend on the matrix size."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Pixels = tuple[slice, slice]
"""Some of the pixels, along RO and PE."""

FRACTION = 0.2
_SAMPLES_PER_AXIS = 160
_ENOUGH = 400  # pixels that show where an object of any shape ends
_FAR = 64.0  # beyond any value of a field
_LEAST_SPAN = 1e-6


def foreground(shown: Tensor) -> Tensor:
    """Mark with 1 the pixels above 0.2 sum(x^2) / sum(x), of an empty slice all.

    That is a fraction of an intensity that neither empty background nor a few hot pixels move.

    Args:
        shown: (B, RO, PE) the clean magnitude.

    Returns:
        (B, RO, PE) of 0 and 1, in the same precision, as on CPUs truth values cost five times as
        much; of each slice at least one pixel.

    """
    shown = shown.detach()
    return torch.gt(shown, _threshold(shown), out=torch.empty_like(shown))


def extremes(field: Callable[[Pixels], Tensor], shown: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of a field over the foreground: (B, 1, 1) each.

    Every m-th pixel of an axis is looked at, m the least that leaves at most 160 of them; of a
    slice that shows little foreground there, every pixel.

    Args:
        field: Gives the values at some pixels, between -64 and 64: (B, RO', PE').
        shown: (B, RO, PE) the clean magnitude.

    """
    shown = shown.detach()
    threshold = _threshold(shown)
    every = (slice(None), slice(None))
    down, across = (slice(None, None, math.ceil(n / _SAMPLES_PER_AXIS)) for n in shown.shape[1:])
    low, high, count = _extremes(field((down, across)), shown[:, down, across], threshold)
    if (down.step, across.step) != (1, 1):
        thin = [i for i, found in enumerate(count.tolist()) if found < _ENOUGH]
        if thin:
            least, most, _ = _extremes(field(every), shown, threshold)
            low[thin], high[thin] = least[thin], most[thin]
    return low, high


def span(low: Tensor, high: Tensor) -> Tensor:
    """How far a field's extremes lie apart; infinite where there is nothing to shade.

    That is over a foreground of one pixel, or over a field that is even.
    """
    return torch.where(high - low > _LEAST_SPAN, high - low, math.inf)


def _extremes(field: Tensor, shown: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The extremes over the pixels above the threshold, and how many these are: (B,)."""
    # Sums of numbers are a third of the cost of a choice.
    shown = shown.contiguous()
    beside = torch.le(shown, threshold, out=torch.empty_like(shown))
    high = field.sub(beside, alpha=_FAR).amax(dim=(1, 2), keepdim=True)
    low = field.add(beside, alpha=_FAR).amin(dim=(1, 2), keepdim=True)
    return low, high, shown[0].numel() - beside.sum(dim=(1, 2))


def _threshold(shown: Tensor) -> Tensor:
    a = shown.flatten(1)
    energy = torch.linalg.vector_norm(a, dim=1).square()
    threshold: Tensor = FRACTION * energy / a.sum(dim=1)
    return threshold.nan_to_num(-1.0)[:, None, None]  # of an empty slice it is NaN


def middle_and_spread(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the marked pixels' places along RO and PE, in pixels.

    A pixel reaches from its number to the next, and its own extent counts: of a single one the
    spread is 12^-1/2.

    Args:
        inside: (B, RO, PE), as `foreground` marks them.

    Returns:
        (B, 2) float64 each.

    """
    moments = [_moments(inside.sum(dim=dim)) for dim in (2, 1)]
    middle, variance = (torch.stack(one, dim=1) for one in zip(*moments, strict=True))
    return middle, variance.sqrt()


def place_within(inside: Tensor, quantile: Tensor) -> Tensor:
    """Find the place, in pixels, that lies at these quantiles of the marked pixels.

    That is, at the first quantile of all along RO, and at the second of that row along PE; so it
    is marked, and uniform quantiles make every marked place equally likely.

    Args:
        inside: (B, RO, PE), as `foreground` marks them.
        quantile: (B, 2) in [0, 1), float64.

    Returns:
        (B, 2) float64, along RO and PE.

    """
    row = _quantile(inside.sum(dim=2), quantile[:, 0])
    number = row.long().clamp_max(inside.shape[1] - 1)
    own = inside.gather(1, number[:, None, None].expand(-1, 1, inside.shape[2]))[:, 0]
    return torch.stack([row, _quantile(own, quantile[:, 1])], dim=1)


def _moments(count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of places of which there are so many: (B,) each; sums are exact."""
    count = count.double()
    number = torch.arange(count.shape[1], device=count.device)
    total = count.sum(dim=1)
    first = (count * number).sum(dim=1) / total
    second = (count * number * number).sum(dim=1) / total
    return first + 0.5, second - first.square() + 1 / 12


def _quantile(count: Tensor, quantile: Tensor) -> Tensor:
    """The place below which this part of all lies; evenly spread within a pixel: (B,)."""
    count = count.double()
    upto = count.cumsum(dim=1)
    wanted = quantile * upto[:, -1]
    number = (upto <= wanted[:, None]).sum(dim=1, keepdim=True).clamp_max(count.shape[1] - 1)
    own = count.gather(1, number)
    part = (wanted[:, None] - (upto.gather(1, number) - own)) / own
    return (number + part)[:, 0]

"""Where the object lies, and places within it, that do not depend on the matrix size."""

import math

import torch
from torch import Tensor

FRACTION = 0.2
_SAMPLES_PER_AXIS = 160
_FAR = 64.0  # beyond any value of a field


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


def sparse(shape: tuple[int, int]) -> tuple[slice, slice]:
    """Every m-th pixel of each axis, (RO, PE), m the least that leaves at most 160 of them."""
    down, across = (slice(None, None, math.ceil(size / _SAMPLES_PER_AXIS)) for size in shape)
    return down, across


def extremes(field: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of a field over the foreground: (B, 1, 1) each.

    Args:
        field: (B, RO, PE), between -64 and 64.
        shown: (B, RO, PE) the clean magnitude.

    """
    # Sums of numbers are a third of the cost of a choice.
    shown = shown.detach()
    beside = torch.le(shown, _threshold(shown), out=torch.empty_like(shown))
    high = field.sub(beside, alpha=_FAR).amax(dim=(1, 2), keepdim=True)
    return field.add(beside, alpha=_FAR).amin(dim=(1, 2), keepdim=True), high


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

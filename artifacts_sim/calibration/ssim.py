"""Structural similarity of a damaged slice to its clean self, over the foreground or all of it."""

import math
from typing import Literal

import torch
from torch import Tensor

from artifacts_sim.errors import ArtifactError

Measure = Literal["foreground", "whole"]
"""Where SSIM counts."""

_SSIM = (
    "mean over the slices of the SSIM of Wang et al. 2004 (Gaussian window of 1.5 pixels, 11 x 11, "
    "K1 = 0.01, K2 = 0.03, data range = the clean slice's maximum), averaged over "
)
MEASURES: dict[Measure, str] = {
    "foreground": f"{_SSIM}the foreground (pixels above 0.1 of the clean slice's 99th percentile)",
    "whole": f"{_SSIM}all pixels, the background too",
}
"""Each measure in words."""

_SIGMA, _RADIUS = 1.5, 5  # pixels
_C1, _C2 = 0.01**2, 0.03**2  # of the squared data range
_FOREGROUND_FRACTION, _FOREGROUND_QUANTILE = 0.1, 0.99


def ssim_map(x: Tensor, y: Tensor, data_range: Tensor) -> Tensor:
    """Compare two batches of slices pixel by pixel.

    SSIM = (2 mx my + C1) (2 cxy + C2) / ((mx^2 + my^2 + C1) (vx + vy + C2)), with the means,
    variances and covariance under the window, C1 = (0.01 L)^2, C2 = (0.03 L)^2 and L the data
    range; slices go on beyond their edges as their mirror image, d c b a | a b c d. Source: Wang,
    Bovik, Sheikh and Simoncelli, IEEE Trans Image Process 13:600 (2004), eq. 13.

    It is computed as (1 - (mx - my)^2 / (mx^2 + my^2 + C1)) (1 - v / (vx + vy + C2)), v the
    variance of x - y: the same number, but what is subtracted from 1 vanishes with the difference,
    and is not the difference of two large numbers.

    Args:
        x: (B, H, W), float32 or float64.
        y: Like x.
        data_range: (B,), above 0: the intensity that counts as full scale.

    Returns:
        (B, H, W) from -1 to 1 of x's dtype; 1 where the windows hold the same.

    """
    x, y = x / data_range[:, None, None], y / data_range[:, None, None]
    level_x, level_y = x.mean(dim=(1, 2), keepdim=True), y.mean(dim=(1, 2), keepdim=True)
    a, b = x - level_x, y - level_y  # a variance of numbers around 0 loses fewer digits
    mean_a, mean_b = _blur(a), _blur(b)
    variances = _blur(a * a + b * b) - (mean_a.square() + mean_b.square())
    variance_of_gap = _blur((a - b).square_()) - (mean_a - mean_b).square_()
    mean_x, mean_y = mean_a + level_x, mean_b + level_y
    luminance = 1 - (mean_x - mean_y).square_() / (mean_x.square() + mean_y.square() + _C1)
    return luminance * (1 - variance_of_gap.clamp_min_(0) / (variances.clamp_min_(0) + _C2))


def foreground(clean: Tensor) -> Tensor:
    """Mark the pixels above 0.1 of the 99th percentile of their slice.

    Args:
        clean: (B, H, W) float magnitude.

    Returns:
        (B, H, W) bool, at least one pixel in each slice.

    Raises:
        ArtifactError: A slice is empty.

    """
    empty = (clean.amax(dim=(1, 2)) <= 0).nonzero().flatten().tolist()
    if empty:
        raise ArtifactError(
            "some slices have no signal to measure the similarity on",
            f"{len(empty)} slices without a pixel above 0, the first at index {empty[0]}",
            "leave them out",
        )
    percentile = torch.stack([one.flatten().quantile(_FOREGROUND_QUANTILE) for one in clean])
    return clean > _FOREGROUND_FRACTION * percentile[:, None, None]


def mean_ssim(clean: Tensor, damaged: Tensor, mask: Tensor) -> Tensor:
    """SSIM of each slice, averaged over a mask; the data range is the clean slice's maximum.

    Args:
        clean: (B, H, W) float magnitude.
        damaged: Like clean.
        mask: (B, H, W) bool, as `foreground(clean)` gives it.

    Returns:
        (B,) float64.

    """
    return _mean(ssim_map(clean, damaged, clean.amax(dim=(1, 2))), mask)


def both_ssims(clean: Tensor, damaged: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM of each slice by both measures, from one map: over a mask, and over all pixels.

    Args:
        clean: (B, H, W) float magnitude.
        damaged: Like clean.
        mask: (B, H, W) bool, as `foreground(clean)` gives it.

    Returns:
        (B,) float64 twice.

    """
    values = ssim_map(clean, damaged, clean.amax(dim=(1, 2)))
    return _mean(values, mask), values.mean(dim=(1, 2), dtype=torch.float64)


def mean_squared_error(clean: Tensor, damaged: Tensor, mask: Tensor) -> Tensor:
    """Squared error of each slice over a mask, as a share of the clean slice's squared maximum.

    -10 log10 of it is the PSNR in dB.

    Args:
        clean: (B, H, W) float magnitude.
        damaged: Like clean.
        mask: (B, H, W) bool.

    Returns:
        (B,) float64.

    """
    error = (damaged - clean) / clean.amax(dim=(1, 2), keepdim=True)
    return _mean(error.square_(), mask)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    inside = torch.where(mask, values, 0).sum(dim=(1, 2), dtype=torch.float64)
    return inside / mask.sum(dim=(1, 2))


def _taps() -> tuple[float, ...]:
    """Return the Gaussian's weights at offsets 0 .. 5; all 11 together sum to 1."""
    half = [math.exp(-(k**2) / (2 * _SIGMA**2)) for k in range(_RADIUS + 1)]
    total = half[0] + 2 * sum(half[1:])
    return tuple(weight / total for weight in half)


_TAPS = _taps()


def _blur(x: Tensor) -> Tensor:
    """Weighted sums of shifted copies: convolutions may be lowered to TF32, and cost more here."""
    for dim in (1, 2):
        size = x.shape[dim]
        padded = _mirrored(x, dim)
        x = padded.narrow(dim, _RADIUS, size) * _TAPS[0]
        for k, weight in enumerate(_TAPS[1:], start=1):
            x.add_(padded.narrow(dim, _RADIUS - k, size), alpha=weight)
            x.add_(padded.narrow(dim, _RADIUS + k, size), alpha=weight)
    return x


def _mirrored(x: Tensor, dim: int) -> Tensor:
    """Continue an axis by 5 pixels to both sides, mirrored as often as a short axis needs."""
    size = x.shape[dim]
    place = torch.arange(-_RADIUS, size + _RADIUS, device=x.device) % (2 * size)
    return x.index_select(dim, torch.minimum(place, 2 * size - 1 - place))

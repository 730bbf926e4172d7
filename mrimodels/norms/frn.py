"""Filter response normalisation with its thresholded linear unit: `frn`."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from mrimodels.norms.affine import ChannelAffine, by_channel
from mrimodels.norms.statistics import mean_square


class FilterResponseNorm(ChannelAffine):
    """y = max(x / sqrt(mean_HW x^2 + eps) * weight + bias, tau), for (N, C, H, W).

    Filter response normalisation and the thresholded linear unit that takes the ReLU's place (Singh
    & Krishnan, arXiv 1911.09737); tau (C,) is learned and starts at 0, which is a ReLU. No mean is
    subtracted, and nothing but the sample itself is seen.

    eps is the constant that all norms share, as in the paper for maps of more than one pixel. On
    maps of a single one, y is next to sign(x) * weight + bias; the paper learns eps there, which is
    not done here: it would be a parameter that no other norm has, in layers that never need it.
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__(channels, eps)
        self.tau = nn.Parameter(torch.zeros(channels))

    def reset_parameters(self) -> None:
        """Set the start."""
        super().reset_parameters()
        nn.init.zeros_(self.tau)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate (N, C, H, W)."""
        scale = by_channel(self.weight) * torch.rsqrt(mean_square(x, (2, 3)) + self.eps)
        y = (x * scale).add_(by_channel(self.bias)).to(x.dtype)
        tau = by_channel(self.tau)
        thresholded: Tensor = _Threshold.apply(y, tau)  # type: ignore[no-untyped-call]  # torch's
        return thresholded


class _Threshold(Function):
    """max(y, tau) in the place of y; a tie is tau's.

    Torch's own maximum keeps y, and its gradient shares ties out, which takes four times as long.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, tau: Tensor) -> Tensor:
        ctx.mark_dirty(y)
        torch.maximum(y, tau.to(y.dtype), out=y)
        ctx.save_for_backward(y, tau)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        y, tau = ctx.saved_tensors
        passed = gradient * (y > tau.to(y.dtype))
        whole, above = (each.sum((0, 2, 3), dtype=tau.dtype) for each in (gradient, passed))
        return passed, (whole - above).view_as(tau)

"""Norms over the channels of each pixel: `layer2d` and `rms2d`."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from mrimodels.norms.affine import ChannelAffine, by_channel
from mrimodels.norms.statistics import mean_square


class LayerNorm2d(nn.LayerNorm):
    """y = (x - mean_C x) / sqrt(var_C x + eps) * weight + bias, for each pixel of (N, C, H, W).

    Layer norm (Ba et al., arXiv 1607.06450) as networks of the transformer's kind use it, such as
    ConvNeXt; `layer` takes the mean and the variance over H and W, too. Torch's kernel wants the
    channels last in memory, and so lies what it gives; an input in any other order is copied.
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__(channels, eps)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).to(input.dtype)


class RMSNorm2d(ChannelAffine):
    """y = x / sqrt(mean_C x^2 + eps) * weight + bias, for each pixel of (N, C, H, W).

    Root mean square layer norm (Zhang & Sennrich, arXiv 1910.07467): no mean is subtracted. The
    paper adds the bias of the linear map after the gain; here, where convolutions have none, it is
    the layer's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        rate = torch.rsqrt(mean_square(x, (1,)) + self.eps)
        y: Tensor = _Scaled.apply(x, rate, by_channel(self.weight))  # type: ignore[no-untyped-call]  # torch's
        return y.add_(by_channel(self.bias)).to(x.dtype)


class _Scaled(Function):
    """y = x * rate (N, 1, H, W) * weight (C, 1, 1), which keeps x alone, not the product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, rate, weight)
        return (x * rate).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, rate, weight = ctx.saved_tensors
        of_weight = (x * rate).mul_(gradient).sum((0, 2, 3)).view_as(weight)
        weighted = gradient * weight
        of_rate = (weighted * x).sum(1, keepdim=True)
        return weighted.mul_(rate).to(x.dtype), of_rate, of_weight

"""EvoNorm-S0, a norm and a nonlinearity in one: `evonorm_s0`."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from mrimodels.norms.affine import ChannelAffine, by_channel
from mrimodels.norms.statistics import merged, moments, wide


class EvoNormS0(ChannelAffine):
    """y = x * sigmoid(v x) / sqrt(var_group x + eps) * weight + bias, for (N, C, H, W).

    EvoNorm-S0 (Liu et al., arXiv 2004.02967), found by a search over norms and activations
    together. The biased variance is over H, W and the channels of a group, v (C,) is learned and
    starts at 1, which is x * sigmoid(x), the swish.

    Args:
        channels: C.
        eps: Added to the variance.
        groups: Number of groups of channels.

    """

    def __init__(self, channels: int, eps: float, groups: int) -> None:
        super().__init__(channels, eps)
        self.groups = groups
        self.v = nn.Parameter(torch.ones(channels))

    def reset_parameters(self) -> None:
        """Set the start."""
        super().reset_parameters()
        nn.init.ones_(self.v)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate (N, C, H, W)."""
        members = x.shape[1] // self.groups
        mean, variance = (
            torch.unflatten(moment.flatten(1), 1, (self.groups, members))
            for moment in moments(x, (2, 3))
        )
        _, variance = merged(mean, variance, 2)  # of a group's channels, (N, groups, 1)
        rate = torch.rsqrt(variance + self.eps).expand_as(mean).flatten(1)  # (N, C)
        v, scale = by_channel(self.v), by_channel(rate * self.weight)
        y: Tensor = _ScaledSwish.apply(x, v, scale)  # type: ignore[no-untyped-call]  # torch's
        return y.add_(by_channel(self.bias)).to(x.dtype)

    def extra_repr(self) -> str:
        """Name the groups, too, in `repr(model)`."""
        return f"{super().extra_repr()}, groups={self.groups}"


class _ScaledSwish(Function):
    """y = x * sigmoid(v x) * scale, which keeps x alone and computes the sigmoid again.

    Kept, what lies between would double the memory of a training step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(x, v, scale)
        full = wide(x)
        return (v * full).sigmoid_().mul_(full).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, v, scale = ctx.saved_tensors
        full = wide(x)
        gate = (v * full).sigmoid_()
        swish = gate * full
        of_scale = (gradient * swish).sum((2, 3), keepdim=True)
        bend = swish.sub_(gate * swish)  # the derivative of the gate, times x over v
        of_v = ((gradient * bend).mul_(full).sum((2, 3), keepdim=True) * scale).sum(0)
        slope = gate.add_(bend.mul_(v))
        return slope.mul_(scale).mul_(gradient).to(x.dtype), of_v, of_scale

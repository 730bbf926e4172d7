"""Switchable normalisation: `switchable`."""

import torch
from torch import Tensor, nn

from mrimodels.norms.affine import ChannelAffine, by_channel
from mrimodels.norms.statistics import merged, moments

MOMENTUM = 0.1


class SwitchableNorm2d(ChannelAffine):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, for (N, C, H, W), with learned statistics.

    Luo et al., arXiv 1806.10779. The mean is a mixture of the means of instance, layer and batch
    norm, in this order, by softmax(mean_weight); the variance one of their biased variances by
    softmax(var_weight). Both weights (3,) start at 1, which is a third each.

    In eval mode the statistics of the batch are the running ones, kept as batch norm keeps them:
    momentum 0.1, unbiased variance.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__(channels, eps)
        self.mean_weight = nn.Parameter(torch.ones(3))
        self.var_weight = nn.Parameter(torch.ones(3))
        self.momentum = MOMENTUM
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def reset_parameters(self) -> None:
        """Set the start."""
        super().reset_parameters()
        nn.init.ones_(self.mean_weight)
        nn.init.ones_(self.var_weight)
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        mean, variance = (moment.flatten(1) for moment in moments(x, (2, 3)))  # (N, C) each
        layer_mean, layer_var = merged(mean, variance, 1)
        batch_mean, batch_var = self._of_batch(mean, variance, x)
        of_mean, of_var = self.mean_weight.softmax(0), self.var_weight.softmax(0)
        mixed = of_mean[0] * mean + of_mean[1] * layer_mean + of_mean[2] * batch_mean
        spread = of_var[0] * variance + of_var[1] * layer_var + of_var[2] * batch_var
        scale = torch.rsqrt(spread + self.eps) * self.weight
        y = (x * by_channel(scale)).add_(by_channel(self.bias - mixed * scale))
        return y.to(x.dtype)

    def _of_batch(self, mean: Tensor, variance: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return batch norm's mean and variance, (1, C) each; in train mode, keep them."""
        if not self.training:
            return self.running_mean, self.running_var
        batch_mean, batch_var = merged(mean, variance, 0)
        count = x.numel() // x.shape[1]
        with torch.no_grad():
            self.running_mean.lerp_(batch_mean[0].to(self.running_mean), self.momentum)
            unbiased = batch_var[0] * (count / max(count - 1, 1))
            self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)
        return batch_mean, batch_var

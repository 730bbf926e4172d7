"""Weight standardisation: the convolutions of `ws_group`."""

import math
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import layer_norm

WEIGHT_EPS = 1e-6
"""Added to the variance of a kernel's weights: small beside that of first weights, 1e-4 and more,
which `norm_eps` is not."""


class StandardisedConv2d(nn.Conv2d):
    """A convolution by w = (weight - mean weight) / sqrt(var weight + 1e-6), of each kernel.

    Weight standardisation (Qiao et al., arXiv 1903.10520): mean and biased variance are over the
    inputs and pixels of the kernel of one output channel. The parameter is the weight before it,
    with a convolution's name and start.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        kernels = self.weight.flatten(1)
        weight = layer_norm(kernels, kernels.shape[1:], eps=WEIGHT_EPS).view_as(self.weight)
        y: Tensor = self._conv_forward(input, weight, self.bias)
        return y


def standardised(conv: nn.Conv2d) -> nn.Conv2d:
    """Return a convolution like `conv`, with its very parameters, that standardises its weight.

    A kernel of a single weight has no deviation from its mean: such a convolution is left as it is.
    """
    if math.prod(conv.weight.shape[1:]) == 1:
        return conv
    made = StandardisedConv2d(
        conv.in_channels,
        conv.out_channels,
        cast(tuple[int, int], conv.kernel_size),
        cast(tuple[int, int], conv.stride),
        cast(tuple[int, int], conv.padding),
        cast(tuple[int, int], conv.dilation),
        conv.groups,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
        device="meta",  # no first weights are drawn
    )
    made.weight, made.bias = conv.weight, conv.bias
    return made.train(conv.training)

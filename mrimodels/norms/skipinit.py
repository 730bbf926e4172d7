"""No norm at all: what `none` puts in the place of the layers, and at the ends of the branches."""

import torch
from torch import Tensor, nn


class ChannelBias(nn.Module):
    """y = x + bias, for (N, C, H, W): what is left of a norm layer without the norm.

    The bias (C,), 0 at the start, is the one that convolutions without a norm have and the
    convolutions before a norm do without.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def reset_parameters(self) -> None:
        """Set the start."""
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shift (N, C, H, W)."""
        return x + self.bias.to(x.dtype)[:, None, None]


class ResidualGain(nn.Module):
    """y = weight * x with one weight (), 0 at the start: at first a branch adds nothing.

    SkipInit (De & Smith, arXiv 2002.10444). In the first step the branch itself gets no gradient,
    only the gain does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        """Set the start."""
        nn.init.zeros_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Scale a branch of any shape."""
        return x * self.weight.to(x.dtype)

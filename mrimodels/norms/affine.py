"""What the layers of this package share: one weight and one bias per channel."""

import torch
from torch import Tensor, nn


class ChannelAffine(nn.Module):
    """A weight (C,), 1 at the start, and a bias (C,), 0 at the start.

    Args:
        channels: C.
        eps: Added to the variance or to the mean square.

    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def reset_parameters(self) -> None:
        """Set the start."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """Name channels and eps in `repr(model)`."""
        return f"{len(self.weight)}, eps={self.eps}"


def by_channel(values: Tensor) -> Tensor:
    """(C,) as (C, 1, 1), or (N, C) as (N, C, 1, 1), to go with (N, C, H, W)."""
    return values[..., None, None]

"""Dropout whose masks come from an explicit generator, never from the global random state."""

import torch
from torch import Tensor, nn

from mrimodels.errors import ModelError
from mrimodels.randomness import KeyedDraws


class KeyedDropout(nn.Module):
    """Zeroes each value with probability `p` and scales the others by 1 / (1 - p) in training.

    In eval mode it is the identity. Masks are drawn on the generator's device and moved to the
    input's, so a CPU generator gives the same masks on every device.

    Attributes:
        p: Probability of a zero, 0 <= p < 1.
        generator: The source of the masks, None until `key_dropout` sets it.

    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of `x`, of any shape, in train mode; raises `ModelError` without a key."""
        if not self.training:
            return x
        if self.generator is None:
            raise ModelError(
                "dropout in train mode has no explicit generator",
                "none",
                "call mrimodels.key_dropout(model, generator) first, or model.eval()",
            )
        draws = torch.rand(x.shape, generator=self.generator, device=self.generator.device)
        kept = (draws >= self.p).to(x.device)
        return x * kept / (1 - self.p)

    def extra_repr(self) -> str:
        """Name the rate in `repr(model)`."""
        return f"p={self.p}"


def key_dropout(model: nn.Module, generator: torch.Generator) -> None:
    """Let `generator` draw the masks of every dropout layer of `model`; without one, do nothing.

    In a network that is not from this package it keys whatever draws in train mode.

    Args:
        model: A network of `mrimodels.build`.
        generator: Seeded by the caller, on the CPU or on the model's device.

    """
    for module in model.modules():
        if isinstance(module, KeyedDropout | KeyedDraws):
            module.generator = generator

"""What a variant is: all that a network changes for it, and nothing that it has to know itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from mrimodels.norms.groups import Groups


def unchanged(conv: nn.Conv2d) -> nn.Conv2d:
    """Return the convolution as it is."""
    return conv


@dataclass(frozen=True)
class Norm:
    """A variant. Calling it makes one layer: `NORMS["group"](channels, eps)`.

    Attributes:
        layer: (channels, eps, groups) -> a layer for (N, C, H, W) whose `reset_parameters` sets its
            start and draws nothing.
        activates: Whether the layer includes the nonlinearity, so that no ReLU may follow it.
        convolution: Makes of every convolution the one to use in its place, which has the same
            parameters under the same names.
        gain: Makes what every residual branch ends in, or None.

    """

    layer: Callable[[int, float, Groups], nn.Module]
    activates: bool = False
    convolution: Callable[[nn.Conv2d], nn.Conv2d] = unchanged
    gain: Callable[[], nn.Module] | None = None

    @property
    def has_groups(self) -> bool:
        """Whether a layer asks how many groups its channels make."""
        asked = _AskedGroups()
        with torch.device("meta"):
            self.layer(_AskedGroups.CHANNELS, 1e-5, asked)
        return bool(asked.seen)

    def __call__(self, channels: int, eps: float, groups: Groups = Groups()) -> nn.Module:  # noqa: B008  # frozen
        """Make a layer."""
        return self.layer(channels, eps, groups)


@dataclass(frozen=True)
class NormChoice:
    """A variant with its settings: what a network asks as it is built.

    Attributes:
        norm: The variant.
        eps: Of every layer.
        groups: Of every layer that has groups.

    """

    norm: Norm
    eps: float
    groups: Groups

    @property
    def activates(self) -> bool:
        """Whether the layers include the nonlinearity."""
        return self.norm.activates

    def layer(self, channels: int) -> nn.Module:
        """Make a layer for (N, channels, H, W)."""
        return self.norm(channels, self.eps, self.groups)

    def convolution(self, conv: nn.Conv2d) -> nn.Conv2d:
        """Return the convolution to use in the place of `conv`."""
        return self.norm.convolution(conv)

    def gain(self) -> nn.Module | None:
        """Make what a residual branch ends in; None: nothing."""
        return None if self.norm.gain is None else self.norm.gain()


@dataclass(frozen=True)
class _AskedGroups(Groups):
    """Remembers whether anybody has asked."""

    CHANNELS: ClassVar[int] = 32
    seen: list[int] = field(default_factory=list)

    def of(self, channels: int) -> int:
        self.seen.append(channels)
        return super().of(channels)

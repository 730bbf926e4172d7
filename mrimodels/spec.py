"""What a network is: a frozen record of plain values, checked when made."""

import math
from dataclasses import dataclass

import torch

from mrimodels.archs import ARCHS
from mrimodels.errors import ModelError, require_name
from mrimodels.heads import HEADS
from mrimodels.norms import NORMS, Groups, NormChoice

_LEAST = {
    "in_channels": (1, "an image has a channel"),
    "n_outputs": (1, "a classifier has a logit"),
    "width": (2, "group norm needs 2 channels a group, and all norms share the rule"),
    "stem_stride": (1, "a stride moves"),
}


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything that decides a network's parameters and function; the weights are apart.

    Attributes:
        arch: A name in `ARCHS`.
        norm: A name in `NORMS`; every norm layer of the network is of this kind.
        in_channels: Channels of the image.
        n_outputs: Number of logits.
        width: Channels of the stem and of the first stage; later stages double it.
        stem_stride: stride of the 3x3 stem, 1 to 3; a larger one would skip pixels.
        head: "gap" (global average pooling) or "pool10" (averages on a 10x10 grid), then a linear.
        dropout: Probability that a feature is zeroed before the linear, in training; 0: none.
        norm_eps: Added to the variance in every norm layer.
        norm_groups: Number of groups in every norm layer that has groups; None: `group_count`, or
            what `norm_group_channels` says. Norms without groups leave both unused, so that one
            search may hold norms with and without; it has to divide the channels of every layer
            all the same, so that all norms have the same values to choose from.
        norm_group_channels: Channels in every group, instead of their number.

    Raises:
        ModelError: A value breaks its rule.

    """

    arch: str
    norm: str
    in_channels: int = 1
    n_outputs: int
    width: int = 64
    stem_stride: int = 1
    head: str = "gap"
    dropout: float = 0.0
    norm_eps: float = 1e-5
    norm_groups: int | None = None
    norm_group_channels: int | None = None

    def __post_init__(self) -> None:
        require_name("arch", self.arch, ARCHS)
        require_name("norm", self.norm, NORMS)
        require_name("head", self.head, HEADS)
        for name, (least, why) in _LEAST.items():
            _require_integer(name, getattr(self, name), least, why)
        if self.stem_stride > 3:
            raise ModelError(
                "stem_stride is above 3, so the 3x3 stem skips pixels",
                self.stem_stride,
                "take 1 to 3, or shrink the images instead",
            )
        # Plain floats from here on, so that 0 and 0.0 are written alike.
        object.__setattr__(self, "dropout", _number("dropout", self.dropout))
        object.__setattr__(self, "norm_eps", _number("norm_eps", self.norm_eps))
        if not 0 <= self.dropout < 1:
            raise ModelError(
                "dropout is not a probability, 0 <= dropout < 1",
                self.dropout,
                "give a number in this range, 0 for no dropout",
            )
        if not 0 < self.norm_eps < math.inf:
            raise ModelError(
                "norm_eps is not positive and finite",
                self.norm_eps,
                "give a small number such as 1e-5",
            )
        if self._groups() != Groups():
            self._require_groups()

    def norm_choice(self) -> NormChoice:
        """Return the norm with its settings, as a network asks for it."""
        return NormChoice(NORMS[self.norm], self.norm_eps, self._groups())

    def _groups(self) -> Groups:
        return Groups(self.norm_groups, self.norm_group_channels)

    def _require_groups(self) -> None:
        # The network alone knows the channels of its layers; without weights it is made in 10 ms.
        with torch.device("meta"):
            ARCHS[self.arch](
                in_channels=self.in_channels,
                width=self.width,
                stem_stride=self.stem_stride,
                norm=NormChoice(NORMS["group"], self.norm_eps, self._groups()),
            )


def _require_integer(name: str, value: object, least: int, why: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ModelError(
            f"{name} is not an integer of at least {least} ({why})",
            repr(value),
            f"give a plain int of {least} or more",
        )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ModelError(f"{name} is not a number", repr(value), "give a plain float")
    return float(value)

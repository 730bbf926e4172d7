"""What a network is: a frozen record of plain values, checked when made.

Most checks need no torch, and it is imported by those alone that have to make a network.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mrimodels.catalogue import (
    ARCH_NAMES,
    HEADS,
    KEEP,
    is_of_library,
    norm_names,
    require_arch,
)
from mrimodels.errors import ModelError, require_name
from mrimodels.norms.groups import Groups

if TYPE_CHECKING:
    from mrimodels.foreign import Replaced, Request
    from mrimodels.norms import NormChoice

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
        arch: A name in `ARCHS`, whose networks are of this package; or one of another: a name in
            `TORCHVISION`, ``timm/NAME``, ``monai/NAME``, ``package.module:function``, or what a
            package adds by the entry point group ``mrisweep.models``. The latter are made and tried
            as the spec is made, once in a process; that imports and runs what the arch names.
        norm: A name in `NORMS`; every norm layer of the network is of this kind. ``keep`` leaves
            the norms that a network of another package comes with.
        in_channels: Channels of the image.
        n_outputs: Number of logits.
        width: Channels of the stem and of the first stage; later stages double it. This, the
            stride and the head are of this package's networks alone.
        stem_stride: stride of the 3x3 stem, 1 to 3; a larger one would skip pixels.
        head: "gap" (global average pooling) or "pool10" (averages on a 10x10 grid), then a linear.
        dropout: Probability that a feature is zeroed before the linear, in training; 0: none,
            and in a network of another package what it has of its own.
        norm_eps: Added to the variance in every norm layer.
        norm_groups: Number of groups in every norm layer that has groups; None: `group_count`, or
            what `norm_group_channels` says. Norms without groups leave both unused, so that one
            search may hold norms with and without; it has to divide the channels of every layer
            all the same, so that all norms have the same values to choose from.
        norm_group_channels: Channels in every group, instead of their number.
        antialias: Whether maps are blurred wherever a stride leaves pixels out (Zhang, arXiv
            1904.11486), see `preact_resnet`; of this package's networks alone, and with the same
            parameters.

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
    antialias: bool = False

    def __post_init__(self) -> None:
        if self.is_foreign:
            require_arch(self.arch)
            require_name("norm", self.norm, (*norm_names(), KEEP))
            self._refuse_ours()
        elif self.norm == KEEP:
            raise ModelError(
                "norm: keep leaves a network the norms that it comes with, and this one has none "
                "of its own",
                f"norm={KEEP!r} for {self.arch}",
                f"take one of {', '.join(norm_names())}",
            )
        else:
            require_name("norm", self.norm, norm_names())
        require_name("head", self.head, HEADS)
        if not isinstance(self.antialias, bool):
            raise ModelError("antialias is not true or false", repr(self.antialias), "give a bool")
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
        groups = self._groups()
        if self.is_foreign:
            self.replaced()
        elif groups != Groups():
            self._require_groups()

    @property
    def is_foreign(self) -> bool:
        """Whether the network is not one of this package."""
        return not (isinstance(self.arch, str) and self.arch in ARCH_NAMES)

    @property
    def is_of_users(self) -> bool:
        """Whether the network's code is the user's, or of a package that adds it."""
        return self.is_foreign and not is_of_library(self.arch)

    def replaced(self) -> "tuple[Replaced, ...]":
        """What gives way to the norm in a network of another package; of this one, nothing."""
        if not self.is_foreign:
            return ()
        from mrimodels.foreign import check_network

        return check_network(self.request())

    def require_size(self, height: int, width: int) -> None:
        """Raise `ModelError` unless the network takes images of this size; ours take any."""
        if self.is_foreign:
            from mrimodels.foreign import require_size

            require_size(self.request(), height, width)

    def request(self) -> "Request":
        """What a network of another package is asked for."""
        from mrimodels.foreign import Request, Wanted

        choice = None if self.norm == KEEP else self.norm_choice()
        wanted = Wanted(self.n_outputs, self.in_channels, self.dropout)
        return Request(self.arch, wanted, self.norm, choice)

    def norm_choice(self) -> "NormChoice":
        """Return the norm with its settings, as a network asks for it."""
        from mrimodels.norms import NORMS, NormChoice

        return NormChoice(NORMS[self.norm], self.norm_eps, self._groups())

    def _groups(self) -> Groups:
        return Groups(self.norm_groups, self.norm_group_channels)

    def _refuse_ours(self) -> None:
        for name in ("width", "stem_stride", "head", "antialias"):
            default = type(self).__dataclass_fields__[name].default
            if getattr(self, name) != default:
                raise ModelError(
                    f"{name} is a setting of {', '.join(ARCH_NAMES)} alone",
                    f"{name}={getattr(self, name)!r} for {self.arch}",
                    f"leave it out, which is {default!r}",
                )

    def _require_groups(self) -> None:
        # The network alone knows the channels of its layers; without weights it is made in 10 ms.
        import torch

        from mrimodels.archs import ARCHS
        from mrimodels.norms import NORMS, NormChoice

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

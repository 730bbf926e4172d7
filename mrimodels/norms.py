"""The normalisation variants: one table, one eps, one group rule.

Every variant subtracts a mean mu, divides by sqrt(var + eps) with the biased variance, then applies
one weight (1 at the start) and one bias (0) per channel, so all have the same parameters. They
differ only in the axes of an (N, C, H, W) tensor over which mu and var are taken:

| name     | mean and variance over        | source                        |
|----------|-------------------------------|-------------------------------|
| batch    | N, H, W                       | Ioffe & Szegedy, 1502.03167   |
| group    | H, W and the channels of a group | Wu & He, 1803.08494        |
| layer    | C, H, W                       | Ba et al., 1607.06450         |
| instance | H, W                          | Ulyanov et al., 1607.08022    |

Only batch norm keeps running statistics and uses them in eval mode. Instance norm is group norm
with one channel a group and not `nn.InstanceNorm2d`: no running statistics that could be switched
on, and so the same function in train and in eval mode. It needs more than one pixel: over a single
one the deviation from the mean is zero whatever the image.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from torch import Tensor, nn

from mrimodels.errors import ModelError

MAX_GROUPS = 32

NormFactory = Callable[[int], nn.Module]
"""Channel count -> a norm layer for (N, C, H, W)."""


def group_count(channels: int) -> int:
    """Return the largest divisor of `channels` that is at most 32 and leaves 2 channels a group.

    This is group norm with the paper's default of 32 groups (Wu & He, arXiv 1803.08494) where
    they fit (64 -> 32) and fewer in narrow layers (16 -> 8). One channel a group is excluded
    because it would be instance norm under another name. A prime count has only one group left,
    which is layer norm: give even widths to compare the two.

    Raises:
        ModelError: Fewer than 2 channels.

    """
    if channels < 2:
        raise ModelError(
            "the layer has too few channels: group norm needs at least 2 channels, "
            "so that a group is not a single channel",
            channels,
            "use a wider layer",
        )
    most = min(MAX_GROUPS, channels // 2)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


class _GroupNorm(nn.GroupNorm):
    """Group norm that returns its input's dtype, as batch norm does.

    Autocast on CUDA runs group norm in float32 and would hand float32 on, so that the variants
    would differ in precision and memory as well.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return super().forward(input).to(input.dtype)


Norm = Callable[[int, float], nn.Module]
"""(channels, eps) -> layer, whose `reset_parameters` sets its start and draws nothing."""

GROUP = "mrisweep.norms"
"""Entry points of other packages: the name of a norm, and its `Norm`."""

_SHIPPED: Mapping[str, Norm] = {
    "batch": lambda channels, eps: nn.BatchNorm2d(channels, eps),
    "group": lambda channels, eps: _GroupNorm(group_count(channels), channels, eps),
    "layer": lambda channels, eps: _GroupNorm(1, channels, eps),
    "instance": lambda channels, eps: _GroupNorm(channels, channels, eps),
}


class _Norms(Mapping[str, Norm]):
    """The table: the norms that ship, then those of other packages, imported when asked for."""

    def __getitem__(self, name: str) -> Norm:
        return _SHIPPED[name] if name in _SHIPPED else _loaded(_added()[name])

    def __iter__(self) -> Iterator[str]:
        return iter({**_SHIPPED, **_added()})

    def __len__(self) -> int:
        return len({**_SHIPPED, **_added()})


NORMS: Mapping[str, Norm] = _Norms()
"""Name -> norm."""


def _added() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in _points(tuple(sys.path)):
        if point.name in _SHIPPED or found.setdefault(point.name, point).value != point.value:
            raise ModelError(
                f"the norm {point.name!r} of {_package(point)} has a name that is taken",
                point.value,
                "rename it there, or uninstall that package",
            )
    return found


@cache
def _points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of the packages on this path; finding them takes 20 ms."""
    return tuple(entry_points(group=GROUP))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an installed package"


def _loaded(point: EntryPoint) -> Norm:
    try:
        norm: Norm = point.load()
    except Exception as error:  # the code of another package can raise anything
        raise ModelError(
            f"the norm {point.name!r} of {_package(point)} cannot be imported",
            f"{type(error).__name__}: {error} from {point.value}",
            "mend or uninstall that package",
        ) from error
    return norm


def norm_factory(name: str, eps: float) -> NormFactory:
    """Return the norm called `name`, as a function of the channel count alone."""
    make = NORMS[name]
    return lambda channels: make(channels, eps)

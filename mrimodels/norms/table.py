"""The table of norms: those that ship, then those of other packages."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from torch import nn

from mrimodels.errors import ModelError
from mrimodels.norms.evonorm import EvoNormS0
from mrimodels.norms.frn import FilterResponseNorm
from mrimodels.norms.pixel import LayerNorm2d, RMSNorm2d
from mrimodels.norms.renorm import BatchRenorm2d
from mrimodels.norms.shared import GroupNorm
from mrimodels.norms.skipinit import ChannelBias, ResidualGain
from mrimodels.norms.standardised import standardised
from mrimodels.norms.switchable import SwitchableNorm2d
from mrimodels.norms.variant import Norm

GROUP = "mrisweep.norms"
"""Entry points of other packages: the name of a norm, and a `Norm` or what makes its layer of
(channels, eps)."""

_SHIPPED: Mapping[str, Norm] = {
    "batch": Norm(lambda channels, eps, groups: nn.BatchNorm2d(channels, eps)),
    "group": Norm(lambda channels, eps, groups: GroupNorm(groups.of(channels), channels, eps)),
    "layer": Norm(lambda channels, eps, groups: GroupNorm(1, channels, eps)),
    "instance": Norm(lambda channels, eps, groups: GroupNorm(channels, channels, eps)),
    "layer2d": Norm(lambda channels, eps, groups: LayerNorm2d(channels, eps)),
    "rms2d": Norm(lambda channels, eps, groups: RMSNorm2d(channels, eps)),
    "frn": Norm(lambda channels, eps, groups: FilterResponseNorm(channels, eps), activates=True),
    "evonorm_s0": Norm(
        lambda channels, eps, groups: EvoNormS0(channels, eps, groups.of(channels)), activates=True
    ),
    "ws_group": Norm(
        lambda channels, eps, groups: GroupNorm(groups.of(channels), channels, eps),
        convolution=standardised,
    ),
    "batch_renorm": Norm(lambda channels, eps, groups: BatchRenorm2d(channels, eps)),
    "switchable": Norm(lambda channels, eps, groups: SwitchableNorm2d(channels, eps)),
    "none": Norm(lambda channels, eps, groups: ChannelBias(channels), gain=ResidualGain),
}


class _Norms(Mapping[str, Norm]):
    """The table; what is of other packages is imported when asked for."""

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
        found = point.load()
    except Exception as error:  # the code of another package can raise anything
        raise ModelError(
            f"the norm {point.name!r} of {_package(point)} cannot be imported",
            f"{type(error).__name__}: {error} from {point.value}",
            "mend or uninstall that package",
        ) from error
    if isinstance(found, Norm):
        return found
    layer: Callable[[int, float], nn.Module] = found
    return Norm(lambda channels, eps, groups: layer(channels, eps))

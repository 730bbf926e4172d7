"""The table of norms: those that ship, then those of other packages."""

from collections.abc import Callable, Iterator, Mapping

from torch import nn

from mrimodels.catalogue import ADDED_NORMS, norm_names
from mrimodels.norms.evonorm import EvoNormS0
from mrimodels.norms.frn import FilterResponseNorm
from mrimodels.norms.pixel import LayerNorm2d, RMSNorm2d
from mrimodels.norms.renorm import BatchRenorm2d
from mrimodels.norms.shared import GroupNorm
from mrimodels.norms.skipinit import ChannelBias, ResidualGain
from mrimodels.norms.standardised import standardised
from mrimodels.norms.switchable import SwitchableNorm2d
from mrimodels.norms.variant import Norm

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
        return _SHIPPED[name] if name in _SHIPPED else _as_norm(ADDED_NORMS.load(name))

    def __iter__(self) -> Iterator[str]:
        return iter(norm_names())

    def __len__(self) -> int:
        return len(norm_names())


NORMS: Mapping[str, Norm] = _Norms()
"""Name -> norm."""


def _as_norm(found: Norm | Callable[[int, float], nn.Module]) -> Norm:
    if isinstance(found, Norm):
        return found
    layer = found
    return Norm(lambda channels, eps, groups: layer(channels, eps))

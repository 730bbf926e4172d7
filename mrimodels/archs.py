"""The table of architectures; a new one is a row."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from mrimodels.norms import NormChoice
from mrimodels.preact_resnet import BasicBlock, BottleneckBlock, PreActResNet


class Arch(Protocol):
    """Makes the body of a classifier: image -> feature map, with its `out_channels`."""

    def __call__(
        self,
        *,
        in_channels: int,
        width: int,
        stem_stride: int,
        norm: NormChoice,
        antialias: bool = False,
    ) -> PreActResNet:
        """Make a body for (N, in_channels, H, W) whose first stage has `width` channels."""
        ...


ARCHS: Mapping[str, Arch] = {
    "preact_resnet18": partial(PreActResNet, BasicBlock, (2, 2, 2, 2)),
    "preact_resnet34": partial(PreActResNet, BasicBlock, (3, 4, 6, 3)),
    "preact_resnet50": partial(PreActResNet, BottleneckBlock, (3, 4, 6, 3)),
}

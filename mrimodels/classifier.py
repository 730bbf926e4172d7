"""The network of a spec: a body that makes features and a head that makes logits."""

import torch
from torch import Tensor, nn

from mrimodels.archs import ARCHS
from mrimodels.heads import HEADS, Head
from mrimodels.initialise import initialise
from mrimodels.spec import ModelSpec


class Classifier(nn.Module):
    """Images (N, in_channels, H, W) -> logits (N, n_outputs), for any H and W."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.body = ARCHS[spec.arch](
            in_channels=spec.in_channels,
            width=spec.width,
            stem_stride=spec.stem_stride,
            norm=spec.norm_choice(),
        )
        channels = self.body.out_channels
        self.head = Head(channels, spec.n_outputs, HEADS[spec.head], spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) to logits (N, n_outputs)."""
        logits: Tensor = self.head(self.body(x))
        return logits


def skeleton(spec: ModelSpec) -> Classifier:
    """Make the network of `spec` on the meta device: names, shapes and dtypes, but no weights."""
    with torch.device("meta"):
        return Classifier(spec)


def build(spec: ModelSpec, seed: int = 0) -> Classifier:
    """Make the network of `spec` with its first weights, on the CPU, in train mode.

    Specs that differ only in their norm get the same convolution and linear weights from the same
    seed, bit for bit. The global random state is neither read nor changed.

    Args:
        spec: What to build.
        seed: Key of the first weights.

    """
    model = skeleton(spec).to_empty(device="cpu")
    initialise(model, seed)
    return model

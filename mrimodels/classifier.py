"""The network of a spec, with its first weights."""

import torch
from torch import Tensor, nn

from mrimodels.archs import ARCHS
from mrimodels.catalogue import HEADS
from mrimodels.errors import ModelError
from mrimodels.foreign import Loaded, Made, Replaced, Weights, make_network
from mrimodels.heads import Head
from mrimodels.initialise import initialise
from mrimodels.randomness import KeyedDraws
from mrimodels.spec import ModelSpec


class Classifier(nn.Module):
    """Images (N, in_channels, H, W) -> logits (N, n_outputs).

    Attributes:
        replaced: What gave way to the norm in a network of another package.
        loaded: What became of the file of pretrained weights, if there was one.

    """

    replaced: tuple[Replaced, ...] = ()
    loaded: Loaded | None = None


class BodyAndHead(Classifier):
    """A network of this package, for any H and W: a body makes features, a head makes logits."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.body = ARCHS[spec.arch](
            in_channels=spec.in_channels,
            width=spec.width,
            stem_stride=spec.stem_stride,
            norm=spec.norm_choice(),
            antialias=spec.antialias,
        )
        channels = self.body.out_channels
        self.head = Head(channels, spec.n_outputs, HEADS[spec.head], spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) to logits (N, n_outputs)."""
        logits: Tensor = self.head(self.body(x))
        return logits


class Foreign(Classifier):
    """A network of another package, for the H and W that it takes; draws in training are keyed."""

    def __init__(self, made: Made) -> None:
        super().__init__()
        self.network = made.network
        self.draws = KeyedDraws()
        self.replaced, self.loaded = made.replaced, made.loaded

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) to logits (N, n_outputs), in float32 at least."""
        logits: Tensor = self.draws(self.network, x)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))


def skeleton(spec: ModelSpec) -> Classifier:
    """Make the network of `spec` for the sake of its names, shapes and dtypes.

    One of this package lies on the meta device, without weights. One of another is made in full, as
    `build` makes it: its code may need values, and buffers that no state dict has get theirs in it.
    """
    if spec.is_foreign:
        return Foreign(make_network(spec.request(), seed=0))
    with torch.device("meta"):
        return BodyAndHead(spec)


def build(spec: ModelSpec, seed: int = 0, weights: Weights | None = None) -> Classifier:
    """Make the network of `spec` with its first weights, on the CPU, in train mode.

    Specs that differ only in their norm get the same convolution and linear weights from the same
    seed, bit for bit. The global random state is neither read nor changed.

    Args:
        spec: What to build.
        seed: Key of the first weights.
        weights: Pretrained weights for a network of another package, in the place of the first
            ones as far as they fit; its `loaded` says how far.

    Raises:
        ModelError: The weights do not fit, or the network is one of this package.

    """
    if spec.is_foreign:
        return Foreign(make_network(spec.request(), seed, weights))
    if weights is not None:
        raise ModelError(
            "a file of weights is for networks of other packages",
            f"{weights.path} for {spec.arch}",
            "leave weights out, or take another arch",
        )
    model = skeleton(spec).to_empty(device="cpu")
    initialise(model, seed)
    return model

"""MixStyle: in training, slices borrow a part of each other's style, which is their statistics.

Zhou et al., "Domain Generalization with MixStyle", arXiv 2104.02008, with partners drawn from the
whole batch. Mean and deviation of a channel over the pixels of a feature map carry contrast, gain
and scanner more than anatomy; a network that sees them mixed leans less on them. It has no
parameters and is no part of the network: in eval mode, and in every checkpoint, nothing is mixed.
"""

from collections.abc import Iterable
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

import mrimodels
from sweep.config.training import TrainSettings
from sweep.core.errors import UserError, WorkError

STAGES = 2
"""After how many of a network's first stages it acts, as in the paper."""

EPS = 1e-6
"""Added to a variance, as in the paper's code."""


class MixStyle:
    """Mixes the statistics of feature maps among the slices of a batch.

    With probability p, drawn once for a batch and stage, slice b with mean m_b and deviation s_b of
    a channel over its pixels, and a partner c, a random permutation of the batch, becomes

        (x_b - m_b) / s_b * (k s_b + (1 - k) s_c) + k m_b + (1 - k) m_c,   k ~ Beta(alpha, alpha),

    with one k for each slice. The statistics are constants to the gradient.

    Args:
        probability: p.
        alpha: Of the beta distribution.

    Attributes:
        generator: The source of all draws, set for every epoch.

    """

    def __init__(self, probability: float, alpha: float) -> None:
        self.probability = probability
        self.alpha = alpha
        self.generator: np.random.Generator | None = None

    @classmethod
    def of(cls, model: mrimodels.Classifier, settings: TrainSettings) -> Self | None:
        """Let it act in a network as set; None: it is not to.

        Raises:
            UserError: See ``stages_of``.

        """
        if not settings.mixstyle:
            return None
        made = cls(settings.mixstyle, settings.mixstyle_alpha)
        made.attach(stages_of(model))
        return made

    def attach(self, stages: Iterable[nn.Module]) -> None:
        """Act on what these modules put out, (B, C, H, W), while they are in train mode."""
        for stage in stages:
            stage.register_forward_hook(self._after)

    def _after(self, stage: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return self.mixed(output) if stage.training else output

    def mixed(self, x: Tensor) -> Tensor:
        """The feature maps (B, C, H, W) after this draw.

        Raises:
            UserError: They are not of this shape.
            WorkError: No generator was set.

        """
        if not isinstance(x, Tensor) or x.ndim != 4:
            raise UserError(
                "train.mixstyle: a stage of the network does not put out maps (B, C, H, W)",
                f"{tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__,
                "set train.mixstyle: 0, or take another arch",
            )
        if self.generator is None:
            raise WorkError(
                "mixstyle in train mode has no generator", "none", "call Trainer.begin(epoch) first"
            )
        if self.generator.random() >= self.probability:
            return x
        partners = torch.from_numpy(self.generator.permutation(len(x))).to(x.device)
        own = torch.from_numpy(self.generator.beta(self.alpha, self.alpha, len(x)))
        return mix(x, partners, own.to(x.device, torch.float32))


def stages_of(model: mrimodels.Classifier) -> tuple[nn.Module, ...]:
    """The stages of a network after which it acts.

    Raises:
        UserError: Where they end is not known, see ``mrimodels.first_stages``.

    """
    try:
        return mrimodels.first_stages(model, STAGES)
    except mrimodels.ModelError as error:
        wrong, received, remedy = error.args
        remedy = f"{remedy}, or set train.mixstyle: 0"
        raise UserError(f"train.mixstyle: {wrong}", received, remedy) from None


def mix(x: Tensor, partners: Tensor, own: Tensor) -> Tensor:
    """Give each slice a mixture of its own statistics and its partner's.

    Args:
        x: (B, C, H, W) feature maps.
        partners: (B,) numbers of slices.
        own: (B,) share of a slice's own statistics, 0 to 1.

    Returns:
        (B, C, H, W), of the type of ``x``; the arithmetic is in float32 at least.

    """
    full = x.to(torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(full.detach(), dim=(2, 3), correction=0, keepdim=True)
    deviation = (variance + EPS).sqrt()
    share = own.to(full)[:, None, None, None]
    mixed_mean = torch.lerp(mean[partners], mean, share)
    scale = torch.lerp(deviation[partners], deviation, share) / deviation
    return ((full - mean) * scale + mixed_mean).to(x.dtype)

"""Derivatives of an artifact beside finite differences."""

import torch
from torch import Tensor
from torch.autograd import gradcheck

from artifacts_sim import Artifact


def image_of(size: tuple[int, int], batch: int = 2, seed: int = 0) -> Tensor:
    """Pixels from 0.1 to 1, all different: (B, H, W) float64."""
    pixels = torch.randperm(
        batch * size[0] * size[1], generator=torch.Generator().manual_seed(seed)
    )
    return (0.1 + 0.9 * (pixels.double() + 0.37) / len(pixels)).view(batch, *size)


def gradients_hold(art: Artifact, x: Tensor, knob: float) -> bool:
    """Whether the derivatives with respect to the image and the knob of each slice are right."""
    params = art.sample(knob=knob, keys=[f"slice-{i}" for i in range(len(x))], seed=3)
    knobs = torch.full((len(x),), knob, dtype=torch.float64, requires_grad=True)
    given = x.detach().requires_grad_()
    return gradcheck(lambda x, knob: art.apply(x, params.with_knob(knob)), (given, knobs))

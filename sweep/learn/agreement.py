"""Whether two networks are one: asked with images that no training has seen."""

import torch
from torch import nn

from sweep.learn.batches import torch_generator

IMAGES = 3  # none of one or two, which graphs take as fixed
TOLERANCE = 1e-5  # of a logit


@torch.inference_mode()
def agree(one: nn.Module, other: nn.Module, channels: int, size: tuple[int, int]) -> bool:
    """Whether two networks in evaluation mode give the same logits.

    Args:
        one: (N, C, H, W) -> (N, L).
        other: The same.
        channels: C.
        size: H and W.

    """
    generator = torch_generator("probes", *size)
    images = torch.rand(IMAGES, channels, *size, generator=generator)
    return torch.allclose(one(images), other(images), rtol=0, atol=TOLERANCE)

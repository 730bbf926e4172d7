"""A network as other programs use it: the scaling of intensities inside, logits or odds outside."""

from typing import Final

import torch
from torch import Tensor, nn

from sweep.config.settings import DataSettings, Normalize, Signal
from sweep.learn.inputs import normalize

# What images are given, by what a network was trained on.
GIVEN: Final[dict[Signal, str]] = {
    "images": "magnitude as stored, not scaled",
    "kspace": "magnitude reconstructed from k-space, the root of the sum of squares over the coils",
}


def channels_text(data: DataSettings) -> str:
    """What the channels of an image are, and what one is scaled by; of one channel nothing."""
    if not data.context:
        return ""
    beside = "1 slice" if data.context == 1 else f"{data.context} slices"
    return (
        f"; {data.channels} channels: the slice that is classified in the middle, {beside} before "
        "it and as many after it in the order of the scan; beyond an end of the scan, the last "
        "slice again"
    )


def scaling_text(data: DataSettings, where: str) -> str:
    """How intensities are scaled, and where."""
    of = "its channels together" if data.context else "each image on its own"
    return f"{data.normalize}, inside the {where}, of {of}"


class ScaledClassifier(nn.Module):
    """Magnitude images (N, C, H, W) -> logits (N, L), the scaling of intensities included.

    Args:
        model: In evaluation mode.
        how: The name of the scaling.

    """

    def __init__(self, model: nn.Module, how: Normalize) -> None:
        super().__init__()
        self.model = model
        self.how = how

    def forward(self, images: Tensor) -> Tensor:
        """Scale each image on its own, then classify it."""
        logits: Tensor = self.model(normalize(images, self.how))
        return logits


class Probabilities(nn.Module):
    """Magnitude images (N, C, H, W) -> the probability of each label, (N, L).

    Args:
        model: In evaluation mode.
        how: The name of the scaling.
        exclusive: Whether an image shows one label alone, so that its probabilities add up to 1.

    """

    def __init__(self, model: nn.Module, how: Normalize, exclusive: bool) -> None:
        super().__init__()
        self.logits = ScaledClassifier(model, how)
        self.exclusive = exclusive

    def forward(self, images: Tensor) -> Tensor:
        """Scale each image on its own, then say how likely each label is."""
        logits: Tensor = self.logits(images)
        return logits.softmax(dim=1) if self.exclusive else torch.sigmoid(logits)

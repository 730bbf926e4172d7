"""Whether an exported file computes what its checkpoint does: on random images and at the edges."""

from collections.abc import Iterator

import torch
from torch import Tensor

from sweep.core.errors import WorkError
from sweep.learn.batches import torch_generator
from sweep.learn.checkpoints import LoadedCheckpoint
from sweep.portable.formats import Run
from sweep.portable.graph import least_side, scaled

TOLERANCE = 1e-5
# Above and below the subgrid of the percentiles, odd and even, either side longer; the smallest
# that the network takes comes first.
SIZES = ((64, 64), (95, 130), (224, 160))


def probes(least: int, channels: int) -> Iterator[tuple[str, Tensor]]:
    """Images to compare on, (N, channels, H, W), and what they are; of several counts N."""
    for count, (height, width) in enumerate([(least, least + 3), *SIZES], start=1):
        size = f"{height} x {width}"
        generator = torch_generator("probes", height, width)
        yield (
            f"{count} random images of {size}",
            torch.rand(count, channels, height, width, generator=generator) * 500,
        )
        zeros = torch.zeros(1, channels, height, width)
        yield f"zeros of {size}", zeros
        yield f"a constant image of {size}", zeros + 100.3
        bright = zeros.clone()
        bright[..., height // 2, width // 3] = 500
        yield f"one bright pixel in zeros of {size}", bright


@torch.inference_mode()
def check_agreement(run: Run, loaded: LoadedCheckpoint, what: str) -> float:
    """Compare a file with the checkpoint that it was made of.

    Args:
        run: What the file computes.
        loaded: The checkpoint, on the CPU.
        what: What the file is called, for the message.

    Returns:
        The greatest difference of a logit; where the logits of an image exceed 1, as a part of
        the greatest of them.

    Raises:
        WorkError: It is more than ``TOLERANCE``.

    """
    reference, worst = scaled(loaded), 0.0
    channels = loaded.info.config.data.channels
    for kind, images in probes(least_side(loaded.info), channels):
        difference = _difference(run(images), reference(images))
        if not difference <= TOLERANCE:
            raise WorkError(
                f"{what} does not compute what its checkpoint does, and is not kept",
                f"logits that differ by {difference:.2g} on {kind}",
                "export to the other format, or with other versions of torch and onnxruntime",
            )
        worst = max(worst, difference)
    return worst


def _difference(found: Tensor, expected: Tensor) -> float:
    scale = expected.abs().amax(dim=1, keepdim=True).clamp_min(1)
    # Equal infinities differ by nothing, and so do two that are no number.
    same = (found == expected) | (found.isnan() & expected.isnan())
    return float(((found - expected).abs() / scale).masked_fill(same, 0).max())

"""Rician noise: complex Gaussian noise of the receiver, seen in the magnitude."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.base import Artifact
from artifacts_sim.levels import LEVELS, Knob
from artifacts_sim.params import Draws
from artifacts_sim.phasors import magnitude_with_phasor


class Rician(Artifact):
    """y = |x + s (n1 + i n2)|, n1 and n2 standard normal, s = sigma * max|x| of the slice.

    White over the pixels. Noise that is circular does not see the phase of a complex x, so |x|
    carries all it needs. Source: Gudbjartsson and Patz, Magn Reson Med 34:910 (1995).

    The field cannot be recorded, so `params` hold one 64-bit seed per slice.
    """

    name: ClassVar[str] = "rician"
    knob: ClassVar[Knob] = LEVELS["rician"]
    n_words: ClassVar[int] = 1

    def _draw(self, bits: NDArray[np.uint64]) -> Draws:
        return {"field_seed": bits[:, 0].view(np.int64)}

    def _render(self, x: Tensor, draws: Draws, knob: float) -> Tensor:
        a = x.abs() if x.is_complex() else x
        noise = _noise(draws["field_seed"], (x.shape[1], x.shape[2])).to(x.device)
        sigma = a.amax(dim=(1, 2), keepdim=True) * knob
        radius, two_cos_half = noise[0].mul_(sigma), noise[1]
        return magnitude_with_phasor(a, radius, two_cos_half.square_().mul_(radius))


def _noise(seeds: NDArray[np.int64], shape: tuple[int, int]) -> Tensor:
    """Circular complex normal noise as radius and 2 cos(angle / 2): (2, B, H, W) float32.

    Drawn on the CPU whatever the device, so that every device sees the same noise.
    """
    noise = np.empty((2, len(seeds), *shape), dtype=np.float32)
    for index, seed in enumerate(seeds):
        _fill(noise[0, index], noise[1, index], int(seed))
    return torch.from_numpy(noise)


def _fill(radius: NDArray[np.float32], two_cos_half: NDArray[np.float32], seed: int) -> None:
    """Box and Muller's transform of SFC64's raw bits, one 64-bit word per pixel.

    Cheaper than two normal fields, and keyed by all 64 bits of the seed, of which the CPU
    generator of torch uses 32. NumPy guarantees the raw stream (NEP 19).
    """
    raw = np.random.SFC64(seed % 2**64).random_raw(radius.size).view(np.int32)
    bits = raw.reshape(2, *radius.shape)
    np.abs(bits[0], out=radius, dtype=np.float32)
    radius += 0.5  # u in (0, 1], so that its logarithm is finite
    radius *= 2.0**-31
    np.log(radius, out=radius)
    radius *= -2
    np.sqrt(radius, out=radius)
    np.copyto(two_cos_half, bits[1])
    two_cos_half *= np.pi * 2.0**-32  # half angle in [-pi / 2, pi / 2)
    np.cos(two_cos_half, out=two_cos_half)
    two_cos_half *= 2

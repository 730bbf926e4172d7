"""Blur: a Gaussian point spread function, as of a signal that decays during the readout."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import Factor, line_offsets
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.base import Artifact
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class Blur(Artifact):
    """Sample (k_RO, k_PE) is multiplied by exp(-2 pi^2 sigma^2 (f_RO^2 + f_PE^2)).

    f = k / (N pixel) in cycles per mm, N the encoded matrix. In the image a convolution with a
    normalised Gaussian of standard deviation sigma on both axes, 2.355 sigma wide at half its
    height, periodic over the encoded field of view. Source: the Gaussian's Fourier transform,
    Bracewell, The Fourier Transform and Its Applications (1965).

    Nothing is drawn: all slices are blurred alike. Below one pixel of sigma the matrix ends before
    the Gaussian does, and an edge overshoots, by at most 1.3 %, at half a pixel.
    """

    name: ClassVar[str] = "blur"
    knob: ClassVar[Knob] = Knob(
        name="sigma_mm",
        meaning="standard deviation of the Gaussian in mm; the width at half height is 2.355 times",
        physical=(0.5, 1.0, 1.5, 2.0, 3.0),
        limit=5.0,
    )
    stage: ClassVar[Stage] = Stage.LINES
    smooth: ClassVar[bool] = True

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Mask:
        """Attenuate the encoded samples on both axes."""
        sigma_px = knob[:, None] / torch.tensor(frame.pixel_mm)
        ro, pe = (_transfer(size, sigma_px[:, axis]) for axis, size in enumerate(frame.encoded))
        return Mask(pe, ro)


def _transfer(size: int, sigma_px: Tensor) -> Factor:
    """Return the factor of every sample of an axis, DC at N // 2: (B, N)."""
    cycles_per_px = line_offsets(size) / size
    return torch.exp(-2 * (math.pi * torch.outer(sigma_px, cycles_per_px)).square())

"""Blur: a Gaussian point spread function, as of a signal that decays during the readout."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import line_offsets
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
        limit=10.0,
    )
    stage: ClassVar[Stage] = Stage.LINES

    def operator(self, draws: Draws, knob: float, frame: Frame) -> Mask:
        """Attenuate the encoded samples on both axes."""
        batch = len(draws["nothing"])
        ro, pe = (
            np.tile(_transfer(size, knob / pixel), (batch, 1))
            for size, pixel in zip(frame.encoded, frame.pixel_mm, strict=True)
        )
        return Mask(pe, ro)


def _transfer(size: int, sigma_px: float) -> NDArray[np.float64]:
    """Return the factor of every sample of an axis, DC at N // 2: (N,)."""
    cycles_per_px = line_offsets(size) / size
    transfer: NDArray[np.float64] = np.exp(-2 * (np.pi * sigma_px * cycles_per_px) ** 2)
    return transfer

"""Spike (herringbone): one corrupted k-space sample becomes a wave over the whole image."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.base import Artifact
from artifacts_sim.keyed import signed, uniform
from artifacts_sim.levels import LEVELS, Knob
from artifacts_sim.params import Draws
from artifacts_sim.phasors import magnitude_with_phasor

_FREQUENCIES = (0.1, 0.8)  # of Nyquist: stripes, neither shading nor a checkerboard


class Spike(Artifact):
    """F(k0) += r max|F| e^{i alpha} at one place k0, off DC on both axes; then the magnitude.

    In the image y = |x + A e^{i theta}|, theta = 2 pi (k1 (i - H//2) / H + k2 (j - W//2) / W)
    + alpha: no FFT is needed. The spike is one-sided, as in the raw data of a scanner, where
    nothing ties F(k0) to F(-k0). For small A the object carries x + A cos(theta), the two-sided
    law, while the background is lifted by A.

    A = r max|F| / (H W); for a non-negative x, max|F| is F(0), so that A = r mean(x).
    """

    name: ClassVar[str] = "spike"
    knob: ClassVar[Knob] = LEVELS["spike"]
    n_words: ClassVar[int] = 3

    def _draw(self, bits: NDArray[np.uint64]) -> Draws:
        u = uniform(bits)
        return {
            "frequency_of_nyquist": signed(u[:, :2], *_FREQUENCIES),
            "phase_rad": 2 * np.pi * u[:, 2],
        }

    def _render(self, x: Tensor, draws: Draws, knob: float) -> Tensor:
        along_ro = _phase(draws["frequency_of_nyquist"][:, 0], x.shape[1])
        along_pe = _phase(draws["frequency_of_nyquist"][:, 1], x.shape[2])
        along_pe = along_pe + draws["phase_rad"][:, None]
        if x.is_complex():
            return _add_wave(x, along_ro, along_pe, knob)
        amplitude = x.mean(dim=(1, 2), keepdim=True).mul_(knob)
        overlap = _two_cos_half(along_ro, along_pe, amplitude.sqrt()).square_()
        return magnitude_with_phasor(x, amplitude, overlap)


def _phase(frequency: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """2 pi k (i - N//2) / N over i, k the nearest whole sample, not 0: (B, N) radians."""
    k = np.copysign(np.maximum(1, np.rint(np.abs(frequency) * (size / 2))), frequency)
    return np.outer(2 * np.pi * k / size, np.arange(size) - size // 2)


def _two_cos_half(
    along_ro: NDArray[np.float64], along_pe: NDArray[np.float64], scale: Tensor
) -> Tensor:
    """2 cos((a_i + b_j) / 2) times scale, (B, H, W); the addition theorem needs H + W cosines."""
    rows = 2 * np.exp(0.5j * along_ro)
    columns = np.exp(0.5j * along_pe)
    rows, columns = rows[:, :, None], columns[:, None, :]
    cosines = _like(scale, rows.real).mul_(scale) * _like(scale, columns.real)
    sines = _like(scale, rows.imag).mul_(scale) * _like(scale, columns.imag)
    return cosines.sub_(sines)


def _like(x: Tensor, vector: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(vector.astype(np.float32)).to(x.device)


def _add_wave(
    x: Tensor, along_ro: NDArray[np.float64], along_pe: NDArray[np.float64], ratio: float
) -> Tensor:
    rows = torch.from_numpy(np.exp(1j * along_ro)).to(x)[:, :, None]
    columns = torch.from_numpy(np.exp(1j * along_pe)).to(x)[:, None, :]
    amplitude = torch.fft.fft2(x, norm="forward").abs().amax(dim=(1, 2), keepdim=True) * ratio
    return torch.addcmul(x, rows * amplitude, columns).abs()

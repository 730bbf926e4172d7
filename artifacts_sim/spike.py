"""Spike (herringbone): corrupted k-space samples become waves over the whole image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.base import Artifact
from artifacts_sim.checks import check_option
from artifacts_sim.geometry import Frame
from artifacts_sim.keyed import Source, signed
from artifacts_sim.levels import Knob
from artifacts_sim.operators import Operator, Stage
from artifacts_sim.params import Draws
from artifacts_sim.phasors import magnitude_with_phasor
from artifacts_sim.signal import Signal

_FREQUENCIES = (0.1, 0.8)  # of Nyquist: stripes, neither shading nor a checkerboard


@dataclass(frozen=True)
class Spike(Artifact):
    """F(k0) += r max|F| e^{i alpha} at places k0, off DC on both axes; max|F| is taken once.

    In the image a wave, x + A e^{i theta}, A = r max|F| / sqrt(RO PE) with the orthonormal F,
    theta = 2 pi (k1 (i - RO//2) / RO + k2 (j - PE//2) / PE) + alpha. For a non-negative x, max|F|
    is F(0), so that A = r mean(x). A spike is one-sided, as in the raw data of a scanner, where
    nothing ties F(k0) to F(-k0). Each coil has its own maximum and the same spikes.

    Attributes:
        spikes: how many, each of magnitude r max|F|.
        two_sided: whether each is divided between k0 and -k0, so that a real image stays real:
            x + A cos(theta).

    """

    name: ClassVar[str] = "spike"
    knob: ClassVar[Knob] = Knob(
        name="magnitude_of_max",
        meaning="spike magnitude as a fraction of the largest k-space magnitude",
        physical=(0.1, 0.2, 0.5, 1.0, 2.0),
        limit=10.0,
    )
    stage: ClassVar[Stage] = Stage.ADDED

    spikes: int = 1
    two_sided: bool = False

    def __post_init__(self) -> None:
        check_option("spikes", self.spikes, "a whole number from 1", self.spikes >= 1)

    def draw(self, source: Source) -> Draws:
        """Place and phase of each spike."""
        frequency = signed(source.uniform(2 * self.spikes), *_FREQUENCIES)
        return {
            "frequency_of_nyquist": frequency.reshape(-1, self.spikes, 2),
            "phase_rad": 2 * np.pi * source.uniform(self.spikes),
        }

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Spikes":
        """Add to the nearest samples."""
        nyquist = np.array(frame.encoded) / 2
        frequency = draws["frequency_of_nyquist"]
        places = np.copysign(np.maximum(1, np.rint(np.abs(frequency) * nyquist)), frequency)
        weights = np.exp(1j * draws["phase_rad"])
        if self.two_sided:
            places = np.concatenate([places, -places], axis=1)
            weights = np.concatenate([weights, weights.conj()], axis=1) / 2
        return _Spikes(places.astype(np.int64), weights, knob)


@dataclass(frozen=True, eq=False)
class _Spikes(Operator):
    places: NDArray[np.int64]  # (B, S, 2) samples from DC along RO and PE
    weights: NDArray[np.complex128]  # (B, S)
    magnitude_of_max: float

    def act(self, signal: Signal) -> Signal:
        samples = signal.kspace().clone()
        height = samples.abs().amax(dim=(2, 3)) * self.magnitude_of_max
        shape = np.array(samples.shape[2:])
        at = torch.from_numpy((self.places + shape // 2) % shape).to(samples.device)
        weights = torch.from_numpy(self.weights).to(samples)
        for s in range(weights.shape[1]):
            slices = torch.arange(len(samples), device=samples.device)
            samples[slices, :, at[:, s, 0], at[:, s, 1]] += height * weights[:, s, None]
        return signal.with_kspace(samples)

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """Without phase, one wave needs neither FFT nor complex numbers."""
        if x.is_complex() or self.weights.shape[1] > 1:
            return super().render(x, frame)
        amplitude = x.mean(dim=(1, 2), keepdim=True).mul_(self.magnitude_of_max)
        along_ro, along_pe = (
            _phase(self.places[:, 0, axis], size) for axis, size in enumerate(x.shape[1:])
        )
        along_pe = along_pe + np.angle(self.weights)
        overlap = _two_cos_half(along_ro, along_pe, amplitude.sqrt()).square_()
        return magnitude_with_phasor(x, amplitude, overlap)


def _phase(k: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """2 pi k (i - N//2) / N over i: (B, N) radians."""
    return np.outer(2 * np.pi * k / size, np.arange(size) - size // 2)


def _two_cos_half(
    along_ro: NDArray[np.float64], along_pe: NDArray[np.float64], scale: Tensor
) -> Tensor:
    """2 cos((a_i + b_j) / 2) times scale, (B, RO, PE), by the addition theorem."""
    rows = 2 * np.exp(0.5j * along_ro)
    columns = np.exp(0.5j * along_pe)
    rows, columns = rows[:, :, None], columns[:, None, :]
    cosines = _like(scale, rows.real).mul_(scale) * _like(scale, columns.real)
    sines = _like(scale, rows.imag).mul_(scale) * _like(scale, columns.imag)
    return cosines.sub_(sines)


def _like(x: Tensor, vector: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(vector.astype(np.float32)).to(x.device)

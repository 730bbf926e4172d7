"""Rician noise: complex Gaussian noise of the receiver, seen in the magnitude."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, RO, to_kspace
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Knob
from artifacts_sim.noise import circular_normal
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class Rician(Artifact):
    """y = |x + s (n1 + i n2)|, n1 and n2 standard normal, s = sigma * max|x| of the clean slice.

    White over the measured samples, and absent from the others: of 372 lines in 400, the noise has
    0.93 of the variance, and neighbours along phase encode are correlated. Independent from coil
    to coil, of the same s, the maximum being that of the root sum of squares. Source: Gudbjartsson
    and Patz, Magn Reson Med 34:910 (1995).

    The field cannot be recorded, so `params` hold one 64-bit seed per slice.
    """

    name: ClassVar[str] = "rician"
    knob: ClassVar[Knob] = Knob(
        name="sigma_of_max",
        meaning="noise sigma as a fraction of the slice's maximum; 1 / sigma is the peak SNR",
        physical=(0.01, 0.02, 0.05, 0.1, 0.2),
        limit=0.5,
    )
    stage: ClassVar[Stage] = Stage.ADDED
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Seed of the noise field."""
        return {"field_seed": source.seed()}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Noise":
        """Add noise to the measured samples."""
        return _Noise(draws["field_seed"], knob)


@dataclass(frozen=True, eq=False)
class _Noise(Operator):
    seeds: NDArray[np.int64]
    sigma_of_max: Tensor  # (B,)

    def act(self, signal: Signal) -> Signal:
        """Noise is as white in the image as in k-space: it is added where it costs least."""
        if signal.all_measured:
            return signal.with_image(signal.image() + self._field(signal))
        lines = torch.from_numpy(signal.measured_lines).to(signal.data.device)[:, None, None]
        noise = to_kspace(self._field(signal), PE) * lines
        if signal.samples is None:
            return signal.with_lines(signal.by_line() + noise)
        samples = torch.from_numpy(signal.samples).to(noise.device)[:, None, :, None]
        return signal.with_kspace(signal.kspace() + to_kspace(noise, RO) * samples)

    def _sigma(self, signal: Signal) -> Tensor:
        """The noise of each slice: (B,)."""
        peak = signal.scene.peak
        return self.sigma_of_max.to(peak) * peak

    def _field(self, signal: Signal) -> Tensor:
        """White complex noise in the image, (B, coil, RO, PE)."""
        sigma = self._sigma(signal)
        radius, half_angle = circular_normal(self.seeds, signal.data.shape[1:], sigma.device)
        return torch.polar(radius, 2 * half_angle) * sigma[:, None, None, None]

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Without phase, the noise's radius and angle give the magnitude by themselves."""
        x = signal.plain()
        if x is None or not signal.all_measured:
            return super().render(signal, out)
        radius, half_angle = circular_normal(self.seeds, x.shape[1:], x.device)
        radius = radius.mul_(self._sigma(signal)[:, None, None].to(radius)).to(x)
        return _magnitude(x, radius, half_angle.cos_().to(x), out)


def _magnitude(x: Tensor, t: Tensor, cosine: Tensor, out: Tensor | None) -> Tensor:
    """Return |x + t e^{i theta}| = sqrt((x - t)^2 + 4 x t cos(theta / 2)^2).

    Both terms are non-negative, so nothing cancels where the sum is near 0, as it would in
    x^2 + t^2 + 2 x t cos(theta); and there is one cosine, where real and imaginary part need two.

    Args:
        x: Signal >= 0, (B, RO, PE) float32.
        t: Phasor's length >= 0, like x.
        cosine: Cos(theta / 2), like x; overwritten.
        out: Where to put the result; None: a new tensor.

    """
    overlap = cosine.square_().mul_(t)
    return torch.sqrt((x - t).square_().addcmul_(x, overlap, value=4), out=out)

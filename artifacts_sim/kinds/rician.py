"""Rician noise: complex Gaussian noise of the receiver, seen in the magnitude."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, to_kspace
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
    """y = |x + s (n1 + i n2)|, n1 and n2 standard normal, s = sigma * max|x| of the slice.

    White over the acquired lines, and absent from the others: of 372 lines in 400, the noise has
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
        limit=1.0,
    )
    stage: ClassVar[Stage] = Stage.ADDED

    def draw(self, source: Source) -> Draws:
        """Seed of the noise field."""
        return {"field_seed": source.seed()}

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Noise":
        """Add noise to the acquired lines."""
        return _Noise(draws["field_seed"], knob)


@dataclass(frozen=True, eq=False)
class _Noise(Operator):
    seeds: NDArray[np.int64]
    sigma_of_max: float

    def act(self, signal: Signal) -> Signal:
        """Noise is as white in the image as in k-space: it is added where it costs least."""
        image = signal.image()
        noise = self._field(signal.with_image(image))
        if signal.frame.acquired.all():
            return signal.with_image(image + noise)
        acquired = torch.from_numpy(signal.frame.acquired).to(noise.device)
        return signal.with_lines(signal.lines() + to_kspace(noise, PE).mul_(acquired))

    def _field(self, image: Signal) -> Tensor:
        """White complex noise, (B, coil, RO, PE) complex64."""
        sigma = self.sigma_of_max * image.magnitude().amax(dim=(1, 2))
        radius, half_angle = circular_normal(self.seeds, image.data.shape[1:], sigma.device)
        return torch.polar(radius * sigma[:, None, None, None], 2 * half_angle)

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """Without phase, the noise's radius and angle give the magnitude by themselves."""
        if x.is_complex() or not frame.acquired.all():
            return super().render(x, frame)
        radius, half_angle = circular_normal(self.seeds, x.shape[1:], x.device)
        radius.mul_(x.amax(dim=(1, 2), keepdim=True) * self.sigma_of_max)
        return _magnitude(x, radius, half_angle.cos_())


def _magnitude(x: Tensor, t: Tensor, cosine: Tensor) -> Tensor:
    """Return |x + t e^{i theta}| = sqrt((x - t)^2 + 4 x t cos(theta / 2)^2).

    Both terms are non-negative, so nothing cancels where the sum is near 0, as it would in
    x^2 + t^2 + 2 x t cos(theta); and there is one cosine, where real and imaginary part need two.

    Args:
        x: Signal >= 0, (B, RO, PE) float32.
        t: Phasor's length >= 0, like x.
        cosine: Cos(theta / 2), like x; overwritten.

    """
    overlap = cosine.square_().mul_(t)
    return (x - t).square_().addcmul_(x, overlap, value=4).sqrt_()

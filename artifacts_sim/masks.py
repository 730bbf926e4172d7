"""Factors of k-space lines: ghosts, undersampling, truncation and the like, fused into one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from artifacts_sim.geometry import Frame
from artifacts_sim.lines import Factor, add_lines, in_fft_order, is_hermitian, on_device
from artifacts_sim.operators import Operator
from artifacts_sim.signal import Signal


@dataclass(frozen=True, eq=False)
class Mask(Operator):
    """k-space times pe(k_PE) times ro(k_RO).

    Attributes:
        pe: (B, PE), a factor for every line.
        ro: (B, RO), a factor for every sample of a line; None: 1.

    """

    pe: Factor
    ro: Factor | None = None

    def __mul__(self, other: "Mask") -> "Mask":
        """Fuse two masks into one, whose transforms are shared."""
        if self.ro is None or other.ro is None:
            return Mask(self.pe * other.pe, other.ro if self.ro is None else self.ro)
        return Mask(self.pe * other.pe, self.ro * other.ro)

    def act(self, signal: Signal) -> Signal:
        """Multiply, in the domains that the factors need, and leave the signal there."""
        if self.ro is None:
            lines = signal.lines()
            return signal.with_lines(lines * on_device(self.pe, lines)[:, None, None, :])
        samples = signal.kspace()
        samples = samples * on_device(self.ro, samples)[:, None, :, None]
        return signal.with_kspace(samples.mul_(on_device(self.pe, samples)[:, None, None, :]))

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """Multiply half spectra only, where x is real; see `Operator.render`."""
        if self.ro is None:
            return add_lines(x, [(x, self.pe - 1)])
        if x.is_complex() or not (is_hermitian(self.ro) and is_hermitian(self.pe)):
            return super().render(x, frame)
        ro, pe = in_fft_order(self.ro), in_fft_order(self.pe)[:, : x.shape[-1] // 2 + 1]
        half = torch.fft.rfft2(x)
        half.mul_(on_device(ro, x)[:, :, None]).mul_(on_device(pe, x)[:, None, :])
        y: Tensor = torch.fft.irfft2(half, s=x.shape[-2:])
        return y.abs_()

"""Factors of k-space lines: ghosts, undersampling, truncation and the like, fused into one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from artifacts_sim.acquisition.fourier import RO
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import (
    Factor,
    hermitian_parts,
    in_fft_order,
    on_device,
    weigh_lines,
)
from artifacts_sim.acquisition.operators import Operator
from artifacts_sim.acquisition.signal import Signal


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
        """Multiply, in the domain that the factors need, and leave the signal there.

        Samples of the readout stay samples, so that what is multiplied by 1 keeps every bit.
        """
        in_kspace = signal.ro_in_kspace or self.ro is not None
        data = signal.kspace() if in_kspace else signal.lines()
        data = data * on_device(self.pe, data)[:, None, None, :]
        if self.ro is not None:
            data.mul_(on_device(self.ro, data)[:, None, :, None])
        return signal.with_kspace(data) if in_kspace else signal.with_lines(data)

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """Neither axis is shifted, and of a real image half of the lines is enough."""
        if self.ro is not None and hermitian_parts(self.ro)[1].any():
            x = x.to(torch.complex64)
        lines = torch.fft.fft(x) if x.is_complex() else torch.fft.rfft(x)
        if self.ro is not None:
            ro = on_device(in_fft_order(self.ro), x)[:, :, None]
            lines = torch.fft.ifft(torch.fft.fft(lines, dim=RO).mul_(ro), dim=RO).contiguous()
        if not x.is_complex():
            return weigh_lines(lines, self.pe)
        lines.mul_(on_device(in_fft_order(self.pe), x)[:, None, :])
        y: Tensor = torch.fft.ifft(lines).abs()
        return y

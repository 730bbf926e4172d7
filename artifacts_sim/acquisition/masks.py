"""Factors of k-space lines: ghosts, undersampling, truncation and the like, fused into one."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import RO
from artifacts_sim.acquisition.lines import (
    Factor,
    hermitian_parts,
    in_fft_order,
    on_device,
    weigh_lines,
)
from artifacts_sim.acquisition.operators import Operator
from artifacts_sim.acquisition.signal import Signal

Kept = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mask(Operator):
    """k-space times pe(k_PE) times ro(k_RO).

    Attributes:
        pe: (B, PE), a factor for every line.
        ro: (B, RO), a factor for every sample of a line; None: 1.
        lines: (1 or B, PE), the lines that it leaves to be measured; None: all.
        samples: (1 or B, RO), the samples of a line that it leaves to be measured; None: all.

    """

    pe: Factor
    ro: Factor | None = None
    lines: Kept | None = None
    samples: Kept | None = None

    @classmethod
    def keep(cls, lines: Kept, samples: Kept | None = None) -> "Mask":
        """Measure these lines, and these samples of a line, and no others."""
        return cls(_factor(lines), None if samples is None else _factor(samples), lines, samples)

    def __mul__(self, other: "Mask") -> "Mask":
        """Fuse two masks into one, whose transforms are shared."""
        return Mask(
            self.pe * other.pe,
            other.ro if self.ro is None else self.ro if other.ro is None else self.ro * other.ro,
            _both(self.lines, other.lines),
            _both(self.samples, other.samples),
        )

    def act(self, signal: Signal) -> Signal:
        """Multiply, in the domain that the factors need, and leave the signal there.

        Samples of the readout stay samples, so that what is multiplied by 1 keeps every bit.
        """
        in_kspace = signal.ro_in_kspace or self.ro is not None
        data = signal.kspace() if in_kspace else signal.by_line()
        data = data * on_device(self.pe, data)[:, None, None, :]
        if self.ro is not None:
            data = data * on_device(self.ro, data)[:, None, :, None]
        signal = signal.with_kspace(data) if in_kspace else signal.with_lines(data)
        return signal.only(self.lines, self.samples)

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Neither axis is shifted, and of a real image half of the lines is enough."""
        x = signal.single()
        if x is None:
            return super().render(signal, out)
        if self.ro is not None and hermitian_parts(self.ro)[1].any():
            x = x + 0j
        lines = torch.fft.fft(x) if x.is_complex() else torch.fft.rfft(x)
        if self.ro is not None:
            lines = _along_readout(lines, on_device(in_fft_order(self.ro), x)[:, :, None])
        if not x.is_complex():
            return weigh_lines(lines, self.pe, out)
        lines.mul_(on_device(in_fft_order(self.pe), x)[:, None, :])
        return torch.abs(torch.fft.ifft(lines), out=out)


def _along_readout(lines: Tensor, ro: Tensor) -> Tensor:
    """Multiply the spectra along RO, (B, RO, C), by a factor in the FFT's order, (B, RO, 1).

    On CPUs one slice at a time: some round the columns of a batch otherwise than those of a slice.
    """
    parts = [slice(i, i + 1) for i in range(len(lines))] if lines.is_cpu else [slice(None)]
    for part in parts:
        spectrum = torch.fft.fft(lines[part], dim=RO).mul_(ro[part if len(ro) > 1 else slice(None)])
        lines[part] = torch.fft.ifft(spectrum, dim=RO)
    return lines


def _factor(kept: Kept) -> Factor:
    return torch.from_numpy(kept).to(torch.float64)


def _both(one: Kept | None, other: Kept | None) -> Kept | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other

"""Nyquist ghost of echo-planar imaging: every second line is read backwards, out of phase."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import line_offsets, on_device
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors


@dataclass(frozen=True)
class NyquistGhost(Artifact):
    """Odd lines are multiplied by e^{+-i phi}; even lines, DC among them, by 1.

    A ghost appears half the field of view N / 2 away along the phase encode axis, and wraps: but
    for a global phase, y = cos(phi / 2) x(r) -+ i sin(phi / 2) x(r - N / 2). On an odd N, x is
    shifted by half a pixel more, interpolated by its own Fourier series. Source: Buonocore and
    Gao, Magn Reson Med 38:89 (1997).

    The phase is the same all along a line, as of an eddy current or a frequency offset that is
    constant. A delay of the readout gradient adds a phase that is linear along the readout, so
    that the ghost fades in and out across the image; it is not modelled. Phase on the even lines
    instead of the odd ones is the other sign and a global phase.
    """

    name: ClassVar[str] = "nyquist_ghost"
    knob: ClassVar[Knob] = Knob(
        name="phase_rad",
        meaning="phase between odd and even lines in rad; the ghost's amplitude is sin(phase / 2): "
        "5, 10, 20, 39 and 68 % at the physical levels; from pi / 2 on it outshines the object",
        physical=(0.1, 0.2, 0.4, 0.8, 1.5),
        limit=math.pi / 2,
    )
    stage: ClassVar[Stage] = Stage.LINES
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Sign of the phase, 1 or -1: it shows in images that have a phase of their own."""
        return {"sign": np.where(source.scan.uniform(1)[:, 0] < 0.5, -1, 1)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Alternation":
        """Turn the odd ones of the encoded lines."""
        odd = line_offsets(frame.encoded[1]) % 2
        angle = torch.outer(knob * as_tensors(draws)["sign"], odd)
        return _Alternation(torch.polar(torch.ones_like(angle), angle), phase_rad=knob)


@dataclass(frozen=True, eq=False)
class _Alternation(Mask):
    phase_rad: Tensor = torch.zeros(())  # noqa: RUF009 - never written to

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Without phase, object and ghost are a quarter turn apart: their powers add."""
        x = signal.plain()
        if x is None or x.shape[2] % 2:
            return super().render(signal, out)
        power, half = x.square(), x.shape[2] // 2
        share = on_device((self.phase_rad / 2).sin().square(), x)[:, None, None]
        shown = torch.empty_like(x)
        torch.lerp(power[..., :half], power[..., half:], share, out=shown[..., :half])
        torch.lerp(power[..., half:], power[..., :half], share, out=shown[..., half:])
        return torch.sqrt(shown, out=out)

"""Contrast: a power law between the measured magnitude and the one that is shown."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DisplayOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source, signed
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_TOE = 2.0**-10  # of the maximum: one grey value of ten bits


@dataclass(frozen=True)
class Contrast(Artifact):
    """y = max (x / max)^g, max the clean slice's own: 0 and the maximum stay, all between moves.

    g = e^knob darkens, g = e^-knob brightens; which of the two is drawn. Below max / 1024 the
    curve goes on as a straight line through 0, as the curves of displays do (ITU-R BT.709): the
    power's slope at 0 is infinite for g < 1 and would show the rounding errors of an empty
    background. A slice that is empty stays so. Source of the power law: Poynton, Digital Video
    and HDTV, Algorithms and Interfaces (2003).
    """

    name: ClassVar[str] = "contrast"
    knob: ClassVar[Knob] = Knob(
        name="abs_log_gamma",
        meaning="natural logarithm of the exponent, up to its sign; 0.7 squares or takes the root",
        physical=(0.1, 0.2, 0.3, 0.5, 0.7),
        limit=1.0,
    )
    stage: ClassVar[Stage] = Stage.DISPLAY
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Whether it darkens a scan, 1, or brightens it, -1."""
        return {"sign": signed(source.scan.uniform(1)[:, 0], 1, 1)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Power":
        """Bend the curve."""
        return _Power(torch.exp(as_tensors(draws)["sign"] * knob))


@dataclass(frozen=True, eq=False)
class _Power(DisplayOperator):
    exponent: Tensor  # (B,)

    def on_magnitude(self, x: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Multiply by a gain, (x / max)^(g - 1), that is constant in the toe."""
        top = signal.scene.peak.clamp_min(torch.finfo(x.dtype).tiny)[:, None, None]
        power = (self.exponent - 1).to(x)[:, None, None]
        gain = (x / top).clamp_min_(_TOE)
        if torch.is_grad_enabled():
            return gain.pow(power) * x
        _raise_to(gain, power)
        return torch.mul(gain, x, out=out)


def _raise_to(base: Tensor, power: Tensor) -> None:
    """Raise each slice to its own power, in place; half the cost of torch.pow.

    On CPUs one slice at a time, as a vector's tail is rounded otherwise: it must not depend on
    the neighbours.
    """
    for block, exponent in zip(base, power, strict=True) if base.is_cpu else [(base, power)]:
        block.log2_().mul_(exponent).exp2_()

"""Tone curve: another vendor's look-up table between the magnitude and the picture."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DisplayOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.curves import above_zero, by_slice, nodes, picked, piece
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_NODES = 5
_LEAST_STEP = 1e-9  # of the log slope over a piece, below which a piece is straight


@dataclass(frozen=True)
class ToneCurve(Artifact):
    """y = max f(x / max), f(t) = int_0^t e^(knob g) / int_0^1 e^(knob g), max of the clean slice.

    g is linear between five random values at t = 0, 1/4, 1/2, 3/4 and 1, with a range of 1. So f
    rises strictly from 0 to 1, its slope is continuous, and its steepest slope is e^knob times its
    flattest: shadows, middle or lights are stretched at the expense of the others, in any order,
    where `contrast` knows only lighter and darker. The order of grey values is kept, and an inverse
    exists. Above max the curve goes on with its last slope.

    That every strictly rising smooth function is such an integral: Ramsay, J R Stat Soc B 60:365
    (1998). All slices of a scan get the same f.
    """

    name: ClassVar[str] = "tone_curve"
    knob: ClassVar[Knob] = Knob(
        name="log_slope_range",
        meaning="peak-to-peak natural logarithm of the curve's slope; 1 stretches one grey value "
        "2.7 times as much as another",
        physical=(0.3, 0.6, 1.0, 1.5, 2.2),
        limit=3.0,
    )
    stage: ClassVar[Stage] = Stage.DISPLAY
    place: ClassVar[int] = 30
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Log slopes of a scan's curve at its nodes, in units of the knob: (B, 5)."""
        return {"unit_log_slope": nodes(source.scan, _NODES)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Curve":
        """Integrate the slope."""
        return _Curve(knob[:, None] * as_tensors(draws)["unit_log_slope"])


@dataclass(frozen=True, eq=False)
class _Curve(DisplayOperator):
    """On a piece from log slope a to a + d, f(u) = f(0) + e^a expm1(d u) / d, u from 0 to 1.

    Above the maximum is one more piece, without end, whose d is as good as 0.
    """

    log_slope: Tensor  # (B, nodes)

    def on_magnitude(self, x: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        top = above_zero(signal.scene.peak)[:, None]
        begin, scale, step = (one.to(x) for one in self._pieces())
        number, u = piece(x / (top / (_NODES - 1))[..., None], _NODES)
        grown = by_slice(torch.expm1, picked(step, number) * u)
        base, slope = picked(begin * top, number), picked(scale * top, number)
        return torch.addcmul(base, slope, grown, out=out)

    def _pieces(self) -> tuple[Tensor, Tensor, Tensor]:
        """What f is at the beginning of each piece, e^a / d, and d: (B, nodes) each."""
        step = self.log_slope.diff(dim=1, append=self.log_slope[:, -1:])
        step = torch.where(step.abs() < _LEAST_STEP, _LEAST_STEP, step)
        scale = self.log_slope.exp() / step
        rise = scale * step.expm1()
        begin = rise.cumsum(dim=1) - rise
        whole = begin[:, -1:]
        return begin / whole, scale / whole, step

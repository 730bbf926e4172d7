"""Bias field: the receive coil's sensitivity shades the image smoothly."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DirectPixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.foreground import Pixels, extremes, span
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_POWERS = tuple((a, b) for a in range(4) for b in range(4) if 1 <= a + b <= 3)


@dataclass(frozen=True)
class Bias(Artifact):
    """y = |x| exp(g (p(u, v) - m)), p a polynomial of order 3.

    u and v run over the pixel centres from -1 to 1 along RO and PE. g makes the peak-to-peak log
    gain over the foreground equal to the knob, and m centres it: the gain runs from exp(-knob / 2)
    to exp(knob / 2) over the foreground, wherever that lies, so there is shading and no global
    gain. In the background it ends there. A polynomial log gain: Van Leemput et al., IEEE Trans
    Med Imaging 18:885 (1999).

    Foreground: shown pixels above 0.2 sum(x^2) / sum(x) of the clean slice; all pixels of an empty
    slice. The field's shape is a scan's; its range is met in every slice.
    """

    name: ClassVar[str] = "bias"
    knob: ClassVar[Knob] = Knob(
        name="log_gain_range",
        meaning="peak-to-peak natural logarithm of the gain over the foreground; 2.4 is 11 : 1, "
        "as beside a surface coil",
        physical=(0.3, 0.6, 1.0, 1.5, 2.2),
        limit=2.4,
    )
    stage: ClassVar[Stage] = Stage.FIELD
    place: ClassVar[int] = 10
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Coefficients of u^a v^b, (B, 9), in the order of `_POWERS`, uniform in [-1, 1)."""
        return {"coefficient": 2 * source.scan.uniform(len(_POWERS)) - 1}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Gain":
        """Shade every coil alike."""
        return _Gain(as_tensors(draws)["coefficient"], knob)


@dataclass(frozen=True, eq=False)
class _Gain(DirectPixelOperator):
    coefficient: Tensor  # (B, 9)
    log_range: Tensor  # (B,)

    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        rows, powers = self._rows(planes), _powers(planes.shape[3]).to(planes)
        low, high = self._range(signal, rows, powers)
        log2_range = (self.log_range * math.log2(math.e)).to(planes)[:, None, None]
        slope = log2_range / span(low, high)
        rows = rows * slope
        rows = torch.cat([rows[:1] - (high + low) / 2 * slope, rows[1:]])
        log2_gain, end = _polynomial(rows, powers), log2_range / 2
        if torch.is_grad_enabled():
            gain = torch.maximum(torch.minimum(log2_gain, end), -end).exp2()
        else:
            gain = _exp2_within(log2_gain, end)
        return torch.mul(gain[:, None], planes, out=out)

    def _range(self, signal: Signal, rows: Tensor, powers: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the greatest p over each slice's foreground: (B, 1, 1) each.

        Not every pixel is looked at. As the gain ends at these values, it has the asked range all
        the same.
        """
        ro, pe = signal.frame.cut
        rows, powers = rows[:, :, ro], powers[:, pe]

        def some(at: Pixels) -> Tensor:
            return _polynomial(rows[:, :, at[0]], powers[:, at[1]].contiguous())

        return extremes(some, signal.scene.shown)

    def _rows(self, planes: Tensor) -> Tensor:
        """Row by row, the coefficients of 1, v, v^2, v^3: (4, B, RO, 1)."""
        table = self.coefficient.new_zeros((4, len(self.coefficient), 4))
        of_u, of_v = zip(*_POWERS, strict=True)
        table[list(of_v), :, list(of_u)] = self.coefficient.T
        return (table @ _powers(planes.shape[2])).to(planes)[..., None]


@lru_cache(maxsize=16)
def _powers(size: int) -> Tensor:
    """1, u, u^2, u^3 of the pixel centres, u from -1 to 1 at the edges: (4, N) float64."""
    u = (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1
    return torch.stack([torch.ones_like(u), u, u * u, u * u * u])


def _polynomial(rows: Tensor, powers: Tensor) -> Tensor:
    """Sum the rows' coefficients times the powers of v: (B, RO, PE).

    No matrix product, whose precision users may lower.
    """
    p: Tensor = rows[0] + rows[3, :, :1] * powers[3]  # v^3 has one coefficient for all rows
    return p.addcmul_(rows[1], powers[1]).addcmul_(rows[2], powers[2])


def _exp2_within(log2_gain: Tensor, end: Tensor) -> Tensor:
    """Return 2^x of an x that ends at +-end, (B, 1, 1), in place; on CPUs cheaper than e^x.

    But it is rounded otherwise in a vector's tail: there, therefore, one slice at a time, so that
    its tail does not depend on its neighbours. Limits that are numbers are a fifth of the cost.
    """
    if not log2_gain.is_cpu:
        return log2_gain.clamp_(-end, end).exp2_()
    for block, limit in zip(log2_gain, end.flatten().tolist(), strict=True):
        block.clamp_(-limit, limit).exp2_()
    return log2_gain

"""Bias field: the receive coil's sensitivity shades the image smoothly."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.base import Artifact
from artifacts_sim.geometry import Frame
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Knob
from artifacts_sim.operators import PixelOperator, Stage
from artifacts_sim.params import Draws

_POWERS = tuple((a, b) for a in range(4) for b in range(4) if 1 <= a + b <= 3)
_SAMPLES_PER_AXIS = 96
_FOREGROUND_FRACTION = 0.2
_LEAST_RANGE = 1e-6  # of a one-pixel foreground


@dataclass(frozen=True)
class Bias(Artifact):
    """y = |x| exp(g p(u, v)), p a polynomial of order 3 without constant term.

    u and v run over the pixel centres from -1 to 1 along RO and PE, so the gain is 1 at the image
    centre: shading, no global gain. g makes the peak-to-peak log gain over the foreground equal
    to the knob. A polynomial log gain: Van Leemput et al., IEEE Trans Med Imaging 18:885 (1999).

    Foreground: pixels above 0.2 sum(x^2) / sum(x), a fraction of an intensity that neither empty
    background nor a few hot pixels move; all pixels of an empty slice. It is looked at on every
    m-th pixel of an axis, m the least that leaves at most 96 of them, so that on larger matrices
    the peak-to-peak is met to about 2 %. The log gain is limited to +-knob, which binds in the
    background only, or where the foreground lies off the centre.
    """

    name: ClassVar[str] = "bias"
    knob: ClassVar[Knob] = Knob(
        name="log_gain_range",
        meaning="peak-to-peak natural logarithm of the gain over the foreground",
        physical=(0.7, 1.3, 2.0, 2.8, 3.6),
        limit=6.0,
    )
    stage: ClassVar[Stage] = Stage.FIELD

    def draw(self, source: Source) -> Draws:
        """Coefficients of u^a v^b, (B, 9), in the order of `_POWERS`, uniform in [-1, 1)."""
        return {"coefficient": 2 * source.uniform(len(_POWERS)) - 1}

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Gain":
        """Shade every coil alike."""
        return _Gain(draws["coefficient"], knob)


@dataclass(frozen=True, eq=False)
class _Gain(PixelOperator):
    coefficient: NDArray[np.float64]
    log_gain: float

    def on_planes(self, planes: Tensor, frame: Frame) -> Tensor:
        a = planes[:, 0] if planes.shape[1] == 1 else planes.square().sum(dim=1).sqrt_()
        rows = _row_polynomials(self.coefficient, a.shape[1]).to(a.device)
        v = torch.from_numpy(_pixel_centres(a.shape[2]).astype(np.float32)).to(a.device)
        log2_knob = self.log_gain * math.log2(math.e)
        slope = log2_knob / _foreground_range(a, rows, v)
        log2_gain = _polynomial(rows * slope, v).clamp_(-log2_knob, log2_knob)
        return planes * _exp2(log2_gain)[:, None]


def _exp2(log2_gain: Tensor) -> Tensor:
    """Return 2^x, in place; on CPUs cheaper than e^x, but rounded otherwise in a vector's tail.

    There, therefore, one slice at a time, so that its tail does not depend on its neighbours.
    """
    for block in log2_gain if log2_gain.is_cpu else log2_gain[None]:
        block.exp2_()
    return log2_gain


def _pixel_centres(size: int) -> NDArray[np.float64]:
    """From -1 to 1 at the edges, 0 at the image centre: (N,)."""
    return (2 * np.arange(size) + 1) / size - 1


def _row_polynomials(coefficient: NDArray[np.float64], height: int) -> Tensor:
    """Row by row, the coefficients of v^3, v^2, v, 1: (4, B, RO, 1) float32."""
    u = _pixel_centres(height)
    rows = np.zeros((4, len(coefficient), height, 1), dtype=np.float32)
    for (a, b), c in zip(_POWERS, coefficient.T, strict=True):
        rows[3 - b, :, :, 0] += np.outer(c, u**a).astype(np.float32)
    return torch.from_numpy(rows)


def _polynomial(rows: Tensor, v: Tensor) -> Tensor:
    """Horner's rule along PE, (B, RO, PE); no matrix product, whose precision users may lower."""
    cubic, quadratic, linear, constant = rows
    p: Tensor = cubic[:, :1] * v + quadratic  # v^3 has one coefficient for all rows
    return p.mul_(v).add_(linear).mul_(v).add_(constant)


def _foreground_range(a: Tensor, rows: Tensor, v: Tensor) -> Tensor:
    """Peak to peak of the unscaled polynomial over each slice's foreground: (B, 1, 1)."""
    down, across = (math.ceil(size / _SAMPLES_PER_AXIS) for size in a.shape[1:])
    p = _polynomial(rows[:, :, ::down], v[::across])
    foreground = _foreground(a[:, ::down, ::across].contiguous())
    high = torch.where(foreground, p, -math.inf).amax(dim=(1, 2), keepdim=True)
    low = torch.where(foreground, p, math.inf).amin(dim=(1, 2), keepdim=True)
    return (high - low).clamp_min_(_LEAST_RANGE)


def _foreground(a: Tensor) -> Tensor:
    """Mark the pixels above a fraction of the slice's typical intensity; all of an empty slice."""
    typical = a.square().sum(dim=(1, 2), keepdim=True) / a.sum(dim=(1, 2), keepdim=True)
    return a > typical.mul_(_FOREGROUND_FRACTION).nan_to_num_(nan=-1.0)

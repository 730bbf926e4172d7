"""Bias field: the receive coil's sensitivity shades the image smoothly."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import PixelOperator, Stage, magnitude_of
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws

_POWERS = tuple((a, b) for a in range(4) for b in range(4) if 1 <= a + b <= 3)
_SAMPLES_PER_AXIS = 96
_FOREGROUND_FRACTION = 0.2
_FAR = 1e3  # beyond any value of the polynomial
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
    the peak-to-peak is met to about 1 %, and to some per cent where the foreground is small. The
    log gain is limited to +-knob, which binds in the background only, or where the foreground lies
    off the centre.
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
        a = magnitude_of(planes)
        rows = torch.from_numpy(self._rows(a.shape[1])).to(a.device)
        powers = torch.from_numpy(_powers(a.shape[2]).astype(np.float32)).to(a.device)
        log2_knob = self.log_gain * math.log2(math.e)
        rows *= log2_knob / _foreground_range(a, rows, powers)
        gain = _exp2(_polynomial(rows, powers).clamp_(-log2_knob, log2_knob))[:, None]
        return gain.mul_(planes) if planes.shape[1] == 1 else gain * planes

    def _rows(self, height: int) -> NDArray[np.float32]:
        """Row by row, the coefficients of 1, v, v^2, v^3: (4, B, RO, 1)."""
        table = np.zeros((4, len(self.coefficient), 4))  # powers of v, slices, powers of u
        of_u, of_v = np.transpose(_POWERS)
        table[of_v, :, of_u] = self.coefficient.T
        return (table @ _powers(height)).astype(np.float32)[..., None]


@lru_cache(maxsize=16)
def _powers(size: int) -> NDArray[np.float64]:
    """1, u, u^2, u^3 of the pixel centres, u from -1 to 1 at the edges: (4, N)."""
    u = (2 * np.arange(size) + 1) / size - 1
    return np.stack([np.ones(size), u, u * u, u * u * u])


def _polynomial(rows: Tensor, powers: Tensor) -> Tensor:
    """Sum the rows' coefficients times the powers of v: (B, RO, PE).

    No matrix product, whose precision users may lower.
    """
    p: Tensor = rows[0] + rows[3, :, :1] * powers[3]  # v^3 has one coefficient for all rows
    return p.addcmul_(rows[1], powers[1]).addcmul_(rows[2], powers[2])


def _exp2(log2_gain: Tensor) -> Tensor:
    """Return 2^x, in place; on CPUs cheaper than e^x, but rounded otherwise in a vector's tail.

    There, therefore, one slice at a time, so that its tail does not depend on its neighbours.
    """
    for block in log2_gain if log2_gain.is_cpu else log2_gain[None]:
        block.exp2_()
    return log2_gain


def _foreground_range(a: Tensor, rows: Tensor, powers: Tensor) -> Tensor:
    """Peak to peak of the unscaled polynomial over each slice's foreground: (B, 1, 1)."""
    down, across = (math.ceil(size / _SAMPLES_PER_AXIS) for size in a.shape[1:])
    p = _polynomial(rows[:, :, ::down], powers[:, ::across].contiguous())
    background = _background(a[:, ::down, ::across].contiguous())
    high = p.sub(background, alpha=_FAR).amax(dim=(1, 2), keepdim=True)
    low = p.add_(background, alpha=_FAR).amin(dim=(1, 2), keepdim=True)
    return (high - low).clamp_min_(_LEAST_RANGE)


def _background(a: Tensor) -> Tensor:
    """Mark with 1. what is not above a fraction of the slice's typical intensity.

    Of an empty slice, whose typical intensity is 0 / 0, that is nothing.
    """
    typical = a.square().sum(dim=(1, 2), keepdim=True) / a.sum(dim=(1, 2), keepdim=True)
    return torch.le(a, typical.mul_(_FOREGROUND_FRACTION), out=torch.empty_like(a))

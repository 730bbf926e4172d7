"""Anisotropy: a plane that was reformatted from slices thicker than its pixels."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import RO
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DirectPixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.rows import weighted_rows
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws

_Sums = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Sums of weighted rows, as `weighted_rows` takes them: index and weight, (B, N, K) each."""


@dataclass(frozen=True)
class Anisotropy(Artifact):
    """Along one axis, the mean over slices of m pixels, then linear interpolation between them.

    m = 1 + knob, a real number. Slices have a box profile, are m apart without gap, and count
    where their centre lies within the field of view; of one that reaches beyond its edge, the
    part within is averaged. Beyond the outermost centres the outermost slice goes on. The grid is
    centred, round(N / m) slices on the field of view, then shifted by up to half of m - 1 pixels.
    The axis, RO or PE, and the shift are drawn. Source: partial volume of thick slices, Greenspan,
    Computer Journal 52:43 (2009).

    Pixels are those of before a resize. Between m = 1 and m = 2, where slices that drift against
    the pixels would blur by as much as at 2, however small the knob, the image is the mean of
    itself, weight 1 - knob, and of that of m = 2, weight knob.
    """

    name: ClassVar[str] = "anisotropy"
    knob: ClassVar[Knob] = Knob(
        name="excess_thickness_px",
        meaning="slice thickness in pixels, less 1: thickness 2, 3, 4, 6 and 8 times the pixel",
        physical=(1.0, 2.0, 3.0, 5.0, 7.0),
        limit=15.0,
    )
    stage: ClassVar[Stage] = Stage.OBJECT
    place: ClassVar[int] = 40

    def draw(self, source: Source) -> Draws:
        """Of a scan: the axis across slices, 0 = RO, 1 = PE, and the grid's shift in excess."""
        u = source.scan.uniform(2)
        return {"axis": (u[:, 0] < 0.5).astype(np.int64), "unit_shift": u[:, 1] - 0.5}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Thicken":
        """Average and interpolate."""
        return _Thicken(draws["axis"], draws["unit_shift"], knob.numpy())


@dataclass(frozen=True, eq=False)
class _Thicken(DirectPixelOperator):
    axis: NDArray[np.int64]  # (B,)
    unit_shift: NDArray[np.float64]  # (B,)
    excess_px: NDArray[np.float64]  # (B,)

    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        y = torch.empty_like(planes) if out is None else out
        kinds = np.stack([self.axis, self.excess_px], axis=1)
        for number, excess in np.unique(kinds, axis=0):
            across, (chosen,) = (
                RO + int(number),
                np.nonzero((kinds == (number, excess)).all(axis=1)),
            )
            at = torch.from_numpy(chosen).to(planes.device)
            rows = planes.transpose(across, RO).index_select(0, at)
            per_native = signal.frame.native_px[int(number)]
            thick = _thickened(rows, self.unit_shift[chosen], excess, per_native)
            for index, damaged in zip(chosen, thick.transpose(across, RO), strict=True):
                y[index] = damaged  # on CPUs cheaper than all of them by index
        return y


def _thickened(
    rows: Tensor, unit_shift: NDArray[np.float64], excess_px: float, per_native: float
) -> Tensor:
    """Damage (B, planes, R, C) across the rows."""
    excess = (1 + excess_px) * per_native - 1
    if excess <= 0:  # thinner than the pixels that are left after a resize
        return rows
    whole = max(excess, 1.0)  # the least that has slices of its own
    shifts = np.repeat(whole * unit_shift, rows.shape[1])
    means, interpolation = _sums(rows.shape[2], 1 + whole, shifts)
    slices = weighted_rows(rows.flatten(0, 1), *means)
    thick = weighted_rows(slices, *interpolation).view(rows.shape)
    return thick if excess >= 1 else torch.lerp(rows, thick, excess)


def _sums(size: int, thickness: float, shift: NDArray[np.float64]) -> tuple[_Sums, _Sums]:
    """Slices as sums of pixel rows, and pixel rows as sums of slices.

    Pixel i reaches from i to i + 1. A slice may be no thicker than the field of view, so that one
    centre at least lies within it.
    """
    thickness = min(thickness, size)
    any_centre = (size - (round(size / thickness) - 1) * thickness) / 2 + shift[:, None]
    first = any_centre - np.floor(any_centre / thickness) * thickness
    centre = first + thickness * np.arange(int(size / thickness) + 1)
    last = (centre[:, 1:] < size).sum(axis=1, keepdims=True)  # the first is within
    place = (np.arange(size) + 0.5 - first) / thickness
    between = np.minimum(np.maximum(place, 0), last)
    return _box(centre[:, :, None], thickness, size), _linear(between[:, :, None], centre.shape[1])


def _box(centre: NDArray[np.float64], thickness: float, size: int) -> _Sums:
    """Means over intervals about the centres, as far as these reach into the pixels."""
    low = np.maximum(centre - thickness / 2, 0)
    high = np.minimum(centre + thickness / 2, size)
    pixel = np.floor(low) + np.arange(math.ceil(thickness) + 1)
    overlap = np.maximum(np.minimum(pixel + 1, high) - np.maximum(pixel, low), 0)
    inside = np.maximum(high - low, thickness / 2)  # at least, where the centre is inside
    return np.minimum(pixel, size - 1).astype(np.int64), overlap / inside


def _linear(place: NDArray[np.float64], count: int) -> _Sums:
    """Linear interpolation between the slices 0 .. count - 1 at places among them."""
    number = np.floor(place) + np.arange(2)
    return np.minimum(number, count - 1).astype(np.int64), 1 - np.abs(place - number)

"""Metal: an implant leaves a void, and signal around it is shown elsewhere."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import PixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source, signed
from artifacts_sim.kinds.foreground import foreground, place_within
from artifacts_sim.kinds.pile_up import piled_up, slice_by_slice
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_range
from artifacts_sim.params import Draws, as_tensors

_GAMMA_BAR_HZ_PER_T = 42.577e6
_QUANTILES = (0.1, 0.9)
_AXES = 3  # RO, PE, and through the plane
_RANGES = {
    "dchi_ppm": (1e-3, 1e6),  # from what no scan shows to saturated iron
    "field_t": (1e-3, 30.0),
    "te_ms": (0.0, 1e3),
    "readout_hz_per_mm": (1.0, 1e12),  # with the most, nothing is displaced
    "voxel_mm": (1e-3, 100.0),
}
_NO_SIGNAL = 80.0  # e^-80 of it


@dataclass(frozen=True)
class Metal(Artifact):
    """A metal sphere of radius a: a void about it, and signal displaced along readout.

    In the plane through its centre, at a distance r and an angle t from B0, it puts the field off
    by

        df = gamma B0 (dchi / 3) (a / r)^3 (3 cos^2 t - 1)

    in Hz; Schenck, Med Phys 23:815 (1996). B0 lies along RO, along PE or through the plane, where
    cos t = 0. Two things follow.

    Void: the phases 2 pi TE df of a voxel of side L cancel, exp(-(pi TE L |grad df|)^2 / 6), which
    is a Gaussian voxel's and to second order a box's, and

        |grad df| = gamma B0 dchi a^3 / r^4 sqrt(5 cos^4 t - 2 cos^2 t + 1).

    Another factor exp(-(a / r)^8) is the metal itself, which has no signal. With a spin echo, which
    refocuses the phases, it stands alone: `te_ms` 0.

    Displacement: df over the readout's Hz per mm, in the direction of the readout gradient, with
    signal piling up, folding and leaving as of `b0_distortion`. Within the metal df is that of its
    surface. Both are in mm, so that neither depends on the matrix. r^2 is the mean over a pixel, or
    over a pixel's edge, so that the damage of a sphere smaller than a pixel ends with it.

    The implant lies at drawn quantiles, 0.1 to 0.9, of the foreground's rows, and within that row
    of its columns; foreground as of `bias`. Place, readout's and B0's direction are a scan's.
    Every slice of a scan is the plane through the centre. Not modelled: bending of the slice
    itself, and an implant longer than wide.

    Attributes:
        dchi_ppm: Susceptibility of the metal above that of tissue, in ppm: titanium 182, austenitic
            stainless steel 3520 to 6700 (Schenck).
        field_t: Field strength in T.
        te_ms: Echo time of a gradient echo in ms; 0 of a spin echo.
        readout_hz_per_mm: Bandwidth per pixel over the pixel along readout.
        voxel_mm: Side of a voxel of the scan, in which phases cancel; between that of a pixel and
            the slice's thickness.

    """

    name: ClassVar[str] = "metal"
    knob: ClassVar[Knob] = Knob(
        name="radius_mm",
        meaning="radius of the metal sphere in mm: a clip has 1, the head of a screw 4, that of a "
        "hip prosthesis 14",
        physical=(1.0, 2.0, 4.0, 8.0, 14.0),
        limit=20.0,
    )
    stage: ClassVar[Stage] = Stage.ENCODING
    place: ClassVar[int] = 70
    smooth: ClassVar[bool] = True

    dchi_ppm: float = 182.0
    field_t: float = 1.5
    te_ms: float = 5.0
    readout_hz_per_mm: float = 250.0
    voxel_mm: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (low, high) in _RANGES.items():
            check_range(name, getattr(self, name), low, high)

    def draw(self, source: Source) -> Draws:
        """Of a scan: where the implant lies, B0's axis (RO, PE, across), readout's direction."""
        u = source.scan.uniform(4)
        low, high = _QUANTILES
        return {
            "quantile": low + (high - low) * u[:, :2],
            "b0_axis": (_AXES * u[:, 2]).astype(np.int64),
            "direction": signed(u[:, 3], 1, 1),
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Implant":
        """Put the implant into the foreground."""
        drawn = as_tensors(draws)
        equator_hz = _GAMMA_BAR_HZ_PER_T * self.field_t * self.dchi_ppm * 1e-6 / 3
        dephasing = math.pi * self.te_ms * 1e-3 * self.voxel_mm / math.sqrt(6)
        return _Implant(
            radius_mm=knob,
            quantile=drawn["quantile"],
            along_b0=one_hot(drawn["b0_axis"], _AXES)[:, :2].double(),
            pixel_mm=torch.tensor(frame.pixel_mm).expand(len(knob), 2),
            equator_mm=drawn["direction"] * equator_hz / self.readout_hz_per_mm,
            void_mm=3 * equator_hz * dephasing,
        )


@dataclass(frozen=True, eq=False)
class _Implant(PixelOperator):
    radius_mm: Tensor  # (B,)
    quantile: Tensor  # (B, 2)
    along_b0: Tensor  # (B, 2), cos^2 of B0's angle to RO and PE
    pixel_mm: Tensor  # (B, 2)
    equator_mm: Tensor  # (B,), (3 cos^2 t - 1) times this is the displacement at the surface
    void_mm: float  # r^4 / a^3 where phases leave e^-1 of the signal, if cos t = 0

    def on_planes(self, planes: Tensor, signal: Signal) -> Tensor:
        def work(x: Tensor, shown: Tensor, *own: Tensor) -> Tensor:
            y = self._damaged(x, shown, signal.frame, *own)
            return y if signal.data.is_complex() else y.clamp_min(0)

        own = (self.radius_mm, self.quantile, self.along_b0, self.pixel_mm, self.equator_mm)
        own_there = (one.to(planes.device) for one in own)
        return slice_by_slice(work, planes, signal.scene.shown, *own_there)

    def _damaged(
        self,
        x: Tensor,
        shown: Tensor,
        frame: Frame,
        radius_mm: Tensor,
        quantile: Tensor,
        along_b0: Tensor,
        pixel_mm: Tensor,
        equator_mm: Tensor,
    ) -> Tensor:
        """Damage (B, planes, RO, PE); lines of readout are rows in between."""
        centre_px = place_within(foreground(shown), quantile)
        rows, edges, columns = (
            _square_mm(
                torch.arange(count) + half - frame.cut[axis].start, axis, centre_px, pixel_mm
            )
            for count, half, axis in (
                (frame.encoded[0], 0.5, 0),
                (frame.encoded[0] + 1, 0.0, 0),
                (frame.encoded[1], 0.5, 1),
            )
        )
        wide = pixel_mm.square()[..., None] / 12  # the mean square of a place about the middle
        a, b0 = radius_mm[:, None, None].to(x), along_b0.to(x)
        left = _signal_left(*_polar(columns + wide[:, 1], rows + wide[:, 0], b0), a, self.void_mm)
        unit = _dipole(*_polar(columns + wide[:, 1], edges, b0), a)
        equator_px = (equator_mm / pixel_mm[:, 0]).to(x)[:, None, None]
        return piled_up(x.mT.contiguous() * left[:, None], unit * equator_px).mT.contiguous()


def _square_mm(place_px: Tensor, axis: int, centre_px: Tensor, pixel_mm: Tensor) -> Tensor:
    """Squares of the distances along an axis from every slice's centre: (B, N) float64."""
    away = place_px.to(centre_px) - centre_px[:, axis, None]
    return (away * pixel_mm[:, axis, None]).square()


def _polar(pe: Tensor, ro: Tensor, along_b0: Tensor) -> tuple[Tensor, Tensor]:
    """1 / r^2 and cos^2 t, (B, PE, RO) each, of squares along the axes, (B, PE) and (B, RO)."""
    pe, ro = pe.to(along_b0)[:, :, None], ro.to(along_b0)[:, None]
    of_ro, of_pe = along_b0[:, :, None, None].unbind(1)
    per_square = (pe + ro).reciprocal()
    return per_square, (pe * of_pe + ro * of_ro) * per_square


def _dipole(per_square: Tensor, cos2: Tensor, radius: Tensor) -> Tensor:
    """(a / r)^3 (3 cos^2 t - 1), within the sphere that of its surface."""
    near = (radius * per_square.sqrt()).clamp_max(1)
    return near * near * near * (3 * cos2 - 1)


def _signal_left(per_square: Tensor, cos2: Tensor, radius: Tensor, void_mm: float) -> Tensor:
    """What dephasing and the metal leave of the signal, 0 to 1."""
    gradient = (5 * cos2 - 2) * cos2 + 1
    lost = (void_mm * radius**3).square() * gradient + radius**8
    return (lost * per_square.square().square()).clamp_max(_NO_SIGNAL).neg().exp()

"""Chemical shift of the first kind: fat lies beside the place where it is shown."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition import pipeline
from artifacts_sim.acquisition.geometry import Frame, Geometry
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.acquisition.operators import PixelOperator, Stage, magnitude_of
from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.keyed import Source, signed
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, Params

_FAT_PPM = 3.5  # of methylene below water
_GAMMA_BAR_MHZ_PER_T = 42.577
_SAMPLES_PER_AXIS = 64
_BRIGHT = 0.99  # of the pixels are no brighter
_RAMP = (0.5, 0.8)  # of the bright percentile: no fat, all fat


def fat_shift_px(*, field_t: float, bandwidth_hz_per_px: float) -> float:
    """Return the pixels by which fat is displaced along readout: 1 at 3 T and 447 Hz per pixel.

    3.5 ppm times 42.577 MHz / T times the field, over the bandwidth per pixel. Source: Dixon,
    Radiology 153:189 (1984), for the 3.5 ppm.

    Args:
        field_t: Field strength in T.
        bandwidth_hz_per_px: Readout bandwidth in Hz per pixel.

    Raises:
        ArtifactError: Either is not above 0.

    """
    if not (0 < field_t < math.inf and 0 < bandwidth_hz_per_px < math.inf):
        raise ArtifactError(
            "field strength in T and bandwidth in Hz per pixel are not both finite and above 0",
            f"field_t={field_t!r} and bandwidth_hz_per_px={bandwidth_hz_per_px!r}",
            "take both from the protocol, for example 3 T and 447 Hz per pixel",
        )
    return _FAT_PPM * _GAMMA_BAR_MHZ_PER_T * field_t / bandwidth_hz_per_px


@dataclass(frozen=True)
class FatShift(Artifact):
    """y = |(1 - f) x + S(f x)|, f the fat fraction, S a displacement along readout.

    Fat resonates 3.5 ppm below water, which the frequency encoding takes for a place `knob`
    pixels away; `fat_shift_px` gives them from field strength and bandwidth. The direction, that
    of the readout gradient, is drawn. Between pixels S interpolates linearly, so that nothing
    rings or turns negative; from outside comes nothing. Source: Soila et al., Radiology 153:819
    (1984). It acts on the object, though the scanner does it line by line: only there is it known
    what is fat, and to all that follows fat lies where it is shown.

    f is given to `apply`, or else guessed: 0 up to 0.5 of the slice's 99th percentile, 1 from 0.8
    of it, linear between. (The percentile is that of every m-th pixel of an axis, m the least
    that leaves at most 64 of them.) That holds where fat is the brightest tissue: T1 or proton
    density weighting without fat suppression. It is wrong with fat suppression, with T2
    weighting, where fluid is bright, after contrast agent, and where bias makes tissue bright.
    """

    name: ClassVar[str] = "fat_shift"
    knob: ClassVar[Knob] = Knob(
        name="shift_px",
        meaning="displacement of fat in pixels; at 3 T, 447 Hz per pixel over the bandwidth",
        physical=(0.5, 1.0, 2.0, 3.0, 5.0),
        limit=16.0,
    )
    stage: ClassVar[Stage] = Stage.OBJECT

    def draw(self, source: Source) -> Draws:
        """Whether fat moves to higher, 1, or to lower rows, -1."""
        return {"direction": signed(source.uniform(1)[:, 0], 1, 1)}

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Shift":
        """Shift what is bright."""
        return _Shift(knob * draws["direction"])

    def apply(
        self,
        x: Tensor | KSpace,
        params: Params,
        geometry: Geometry | None = None,
        fat: Tensor | None = None,
    ) -> Tensor:
        """Do the work, see `Artifact.apply`, with a map of fat where there is one.

        Args:
            x: See `Artifact.apply`.
            params: See `Artifact.apply`.
            geometry: See `Artifact.apply`.
            fat: (B, H, W) like the result, float32 fraction of a pixel's signal that comes from
                fat, 0 to 1; by default it is guessed from the brightness.

        Returns:
            See `Artifact.apply`.

        Raises:
            ArtifactError: See `Artifact.apply`; or fat is not as above.

        """
        if fat is None:
            return super().apply(x, params, geometry)
        shape = (len(x), *x.frame().crop) if isinstance(x, KSpace) else tuple(x.shape)
        _check_fat(fat, shape)
        if geometry is not None and geometry.phase_axis == "H":
            fat = fat.transpose(1, 2)
        numbered = {**params.draws, "slice": np.arange(len(params))}
        params = Params(params.name, params.options, params.knob, numbered)
        return pipeline.render(x, [(_Mapped(self, fat), params)], geometry)


@dataclass(frozen=True, eq=False)
class _Mapped:
    """The artifact with a map of fat, (B, RO, PE) of the pixels shown; its draws are numbered."""

    artifact: FatShift
    fat: Tensor
    stage: ClassVar[Stage] = FatShift.stage

    def check(self, params: Params, batch: int) -> None:
        self.artifact.check(params, batch)

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Shift":
        numbers = torch.tensor(draws["slice"], device=self.fat.device)
        fat = self.fat.new_zeros((len(numbers), *frame.encoded))
        fat[:, *frame.cut] = self.fat[numbers]
        return _Shift(knob * draws["direction"], fat)


@dataclass(frozen=True, eq=False)
class _Shift(PixelOperator):
    shift_px: NDArray[np.float64]  # (B,)
    fat: Tensor | None = None  # (B, RO, PE)

    def on_planes(self, planes: Tensor, frame: Frame) -> Tensor:
        fat = _guess(planes) if self.fat is None else self.fat.to(planes.device)
        moved = planes * fat[:, None]
        y = planes - moved
        for rows, share in _taps(self.shift_px):
            into, source = _overlap(rows, y.shape[-2])
            shares = torch.from_numpy(share.astype(np.float32)).to(y.device)
            y[:, :, into].addcmul_(moved[:, :, source], shares[:, None, None, None])
        return y


def _taps(shift_px: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Whole shifts, and how much of each makes every slice's own, by linear interpolation: (B,)."""
    below = np.floor(shift_px)
    for rows in np.unique([below, below + 1]).astype(int):
        share = np.maximum(1 - np.abs(shift_px - rows), 0)
        if share.any():
            yield rows, share


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where rows come to lie that are shifted, and where they come from."""
    into, source = max(shift, 0), max(-shift, 0)
    common = max(size - abs(shift), 0)
    return slice(into, into + common), slice(source, source + common)


def _guess(planes: Tensor) -> Tensor:
    """Guess the fat fraction from the brightness: (B, RO, PE)."""
    a = magnitude_of(planes)
    down, across = (math.ceil(size / _SAMPLES_PER_AXIS) for size in a.shape[1:])
    samples = a[:, ::down, ::across].flatten(1)
    above = math.floor(samples.shape[1] * (1 - _BRIGHT)) + 1
    bright = samples.topk(above, dim=1).values[:, -1].clamp_min(torch.finfo(a.dtype).tiny)
    low, high = _RAMP
    per_unit = (1 / (high - low) / bright)[:, None, None]
    return (a * per_unit).sub_(low / (high - low)).clamp_(0, 1)


def _check_fat(fat: Tensor, shape: tuple[int, ...]) -> None:
    if not isinstance(fat, Tensor) or fat.dtype != torch.float32 or fat.shape != shape:
        received = (fat.dtype, tuple(fat.shape)) if isinstance(fat, Tensor) else type(fat).__name__
        raise ArtifactError(
            f"the map of fat is not float32 of the shape of the image that is shown, {shape}",
            received,
            "convert it with fat.float(), or crop it as the image",
        )
    low, high = (float(value) for value in fat.aminmax())
    if not (low >= 0 and high <= 1):  # true for NaN, too
        raise ArtifactError(
            "the map of fat does not hold fractions from 0 to 1",
            f"{low:g} to {high:g}",
            "divide fat by fat + water",
        )

"""Rigid motion: the head or knee moves between k-space lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from artifacts_sim.acquisition.fourier import PE, to_kspace
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import Factor, add_lines, line_offsets, on_device
from artifacts_sim.acquisition.operators import Operator, Stage, as_planes, from_planes
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.checks import check_count, check_option
from artifacts_sim.keyed import Source, signed
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws

_EVENT_OFFSETS = (0.01, 0.10)  # of the scan: where movement shows most, DC line excluded
_POSES = (0.5, 1.0)  # of the knob


@dataclass(frozen=True)
class Motion(Artifact):
    """Sudden movements cut the scan into segments; each segment's lines see one rigid pose.

    Lines are acquired one after the other along the phase encode axis, and an event at offset e
    lies before the first line with k / N >= e. Poses are relative to that of the segment that
    holds DC, so the object stays put; a line of segment s is F[T_s x](k), and y is the magnitude.

    T_s: rotation about the image centre by up to `rotation_deg`, and, with it, a translation on
    each axis by up to `mm_per_degree` times that. Bilinear interpolation, zeros from outside.
    Segments between sudden movements: Shaw et al., MIDL 2019. Of several coils, each coil's image
    moves, its sensitivity with it: exact for one coil, and for small movements.

    Attributes:
        movements: How often the object moves; there is one segment more.
        mm_per_degree: Translation that comes with rotation.

    """

    name: ClassVar[str] = "motion"
    knob: ClassVar[Knob] = Knob(
        name="rotation_deg",
        meaning="largest rotation in degrees; each brings up to 0.4 mm of translation by default",
        physical=(1.0, 2.0, 5.0, 10.0, 15.0),
        limit=45.0,
    )
    stage: ClassVar[Stage] = Stage.OBJECT

    movements: int = 4
    mm_per_degree: float = 0.4  # the 2 mm per 5 degrees of a knee study

    def __post_init__(self) -> None:
        check_count("movements", self.movements, least=1)
        check_option(
            "mm_per_degree", self.mm_per_degree, "a number of 0 or more", self.mm_per_degree >= 0
        )

    def draw(self, source: Source) -> Draws:
        """When it moves, as offsets from DC in scans, and where to, in units of the knob."""
        n = self.movements
        return {
            "event_offset": np.sort(signed(source.uniform(n), *_EVENT_OFFSETS), axis=1),
            "unit_rotation": signed(source.uniform(n), *_POSES),
            "unit_shift": signed(source.uniform(2 * n), *_POSES).reshape(-1, n, 2),
        }

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Splice":
        """Splice the lines of the moved object into those of the resting one."""
        return _Splice(
            rotation_rad=np.deg2rad(knob * draws["unit_rotation"]),
            shift_mm=self.mm_per_degree * knob * draws["unit_shift"],
            moved_lines=_moved_lines(draws["event_offset"], frame.encoded[1]),
        )


@dataclass(frozen=True, eq=False)
class _Splice(Operator):
    rotation_rad: NDArray[np.float64]  # (B, S), S the number of moved segments
    shift_mm: NDArray[np.float64]  # (B, S, 2)
    moved_lines: Factor  # (S, B, PE), 1 = seen in this pose

    def act(self, signal: Signal) -> Signal:
        image = signal.image()
        lines = to_kspace(image, PE)
        for difference, moved in self._errors(as_planes(image), signal.frame):
            error = to_kspace(from_planes(difference, like=image), PE)
            lines += error.mul_(on_device(moved, lines)[:, None, None, :])
        return signal.with_lines(lines)

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        if x.is_complex():
            return super().render(x, frame)
        errors = self._errors(x[:, None], frame)
        return add_lines(x, ((difference[:, 0], moved) for difference, moved in errors))

    def _errors(self, planes: Tensor, frame: Frame) -> Iterator[tuple[Tensor, Factor]]:
        """T_s x - x of the moved segments, (B, planes, RO, PE), and the lines that see it."""
        shape = (planes.shape[-2], planes.shape[-1])
        poses = _sources(self.rotation_rad.T, self.shift_mm.swapaxes(0, 1), shape, frame.pixel_mm)
        for along_ro, along_pe, moved in zip(*poses, self.moved_lines, strict=True):
            yield _gathered(planes, along_ro, along_pe).sub_(planes), moved


def _moved_lines(event_offset: NDArray[np.float64], n_lines: int) -> NDArray[np.float64]:
    """Mark with 1 the centred lines of each moved segment, not that of DC: (S, B, N).

    An event before DC ends a moved segment, one after DC begins one.
    """
    never = np.full((1, len(event_offset)), np.inf)
    events = np.concatenate([-never, event_offset.T, never])
    before_dc = events[1:-1] <= 0
    first = np.where(before_dc, events[:-2], events[1:-1])[..., None]
    end = np.where(before_dc, events[1:-1], events[2:])[..., None]
    time = line_offsets(n_lines) / n_lines
    seen: NDArray[np.bool_] = (first <= time) & (time < end)
    return seen.astype(np.float64)


def rigid(
    planes: Tensor,
    rotation_rad: NDArray[np.float64],
    shift_mm: NDArray[np.float64],
    pixel_mm: tuple[float, float],
) -> Tensor:
    """Rotate every slice about its centre, then translate it.

    Args:
        planes: (B, planes, RO, PE) float32.
        rotation_rad: (B,), positive from the RO axis towards the PE axis.
        shift_mm: (B, 2), along RO and PE.
        pixel_mm: (RO, PE).

    Returns:
        (B, planes, RO, PE); a new tensor.

    """
    shape = (planes.shape[-2], planes.shape[-1])
    return _gathered(planes, *_sources(rotation_rad, shift_mm, shape, pixel_mm))


def _gathered(planes: Tensor, along_ro: Tensor, along_pe: Tensor) -> Tensor:
    """Interpolate where `_sources` says."""
    grid = torch.view_as_real(along_ro.to(planes.device) + along_pe.to(planes.device))
    near = planes.clone()  # gathering from what the grid drove out of the cache takes twice as long
    return grid_sample(near, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _sources(
    rotation_rad: NDArray[np.float64],
    shift_mm: NDArray[np.float64],
    shape: tuple[int, int],
    pixel_mm: tuple[float, float],
) -> tuple[Tensor, Tensor]:
    """Where each pixel comes from, in grid_sample's coordinates: (..., RO, 1) plus (..., 1, PE).

    The map is affine, so a term of the row plus a term of the column; one complex number holds
    a position (real part along PE, imaginary along RO), so that their sum is a single broadcast.
    """
    half_ro, half_pe = np.multiply(shape, pixel_mm) / 2
    cos, sin = np.cos(rotation_rad), np.sin(rotation_rad)
    rows, columns = (
        (np.arange(n) - (n - 1) / 2) * mm - shift_mm[..., axis, None]
        for axis, (n, mm) in enumerate(zip(shape, pixel_mm, strict=True))
    )
    along_ro = rows * (1j * cos / half_ro - sin / half_pe)[..., None]
    along_pe = columns * (1j * sin / half_ro + cos / half_pe)[..., None]
    return _on_grid(along_ro)[..., :, None], _on_grid(along_pe)[..., None, :]


def _on_grid(along: NDArray[np.complex128]) -> Tensor:
    return torch.from_numpy(along.astype(np.complex64))

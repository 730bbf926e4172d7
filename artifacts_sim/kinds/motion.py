"""Rigid motion: the head or knee moves between k-space lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from artifacts_sim.acquisition.fourier import PE, to_kspace
from artifacts_sim.acquisition.geometry import Frame, Lines
from artifacts_sim.acquisition.lines import Factor, add_lines, on_device
from artifacts_sim.acquisition.operators import Operator, Stage, as_planes, from_planes
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source, signed
from artifacts_sim.kinds.timing import ORDERS, Order, acquisition_times
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_count, check_option, check_range
from artifacts_sim.params import Draws, as_tensors

_POSES = (0.5, 1.0)  # of the knob
_MOST_MM_PER_DEGREE = 100.0  # a turn about something 6 m away


@dataclass(frozen=True)
class Motion(Artifact):
    """Sudden movements cut the scan into segments; each segment's lines see one rigid pose.

    The order of acquisition says when each line is read, and a movement at time t of the scan lies
    before the first line that is read at t or later. Poses are relative to that of the segment
    that holds DC, so the object stays put; a line of segment s is F[T_s x](k), and y is the
    magnitude.

    T_s: rotation about the image centre by up to `rotation_deg`, and, with it, a translation on
    each axis by up to `mm_per_degree` times that. Bilinear interpolation, zeros from outside.
    Segments between sudden movements: Shaw et al., MIDL 2019. Of several coils, each coil's image
    moves, its sensitivity with it: exact for one coil, and for small movements. A bias of the same
    chain shades what is spliced. All slices of a scan share its history: when it moves, and where
    to.

    Where each slice is read in one go, as in single-shot imaging, a slice shows the object in one
    pose: that of its pass in an interleaved scan, the first of which is at rest. Movement out of
    the plane is not modelled.

    Attributes:
        movements: How often the object moves; there is one segment more.
        mm_per_degree: Translation that comes with rotation.
        order: In which order lines are read: 'sequential', 'interleaved', 'centre_out', or
            'echo_trains', as in the turbo spin echo of most protocols; see `kinds.timing`.
        interleaves: The passes of interleaved lines; or, between slices, of interleaved slices.
        echo_train: The echoes of a train.
        window: When it may move, from and to, as fractions of the scan.
        moves: 'between_lines', or 'between_slices', which needs their numbers in the scan.

    """

    name: ClassVar[str] = "motion"
    knob: ClassVar[Knob] = Knob(
        name="rotation_deg",
        meaning="largest rotation in degrees; each brings up to 0.4 mm of translation by default",
        physical=(1.0, 2.0, 5.0, 10.0, 15.0),
        limit=20.0,
    )
    stage: ClassVar[Stage] = Stage.OBJECT
    place: ClassVar[int] = 90
    smooth: ClassVar[bool] = True

    movements: int = 4
    mm_per_degree: float = 0.4  # the 2 mm per 5 degrees of a knee study
    order: Order = "echo_trains"
    interleaves: int = 2
    echo_train: int = 8
    window: tuple[float, float] = (0.0, 1.0)
    moves: Literal["between_lines", "between_slices"] = "between_lines"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("movements", self.movements, least=1)
        check_count("interleaves", self.interleaves, least=2)
        check_count("echo_train", self.echo_train, least=1)
        check_range("mm_per_degree", self.mm_per_degree, 0, _MOST_MM_PER_DEGREE)
        check_option("order", self.order, f"one of {', '.join(ORDERS)}", self.order in ORDERS)
        rising = len(self.window) == 2 and 0 <= self.window[0] < self.window[1] <= 1
        check_option("window", self.window, "two rising fractions from 0 to 1", rising)
        known = ("between_lines", "between_slices")
        check_option("moves", self.moves, f"one of {', '.join(known)}", self.moves in known)

    def draw(self, source: Source) -> Draws:
        """When a scan moves, in fractions of it, and where to, in units of the knob."""
        if self.moves == "between_slices":
            return self._draw_slices(source)
        n, scan = self.movements, source.scan
        low, high = self.window
        return {
            "event_time": np.sort(low + (high - low) * scan.uniform(n), axis=1),
            "unit_rotation": signed(scan.uniform(n), *_POSES),
            "unit_shift": signed(scan.uniform(2 * n), *_POSES).reshape(-1, n, 2),
        }

    def _draw_slices(self, source: Source) -> Draws:
        """Where each slice lies, in units of the knob; those of the first pass are at rest."""
        n = self.interleaves
        passes = source.numbers() % n
        moved = (passes > 0)[:, None]
        rotation = np.take_along_axis(signed(source.scan.uniform(n), *_POSES), passes[:, None], 1)
        shift = signed(source.scan.uniform(2 * n), *_POSES).reshape(-1, n, 2)
        own_shift = np.take_along_axis(shift, passes[:, None, None], axis=1)
        return {"unit_rotation": rotation * moved, "unit_shift": own_shift * moved[..., None]}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Splice":
        """Splice the lines of the moved object into those of the resting one."""
        drawn = as_tensors(draws)
        return _Splice(
            rotation_rad=torch.deg2rad(knob[:, None] * drawn["unit_rotation"]),
            shift_mm=self.mm_per_degree * knob[:, None, None] * drawn["unit_shift"],
            moved_lines=self._moved_lines(draws, frame.acquired),
        )

    def _moved_lines(self, draws: Draws, acquired: Lines) -> Factor:
        """Mark with 1 the lines that are seen in each pose: (S, B, N)."""
        if self.moves == "between_slices":
            return torch.ones(1, len(draws["unit_rotation"]), len(acquired), dtype=torch.float64)
        times = acquisition_times(acquired, self.order, self.interleaves, self.echo_train)
        return _moved_lines(draws["event_time"], times, float(times[_dc(acquired)]))


def _dc(acquired: Lines) -> int:
    """The acquired line that is nearest to DC."""
    (lines,) = np.nonzero(acquired)
    return int(lines[np.abs(lines - len(acquired) // 2).argmin()])


@dataclass(frozen=True, eq=False)
class _Splice(Operator):
    rotation_rad: Tensor  # (B, S), S the number of moved segments
    shift_mm: Tensor  # (B, S, 2)
    moved_lines: Factor  # (S, B, PE), 1 = seen in this pose

    def act(self, signal: Signal) -> Signal:
        image = signal.image()
        lines = to_kspace(image, PE)
        for difference, moved in self._errors(as_planes(image), signal.frame):
            error = to_kspace(from_planes(difference, like=image), PE)
            lines = lines + error * on_device(moved, lines)[:, None, None, :]
        return signal.with_lines(lines)

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        x = signal.plain()
        if x is None:
            return super().render(signal, out)
        errors = self._errors(x[:, None], signal.frame)
        return add_lines(x, ((difference[:, 0], moved) for difference, moved in errors), out)

    def _errors(self, planes: Tensor, frame: Frame) -> Iterator[tuple[Tensor, Factor]]:
        """T_s x - x of the moved segments, (B, planes, RO, PE), and the lines that see it."""
        poses = zip(self.rotation_rad.T, self.shift_mm.movedim(1, 0), strict=True)
        for (rotation_rad, shift_mm), moved in zip(poses, self.moved_lines, strict=True):
            yield rigid(planes, rotation_rad, shift_mm, frame.pixel_mm).sub_(planes), moved


def _moved_lines(
    event_time: NDArray[np.float64], times: NDArray[np.float64], dc_time: float
) -> Factor:
    """Mark with 1 the lines of each moved segment, not that of DC: (S, B, N).

    A movement before DC, or with it, ends a moved segment, one after DC begins one.

    Args:
        event_time: (B, S), rising.
        times: (N,), when each line is read.
        dc_time: When DC is read.

    """
    never = np.full((1, len(event_time)), np.inf)
    events = np.concatenate([-never, event_time.T, never])
    before_dc = events[1:-1] <= dc_time
    first = np.where(before_dc, events[:-2], events[1:-1])[..., None]
    end = np.where(before_dc, events[1:-1], events[2:])[..., None]
    return torch.from_numpy((first <= times) & (times < end)).to(torch.float64)


def rigid(
    planes: Tensor,
    rotation_rad: Tensor,
    shift_mm: Tensor,
    pixel_mm: NDArray[np.float64],
) -> Tensor:
    """Rotate every slice about its centre, then translate it.

    The map is affine, so a term of the row plus a term of the column; one complex number holds
    a position (real part along PE, imaginary along RO), so that their sum is a single broadcast.

    Args:
        planes: (B, planes, RO, PE) real.
        rotation_rad: (B,) float64, positive from the RO axis towards the PE axis.
        shift_mm: (B, 2) float64, along RO and PE.
        pixel_mm: (B, 2), along RO and PE.

    Returns:
        (B, planes, RO, PE); a new tensor.

    """
    pixels = torch.tensor(pixel_mm)
    half_ro, half_pe = (planes.shape[axis] * pixels[:, axis] / 2 for axis in (-2, -1))
    cos, sin = rotation_rad.cos(), rotation_rad.sin()
    rows, columns = (
        _centred(planes.shape[axis - 2]) * pixels[:, axis, None] - shift_mm[:, axis, None]
        for axis in (0, 1)
    )
    along_ro = rows * torch.complex(-sin / half_pe, cos / half_ro)[:, None]
    along_pe = columns * torch.complex(cos / half_pe, sin / half_ro)[:, None]
    grid = on_device(along_ro, planes)[:, :, None] + on_device(along_pe, planes)[:, None, :]
    # Gathering from what the grid drove out of the cache takes twice as long.
    near = planes.clone()
    return grid_sample(
        near,
        torch.view_as_real(grid),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )


def _centred(size: int) -> Tensor:
    """Places of pixels from the centre of an axis: (N,) float64."""
    return torch.arange(size, dtype=torch.float64) - (size - 1) / 2

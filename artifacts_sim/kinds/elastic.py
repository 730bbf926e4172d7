"""Elastic deformation: soft tissue lies otherwise than it did."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import PixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.rows import weighted_rows
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_count
from artifacts_sim.params import Draws, as_tensors

_ORDER = 3  # of the spline
_LOCKED = 2  # outermost rings of control points that stay put
_MOST_POINTS = 100  # cells of 2.5 mm
_FOLD_FREE = 1 / 2.0464  # of the control points' spacing


@dataclass(frozen=True)
class Elastic(Artifact):
    """y(r) = x(r + d(r)), d a uniform cubic B-spline of a grid of control points.

    n control points an axis are n - 3 cells, which span the encoded field of view from edge to
    edge; one control point lies outside of it on either side. The two outermost rings stay put,
    the others are displaced by up to the knob along each axis. Bilinear interpolation; beyond the
    edge the edge pixel goes on. Free-form deformation: Rueckert et al., IEEE Trans Med Imaging
    18:712 (1999). Of several coils, each coil's image is deformed, its sensitivity with it.

    Tissue never folds: displacements below 1 / 2.0464 of the control points' spacing are one to
    one (Choi and Lee, Graphical Models 62:411 (2000)), and the displacement along an axis ends
    there. That is 29.3 mm for a field of view of 240 mm, and less along a shorter side or with
    more control points. All slices of a scan are deformed alike.

    Attributes:
        control_points: How many along each axis.

    """

    name: ClassVar[str] = "elastic"
    knob: ClassVar[Knob] = Knob(
        name="displacement_mm",
        meaning="largest displacement of a control point along each axis, in mm; 7.5 is the most "
        "that TorchIO draws by default",
        physical=(1.0, 2.0, 3.0, 5.0, 7.5),
        limit=15.0,
    )
    stage: ClassVar[Stage] = Stage.OBJECT
    place: ClassVar[int] = 30
    smooth: ClassVar[bool] = True

    control_points: int = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("control_points", self.control_points, 2 * _LOCKED + 1, _MOST_POINTS)

    def draw(self, source: Source) -> Draws:
        """Displacements along RO and PE of the free control points, in units of the knob."""
        free = self.control_points - 2 * _LOCKED
        unit = 2 * source.scan.uniform(2 * free**2) - 1
        return {"unit_displacement": unit.reshape(-1, 2, free, free)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Warp":
        """Displace by pixels of the encoded matrix."""
        cells = self.control_points - _ORDER
        fold_free_px = _FOLD_FREE * torch.tensor(frame.encoded, dtype=torch.float64) / cells
        reach_px = torch.minimum(knob[:, None] / torch.tensor(frame.pixel_mm), fold_free_px)
        unit = as_tensors(draws)["unit_displacement"]
        return _Warp(reach_px[:, :, None, None] * unit, cells)


@dataclass(frozen=True, eq=False)
class _Warp(PixelOperator):
    displacement_px: Tensor  # (B, 2, free, free), the second axis along RO and PE
    cells: int

    def on_planes(self, planes: Tensor, signal: Signal) -> Tensor:
        grid = self._sources(signal.frame.encoded, planes).movedim(1, -1)
        near = planes.clone()  # gathering from what the grid drove out of the cache takes longer
        return grid_sample(near, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _sources(self, shape: tuple[int, int], like: Tensor) -> Tensor:
        """Where each pixel comes from, in grid_sample's coordinates: (B, 2, RO, PE), PE first.

        Cubic B-splines reproduce linear functions: control points at their own places leave every
        pixel at its own.
        """
        (number, weight), (columns, shares) = (_splines(size, self.cells) for size in shape)
        points = self._points(shape)
        along_pe = np.zeros((points.shape[-1], shape[1]))
        np.put_along_axis(along_pe, columns.T, shares.T, axis=0)
        rows = (points @ torch.from_numpy(along_pe)).to(like).flatten(0, 1)
        sums = weighted_rows(rows, number[None], np.stack([weight] * len(rows)))
        return sums.view(-1, 2, *shape)

    def _points(self, shape: tuple[int, int]) -> Tensor:
        """Where the control points go, -1 to 1 from edge to edge: (B, 2, n, n), PE first."""
        steps = torch.arange(self.cells + _ORDER, dtype=torch.float64)
        own = 2 * (steps - 1) / self.cells - 1
        per_px = 2 / torch.tensor(shape, dtype=torch.float64)[:, None, None]
        moving = (self.displacement_px * per_px).flip(1)
        points = pad(moving, (_LOCKED,) * 4)
        return points + torch.stack([own.expand(len(own), -1), own[:, None].expand(-1, len(own))])


def _splines(size: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The four control points that move each pixel of an axis, and their weights: (N, 4) each."""
    place = (np.arange(size) + 0.5) * (cells / size)
    cell = place.astype(np.int64)[:, None]
    t = place[:, None] - cell
    s = 1 - t
    inner = [4 - 3 * (1 + u) * v * v for u, v in ((s, t), (t, s))]
    return cell + np.arange(4), np.hstack([s * s * s, *inner, t * t * t]) / 6

"""Rigid motion: the head or knee moves between k-space lines."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from artifacts_sim.base import Artifact
from artifacts_sim.keyed import signed, uniform
from artifacts_sim.levels import LEVELS, Knob
from artifacts_sim.lines import add_lines, line_offsets
from artifacts_sim.params import Draws

FOV_FRACTION_PER_DEGREE = 0.0025  # 0.4 mm in 160 mm: the 2 mm per 5 degrees of a knee study
_EVENT_OFFSETS = (0.01, 0.10)  # of the scan: where movement shows most, DC line excluded
_POSES = (0.5, 1.0)  # of the knob


class Motion(Artifact):
    """Two sudden movements cut the scan in three; each segment's lines see one rigid pose.

    Lines are acquired one after the other along the phase encode axis, and an event at offset e
    lies before the first line with k / N >= e. Poses are relative to that of the segment that
    holds DC, so the object stays put; a line of segment s is F[T_s x](k), and y is the magnitude.

    T_s: rotation about the image centre by up to `degrees` (square pixels assumed), and, with
    it, a translation on each axis by up to 0.25 % of the field of view per degree; the API does
    not know the pixel size. Bilinear interpolation, zeros from outside. Segments between sudden
    movements: Shaw et al., MIDL 2019.
    """

    name: ClassVar[str] = "motion"
    knob: ClassVar[Knob] = LEVELS["motion"]
    n_words: ClassVar[int] = 8

    def _draw(self, bits: NDArray[np.uint64]) -> Draws:
        u = uniform(bits)
        return {
            "event_offset": np.sort(signed(u[:, :2], *_EVENT_OFFSETS), axis=1),
            "unit_rotation": signed(u[:, 2:4], *_POSES),
            "unit_shift": signed(u[:, 4:8], *_POSES).reshape(-1, 2, 2),
        }

    def _render(self, x: Tensor, draws: Draws, knob: float) -> Tensor:
        weights = _moved_lines(draws["event_offset"], x.shape[-1])
        x = x.clone()  # gathering from memory that no cache holds yet would take thrice as long
        return add_lines(x, zip(_differences(x, draws, knob), weights, strict=True))


def _moved_lines(event_offset: NDArray[np.float64], n_lines: int) -> NDArray[np.float64]:
    """Mark with 1 the centred lines of either moved segment: (2, B, N)."""
    time = line_offsets(n_lines) / n_lines
    segment = (event_offset[:, :, None] <= time).sum(axis=1)
    reference = (event_offset <= 0).sum(axis=1, keepdims=True)
    first = np.where(reference == 0, 1, 0)
    second = np.where(reference == 2, 1, 2)
    return np.stack([segment == first, segment == second]).astype(np.float64)


def _differences(x: Tensor, draws: Draws, knob: float) -> Iterator[Tensor]:
    """T_s x - x of the two moved segments, each (B, H, W)."""
    for s in range(2):
        rotation = np.deg2rad(knob * draws["unit_rotation"][:, s])
        shift = FOV_FRACTION_PER_DEGREE * knob * draws["unit_shift"][:, s]
        yield rigid(x, rotation, shift).sub_(x)


def rigid(x: Tensor, rotation_rad: NDArray[np.float64], shift: NDArray[np.float64]) -> Tensor:
    """Rotate every slice about its centre, then translate it.

    Args:
        x: (B, H, W), real or complex.
        rotation_rad: (B,), positive from the H axis towards the W axis.
        shift: (B, 2), along H and W, as fractions of the field of view.

    Returns:
        (B, H, W) of x's dtype; a new tensor.

    """
    planes = torch.view_as_real(x).movedim(-1, 1) if x.is_complex() else x[:, None]
    along_h, along_w = _sources(rotation_rad, shift, (x.shape[1], x.shape[2]))
    grid = torch.view_as_real(along_h.to(x.device) + along_w.to(x.device))
    moved = grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if x.is_complex():
        return torch.view_as_complex(moved.movedim(1, -1).contiguous())
    return moved[:, 0]


def _sources(
    rotation_rad: NDArray[np.float64], shift: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Where each pixel comes from, in grid_sample's coordinates: (B, H, 1) plus (B, 1, W).

    The map is affine, so a term of the row plus a term of the column; one complex number holds
    a position (real part along W, imaginary along H), so that their sum is a single broadcast.
    """
    H, W = shape
    cos, sin = np.cos(rotation_rad)[:, None], np.sin(rotation_rad)[:, None]
    rows = np.arange(H) - (H - 1) / 2 - shift[:, :1] * H
    columns = np.arange(W) - (W - 1) / 2 - shift[:, 1:] * W
    along_h = (rows * (-2 * sin / W + 2j * cos / H)).astype(np.complex64)
    along_w = (columns * (2 * cos / W + 2j * sin / H)).astype(np.complex64)
    return torch.from_numpy(along_h)[:, :, None], torch.from_numpy(along_w)[:, None, :]

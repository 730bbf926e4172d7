"""How a patient lies in the image: flips, rotation, shift, size and crop, in one resampling.

Pixels beyond the edge are 0, as air is: anything else would invent anatomy. Interpolation is
bilinear: it keeps a magnitude within the range of its neighbours, where a sharper kernel rings
below 0. Turned about in mm where the size of a pixel is known, so that no rotation shears.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from artifacts_sim import Names
from artifacts_sim.keyed import Source
from sweep.config.augment import AugmentSettings
from sweep.store.geometry import PixelMm

MOST_ASPECT = 4 / 3  # of a crop, arXiv 1409.4842
Vectors = NDArray[np.float64]  # (B, 2): along rows (down), along columns (to the right)


@dataclass(frozen=True, eq=False)
class Pose:
    """Where B slices of any size are taken from; all is about the centre of the image.

    The patient is mirrored, then turned and scaled, then moved; then a window is cut out and shown
    at full size.

    Attributes:
        mirrored: (B, 2) bool, whether rows, and columns, are in reverse order.
        angle: (B,) radians, counter-clockwise as the image is shown.
        factor: (B,) the patient's size over what it was.
        shift: (B, 2) by which the patient moves, as a fraction of the image's size.
        window: (B, 2) the size of the window, as a fraction of the image's.
        offset: (B, 2) of the window's centre from the image's, as a fraction of the image's size.

    """

    mirrored: NDArray[np.bool_]
    angle: NDArray[np.float64]
    factor: NDArray[np.float64]
    shift: Vectors
    window: Vectors
    offset: Vectors

    def __call__(self, images: Tensor, pixel_mm: Sequence[PixelMm | None]) -> Tensor:
        """Show the slices in this pose.

        Args:
            images: (B, H, W) magnitude.
            pixel_mm: The pixel mm of each slice: between rows, between columns; None: square.

        Returns:
            (B, H, W). A slice that is only mirrored has its very pixels.

        """
        down, across = torch.from_numpy(self.mirrored).to(images.device).unbind(1)
        images = torch.where(down[:, None, None], images.flip(1), images)
        images = torch.where(across[:, None, None], images.flip(2), images)
        moved = self._moved()
        if not len(moved):
            return images
        at = torch.from_numpy(moved).to(images.device)
        matrix, offset = self._sources(images.shape[1:], pixel_mm)
        images[at] = _resampled(images[at], matrix[moved], offset[moved])
        return images

    def _moved(self) -> NDArray[np.intp]:
        """The places of the slices that are more than mirrored."""
        turned = (self.angle != 0) | (self.factor != 1)
        moved = np.any(self.shift != 0, axis=1) | np.any(self.window != 1, axis=1)
        return np.flatnonzero(turned | moved)

    def _sources(
        self, shape: Sequence[int], pixel_mm: Sequence[PixelMm | None]
    ) -> tuple[NDArray[np.float64], Vectors]:
        """Where a pixel comes from: p -> A p + b, in pixels from the centre; (B, 2, 2), (B, 2)."""
        mm = np.array([one or (1.0, 1.0) for one in pixel_mm])
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        # Of rows that go down and columns that go right; the inverse, as it leads back.
        turn = np.stack([np.stack([cosine, sine], 1), np.stack([-sine, cosine], 1)], 1)
        back = turn * (mm[:, None, :] / mm[:, :, None]) / self.factor[:, None, None]
        size = np.array(shape, np.float64)
        moved = (self.offset - self.shift) * size
        return back * self.window[:, None, :], (back @ moved[:, :, None])[:, :, 0]


def _resampled(images: Tensor, matrix: NDArray[np.float64], offset: Vectors) -> Tensor:
    """Take each pixel p, from the centre, from A p + b: bilinear, 0 beyond the edge.

    Args:
        images: (B, H, W).
        matrix: (B, 2, 2) A.
        offset: (B, 2) b in pixels.

    """
    height, width = images.shape[1:]
    y, x = (
        torch.arange(side, dtype=torch.float32, device=images.device) - (side - 1) / 2
        for side in (height, width)
    )
    values = np.concatenate([matrix.reshape(-1, 4), offset], 1).astype(np.float32)
    # One by one, not as a product of matrices, whose rounding would depend on the other slices.
    a, b, c, d, e, f = torch.from_numpy(values).to(images.device)[..., None, None].unbind(1)
    rows, columns = y[:, None], x[None, :]
    down = a * rows + b * columns + e
    across = c * rows + d * columns + f
    grid = torch.stack([across * (2 / width), down * (2 / height)], dim=3)
    return functional.grid_sample(
        images[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )[:, 0]


def is_posed(settings: AugmentSettings) -> bool:
    """Whether slices may get another pose."""
    s = settings
    moves = (s.flip_horizontal, s.flip_vertical, s.rotate, s.translate, s.scale)
    return any(moves) or s.crop < 1


def drawn_pose(settings: AugmentSettings, names: Names, seed: int) -> Pose:
    """Draw a pose for each slice, by its key; no setting changes what is drawn for another.

    Args:
        settings: How far.
        names: What each of B slices is called.
        seed: Key of the draws.

    """
    u = Source("pose", seed, Names(names.keys)).uniform(10)
    either_way = 2 * u[:, 2:6] - 1
    share = settings.crop + (1 - settings.crop) * u[:, 6]
    # Evenly in the logarithm, so that upright is as likely as wide; a window fits into the image.
    most = np.minimum(math.log(MOST_ASPECT), -np.log(share))
    aspect = np.exp(most * (2 * u[:, 7] - 1))
    window = np.sqrt(np.stack([share / aspect, share * aspect], 1)).clip(max=1)
    return Pose(
        mirrored=u[:, :2] < (settings.flip_vertical, settings.flip_horizontal),
        angle=math.radians(settings.rotate) * either_way[:, 0],
        factor=1 + settings.scale * either_way[:, 1],
        shift=settings.translate * either_way[:, 2:4],
        window=window,
        offset=(1 - window) * (u[:, 8:10] - 0.5),
    )

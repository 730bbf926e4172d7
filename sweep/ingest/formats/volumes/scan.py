"""What a file says of the volumes in it before a voxel is read; every reader makes this."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.ingest.formats.planes import Grid, View

REAL_KINDS = "iuf"
SLICES_FIRST = View()
SLICES_LAST = View((2, 1, 0))
MOST_PACKED = 1100  # times that a file can be smaller than its voxels; deflate reaches 1032


@dataclass(frozen=True)
class Scan:
    """The volumes of a file, all on one grid.

    Attributes:
        paths: The files that it is made of.
        grid: Where the voxels of each volume lie.
        acquired: The grid as (slice, row, column).
        count: The number of volumes.
        dtype: Of the voxels as they are stored.
        voxels: Reads the numbered volume: real numbers in the grid's shape.
        starts: Where the voxels begin in the last of the files; None = they are compressed.

    """

    paths: tuple[Path, ...]
    grid: Grid
    acquired: View
    count: int
    dtype: np.dtype[np.generic]
    voxels: Callable[[int], NDArray[np.generic]]
    starts: int | None = None

    def check(self, path: Path, kinds: Sequence[str] = REAL_KINDS) -> None:
        """Find what cannot be right by the kind of the voxels or the length of the files.

        Args:
            path: For messages.
            kinds: Kinds of voxels that can be right, by NumPy's letters.

        Raises:
            UnusableError: Voxels that are no real numbers; none; more than the files can hold.

        """
        if self.dtype.kind not in kinds:
            raise UnusableError(
                "the voxels are not real numbers",
                f"{path} with voxels {_kind(self.dtype)}",
                "save one channel, or the magnitude",
            )
        needed = self.count * math.prod(self.grid.shape) * self.dtype.itemsize
        length = self.paths[-1].stat().st_size
        if self.starts is None:
            promised, length = needed, length * MOST_PACKED
        else:
            promised = self.starts + needed
        if length < promised:
            raise UnusableError(
                "the file is truncated: it ends before the last voxel that its header promises",
                f"{path} with {self.paths[-1].stat().st_size} of {promised} bytes",
                "copy or convert it again",
            )


def refuse_shape(path: Path, shape: str) -> UnusableError:
    """For a file of a shape that is not that of volumes."""
    return UnusableError(
        "the file does not hold volumes with three axes and at least one voxel",
        f"{path} of size {shape}",
        "save each volume alone, as real numbers with three axes",
    )


def _kind(dtype: np.dtype[np.generic]) -> str:
    return "in colour" if dtype.fields else "complex" if dtype.kind == "c" else str(dtype)

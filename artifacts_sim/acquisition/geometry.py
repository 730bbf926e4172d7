"""How a slice was encoded: what turns lines, samples and pixels into physics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.errors import ArtifactError

FIELD_OF_VIEW_MM = 240.0  # of the longer side of an image that comes without a pixel size


@dataclass(frozen=True)
class Geometry:
    """What a user knows of the acquisition; what is not said is read from the data.

    Attributes:
        encoded: (RO, PE) samples of the encoded matrix, zero-filled lines included. An image is
            its centre; by default, all of it.
        acquired: Numbers of the phase-encode lines that were measured, 0 to PE - 1; by default
            all. Noise falls on these only.
        crop: (RO, PE) pixels that are shown, of the centre of the encoded matrix; by default all
            of it. An image is already cropped.
        pixel_mm: (RO, PE) pixel size in mm; by default square pixels, with a field of view of
            240 mm on the longer side of what is shown.
        phase_axis: The phase axis of an image (B, H, W), the axis of phase encoding. k-space is
            (RO, PE) always.

    """

    encoded: tuple[int, int] | None = None
    acquired: Sequence[int] | None = None
    crop: tuple[int, int] | None = None
    pixel_mm: tuple[float, float] | None = None
    phase_axis: Literal["H", "W"] = "W"

    def __post_init__(self) -> None:
        if self.phase_axis not in ("H", "W"):
            raise ArtifactError(
                "the phase axis of an image is not 'H' or 'W'",
                repr(self.phase_axis),
                "name the axis of (B, H, W) that is phase encoding",
            )
        if self.pixel_mm is not None and not all(0 < side < np.inf for side in self.pixel_mm):
            raise ArtifactError(
                "the pixel sizes are not finite numbers above 0 mm, (RO, PE)",
                repr(self.pixel_mm),
                "give the size of a pixel along RO and PE, or leave pixel_mm out",
            )


@dataclass(frozen=True, eq=False)
class Frame:
    """A geometry with nothing left open.

    Attributes:
        encoded: (RO, PE) samples.
        acquired: (PE,) bool.
        crop: (RO, PE) pixels.
        pixel_mm: (RO, PE).

    """

    encoded: tuple[int, int]
    acquired: NDArray[np.bool_]
    crop: tuple[int, int]
    pixel_mm: tuple[float, float]

    @property
    def cut(self) -> tuple[slice, slice]:
        """Where the shown pixels lie in the encoded matrix; the centres N // 2 coincide."""
        along_ro, along_pe = map(_centre, self.encoded, self.crop)
        return along_ro, along_pe


def frame_of_image(geometry: Geometry, shape: tuple[int, int]) -> Frame:
    """Complete the geometry of an image of (RO, PE) pixels.

    Raises:
        ArtifactError: The image is larger than the encoded matrix, or not the crop it is said
            to be, or a line is outside.

    """
    encoded = geometry.encoded or shape
    if geometry.crop not in (None, shape) or any(map(int.__gt__, shape, encoded)):
        raise ArtifactError(
            "the image is larger than its encoded matrix, or not as large as its crop",
            f"{shape} (RO, PE) pixels for encoded={geometry.encoded}, crop={geometry.crop}, "
            f"phase_axis={geometry.phase_axis!r}",
            "give the geometry of this image",
        )
    return _frame(geometry, encoded, shape)


def frame_of_kspace(geometry: Geometry, shape: tuple[int, int]) -> Frame:
    """Complete the geometry of k-space of (RO, PE) samples.

    Raises:
        ArtifactError: Another matrix, a crop larger than it, a line outside of it, or a phase
            axis other than the last.

    """
    if geometry.phase_axis != "W":
        raise ArtifactError(
            "the phase axis of k-space is not its last axis",
            f"phase_axis={geometry.phase_axis!r}",
            "transpose the samples to (RO, PE), and leave phase_axis out",
        )
    crop = geometry.crop or shape
    if geometry.encoded not in (None, shape) or any(map(int.__gt__, crop, shape)):
        raise ArtifactError(
            "the k-space does not fill its encoded matrix, or the crop is larger than it",
            f"{shape} (RO, PE) samples for encoded={geometry.encoded}, crop={geometry.crop}",
            "give the geometry of this k-space",
        )
    return _frame(geometry, shape, crop)


def _frame(geometry: Geometry, encoded: tuple[int, int], crop: tuple[int, int]) -> Frame:
    pixel = FIELD_OF_VIEW_MM / max(crop)
    return Frame(
        encoded=encoded,
        acquired=_acquired(geometry.acquired, encoded[1]),
        crop=crop,
        pixel_mm=geometry.pixel_mm or (pixel, pixel),
    )


def _acquired(lines: Sequence[int] | None, n_lines: int) -> NDArray[np.bool_]:
    if lines is None:
        return np.ones(n_lines, dtype=np.bool_)
    numbers = np.asarray(lines)
    if not (numbers.size and numbers.min() >= 0 and numbers.max() < n_lines):
        raise ArtifactError(
            f"the acquired lines are not numbers from 0 to {n_lines - 1}, at least one",
            f"{list(lines)!r:.100}",
            "number the measured lines from 0: for the 372 central ones of 400 pass range(14, 386)",
        )
    return np.isin(np.arange(n_lines), numbers)


def _centre(size: int, part: int) -> slice:
    start = size // 2 - part // 2
    return slice(start, start + part)

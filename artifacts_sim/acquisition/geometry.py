"""How a slice was encoded: what turns lines, samples and pixels into physics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.checks import check_pixel_count, check_pixel_sizes, checked_lines, checked_sizes
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.values import checked_slices

FIELD_OF_VIEW_MM = 240.0  # of the longer side of an image that comes without a pixel size

PixelMm = tuple[float, float]
Lines = NDArray[np.bool_]


@dataclass(frozen=True)
class Geometry:
    """What a user knows of the acquisition; what is not said is read from the data.

    Attributes:
        encoded: (RO, PE) samples of the encoded matrix, zero-filled lines included. An image is
            its centre; by default, all of it.
        acquired: The phase-encode lines that were measured: their numbers, 0 to PE - 1, or a truth
            value for each line; by default all. Noise falls on these only, and whatever moves or
            shades the object leaves the others empty: so it also cuts an image to these lines that
            has more in it, as a magnitude has.
        crop: (RO, PE) pixels that are shown, of the centre of the encoded matrix; by default all
            of it. An image is already cropped.
        pixel_mm: (RO, PE) pixel size in mm, one for all slices or one for each; by default square
            pixels, with a field of view of 240 mm on the longer side of what is shown.
        phase_axis: The phase axis of an image (B, H, W), the axis of phase encoding. k-space is
            (RO, PE) always.
        native: (RO, PE) pixels that the shown field of view had before the image was resized; by
            default it was not. Knobs that count pixels count these.

    Raises:
        ArtifactError: A value that none of these can be.

    """

    encoded: tuple[int, int] | None = None
    acquired: Sequence[int] | NDArray[Any] | None = None
    crop: tuple[int, int] | None = None
    pixel_mm: PixelMm | Sequence[PixelMm] | None = None
    phase_axis: Literal["H", "W"] = "W"
    native: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.phase_axis, str) or self.phase_axis not in ("H", "W"):
            raise ArtifactError(
                "the phase axis of an image is not 'H' or 'W'",
                shown(self.phase_axis),
                "name the axis of (B, H, W) that is phase encoding",
            )
        for name in ("encoded", "crop", "native"):
            sizes = getattr(self, name)
            object.__setattr__(self, name, None if sizes is None else checked_sizes(name, sizes))
        if self.pixel_mm is not None:
            check_pixel_sizes(self.pixel_mm)
        if self.acquired is not None and checked_lines(self.acquired) is None:
            raise _no_lines(self.acquired, "PE - 1")

    def __getitem__(self, part: Any) -> "Geometry":
        """Take the geometry of some of the slices: see `KSpace`.

        Raises:
            ArtifactError: The index takes none, or is no index of them.

        """
        if self.pixel_mm is None:
            return self
        sizes = np.array(self.pixel_mm, ndmin=2)
        if len(sizes) == 1:
            return self
        return replace(self, pixel_mm=sizes[checked_slices(part, len(sizes))].tolist())


@dataclass(frozen=True, eq=False)
class Frame:
    """A geometry with nothing left open, of B slices.

    Attributes:
        encoded: (RO, PE) samples.
        acquired: (PE,) bool.
        crop: (RO, PE) pixels.
        pixel_mm: (1 or B, 2), along RO and PE, of all slices or of each.
        native_px: (RO, PE) how many of these pixels one pixel of before a resize is.

    """

    encoded: tuple[int, int]
    acquired: Lines
    crop: tuple[int, int]
    pixel_mm: NDArray[np.float64]
    native_px: tuple[float, float]

    def __getitem__(self, part: slice | NDArray[np.int64]) -> "Frame":
        """Take the frame of some of the slices."""
        return self if len(self.pixel_mm) == 1 else replace(self, pixel_mm=self.pixel_mm[part])

    @property
    def cut(self) -> tuple[slice, slice]:
        """Where the shown pixels lie in the encoded matrix; the centres N // 2 coincide."""
        along_ro, along_pe = map(centre, self.encoded, self.crop)
        return along_ro, along_pe

    def with_lines(self, count: int) -> "Frame":
        """Encode a field of view of fewer pixels along phase encode, each as large as before.

        Its lines lie further apart. One is acquired where the line nearest to its place was, and
        no more pixels are shown than there are.

        Args:
            count: The new number of phase-encode pixels, and so of lines.

        """
        n_lines = self.encoded[1]
        place = (np.arange(count) - count // 2) * (n_lines / count)
        nearest = np.clip(np.rint(place).astype(np.int64) + n_lines // 2, 0, n_lines - 1)
        return replace(
            self,
            encoded=(self.encoded[0], count),
            acquired=self.acquired[nearest],
            crop=(self.crop[0], min(self.crop[1], count)),
        )


def frame_of_image(geometry: Geometry, shape: tuple[int, int], batch: int) -> Frame:
    """Complete the geometry of B images of (RO, PE) pixels.

    Raises:
        ArtifactError: The image is larger than the encoded matrix, or not the crop it is said
            to be, or a line is outside, or there are other numbers of pixel sizes and slices.

    """
    encoded = geometry.encoded or shape
    if geometry.crop not in (None, shape) or any(map(int.__gt__, shape, encoded)):
        raise ArtifactError(
            "the image is larger than its encoded matrix, or not as large as its crop",
            f"{shape} (RO, PE) pixels for encoded={geometry.encoded}, crop={geometry.crop}, "
            f"phase_axis={geometry.phase_axis!r}",
            "give the geometry of this image",
        )
    return _frame(geometry, encoded, shape, batch)


def frame_of_kspace(geometry: Geometry, shape: tuple[int, int], batch: int) -> Frame:
    """Complete the geometry of B slices of (RO, PE) samples of k-space.

    Raises:
        ArtifactError: Another matrix, a crop larger than it, a line outside of it, a phase axis
            other than the last, or other numbers of pixel sizes and slices.

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
    return _frame(geometry, shape, crop, batch)


def centre(size: int, part: int) -> slice:
    """Where the central part of an axis lies; the centres N // 2 coincide."""
    start = size // 2 - part // 2
    return slice(start, start + part)


def _frame(
    geometry: Geometry, encoded: tuple[int, int], crop: tuple[int, int], batch: int
) -> Frame:
    native = geometry.native or crop
    return Frame(
        encoded=encoded,
        acquired=_acquired(geometry.acquired, encoded[1]),
        crop=crop,
        pixel_mm=_pixels(geometry.pixel_mm, crop, batch),
        native_px=(crop[0] / native[0], crop[1] / native[1]),
    )


def _pixels(
    given: PixelMm | Sequence[PixelMm] | None, crop: tuple[int, int], batch: int
) -> NDArray[np.float64]:
    if given is None:
        return np.full((1, 2), FIELD_OF_VIEW_MM / max(crop))
    pixels = np.array(given, dtype=np.float64, ndmin=2)
    check_pixel_count(pixels, batch)
    return pixels


def _acquired(lines: Sequence[int] | NDArray[Any] | None, n_lines: int) -> Lines:
    if lines is None:
        return np.ones(n_lines, dtype=np.bool_)
    given = checked_lines(lines)
    if given is not None and given.dtype == np.bool_:
        if len(given) == n_lines:
            return given.copy()
    elif given is not None and given.min() >= 0 and given.max() < n_lines:
        return np.isin(np.arange(n_lines), given)
    raise _no_lines(lines, n_lines - 1)


def _no_lines(lines: object, last: object) -> ArtifactError:
    return ArtifactError(
        f"the acquired lines are neither different numbers from 0 to {last}, nor a "
        "truth value for each line, with one line at least",
        shown(lines),
        "number the measured lines from 0, for the 372 central ones of 400 range(14, 386), or "
        "pass truth values, mask.astype(bool)",
    )

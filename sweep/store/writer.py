"""A store in the making: each slice goes to its own place, from any process, in any order."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.store.digests import content_digest, perceptual_hash
from sweep.store.geometry import Frame
from sweep.store.layout import (
    KSPACE,
    MEASURED,
    chunk_offsets,
    frame_slices,
    offset_of,
)

LEAST = -126  # exponent of the smallest normal float32
HALF_PEAK = 15  # a float16 slice is scaled to a peak of 2^14 to 2^15, far from either end


class Ready(NamedTuple):
    """A slice as it will stand in the file, and what follows from it but for its digest.

    Attributes:
        pixels: (H, W), before scaling.
        scale: ().
        kspace: (coil, RO, PE) in the frame of the store; None where none is kept.
        value_range: (2,) least and greatest pixel, in the source's units.
        perceptual_hash: See ``sweep.store.digests``.

    """

    pixels: NDArray[Any]
    scale: NDArray[Any] | np.float32
    kspace: NDArray[np.complex64] | None
    value_range: NDArray[np.float32]
    perceptual_hash: np.uint64


class StoreWriter:
    """An open draft; HDF5 says once where everything lies, and is not asked again.

    Attributes:
        shape: (H, W) of every image.
        frame: The sizes that k-space is zero-filled to, None where none is kept.

    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._descriptor = descriptor
        with h5py.File(path, "r", locking=False) as file:
            self._pixels = file["images"].dtype
            self.shape: tuple[int, int] = file["images"].shape[1:]
            self._places = {name: offset_of(file[name]) for name in ("images", *MEASURED)}
            self._fingerprint = offset_of(file["fingerprint"])
            kept = "kspace" in file
            self.frame = Frame(*file["kspace"].shape[1:]) if kept else None
            self._chunks = chunk_offsets(file["kspace"]) if kept else np.empty(0, np.int64)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a draft for writing."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            yield cls(path, descriptor)
        finally:
            os.close(descriptor)

    def write(
        self,
        row: int,
        image: NDArray[np.float32],
        kspace: NDArray[np.complex64] | None,
        origin: str,
    ) -> bytes:
        """Write one slice; the digest of what is stored.

        Args:
            row: Number of the slice.
            image: As the other arguments, see ``prepare``, whose errors it raises.
            kspace: See there.
            origin: See there.

        """
        return self.put(row, self.prepare(image, kspace, origin))

    def prepare(
        self, image: NDArray[np.float32], kspace: NDArray[np.complex64] | None, origin: str
    ) -> Ready:
        """Check a slice and measure it; nothing is written.

        Args:
            image: (H, W).
            kspace: (coil, RO, PE) in the slice's own sizes; None where the store keeps none.
            origin: How to name the slice in messages.

        Raises:
            UnusableError: A value that is not finite.
            ValueError: Sizes that do not fit the store.

        """
        self._check(image, kspace, origin)
        whole = self._pixels.itemsize == 4
        scale = np.float32(1) if whole else half_scale(image)
        pixels = np.ascontiguousarray(image if whole else image / scale, self._pixels)
        return _measured(pixels, scale, self._framed(kspace))

    def put(self, row: int, one: Ready) -> bytes:
        """Write a slice that is ready; its digest. It waits for the disk, and holds no lock."""
        self._write("images", row, one.pixels)
        self._write("scale", row, one.scale)
        if one.kspace is not None:
            self._write_at(int(self._chunks[row]), one.kspace)
        return self._write_measures(row, one)

    def measure(self, row: int) -> bytes:
        """Write what follows from a slice that is there; its digest."""
        return self._write_measures(row, self._stored(row))

    def copy(self, row: int, other: "StoreWriter", from_row: int) -> bytes:
        """Take a slice of another draft of the same form as it is stored; its digest."""
        return self.put(row, other._stored(from_row))

    def finish(self, fingerprint: str) -> None:
        """Write the fingerprint, last of all, and wait for the disk."""
        os.pwrite(self._descriptor, fingerprint.encode(), self._fingerprint)
        os.fsync(self._descriptor)

    def _check(
        self, image: NDArray[np.float32], kspace: NDArray[np.complex64] | None, origin: str
    ) -> None:
        if image.shape != self.shape or (kspace is None) != (self.frame is None):
            raise ValueError(
                f"the slice is not {self.shape} with k-space in {self.frame}; "
                f"received {image.shape} with {None if kspace is None else kspace.shape} "
                f"at {origin}"
            )
        for values in (image, kspace):
            if values is not None and not _finite(values):
                raise UnusableError(
                    "pixels or samples are not finite numbers",
                    f"{origin}, which has NaN or infinity",
                    "repair the file",
                )

    def _write_measures(self, row: int, one: Ready) -> bytes:
        digest = content_digest(one.scale, one.pixels, one.kspace)
        self._write("value_range", row, one.value_range)
        self._write("perceptual_hash", row, one.perceptual_hash)
        self._write("digest", row, np.frombuffer(digest, np.uint8))
        return digest

    def _stored(self, row: int) -> Ready:
        kspace = None
        if self.frame is not None:
            kspace = self._read_at(int(self._chunks[row]), KSPACE, self.frame)
        return _measured(
            self._read("images", row, self._pixels, self.shape),
            self._read("scale", row, np.dtype("<f4"), ()),
            kspace,
        )

    def _framed(self, kspace: NDArray[np.complex64] | None) -> NDArray[np.complex64] | None:
        if kspace is None or self.frame is None:
            return None
        if kspace.shape == self.frame:
            return np.ascontiguousarray(kspace, KSPACE)
        framed = np.zeros(self.frame, KSPACE)
        framed[frame_slices(self.frame, *kspace.shape)] = kspace
        return framed

    def _write(self, name: str, row: int, value: NDArray[np.generic] | np.generic) -> None:
        kind = self._pixels if name == "images" else np.dtype(MEASURED[name][1])
        values = np.ascontiguousarray(value, kind)
        self._write_at(self._places[name] + row * values.nbytes, values)

    def _write_at(self, offset: int, values: NDArray[np.generic]) -> None:
        left = _bytes(values)
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            offset, left = offset + written, left[written:]

    def _read(self, name: str, row: int, kind: np.dtype[Any], shape: Sequence[int]) -> NDArray[Any]:
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        return self._read_at(self._places[name] + row * size, kind, shape)

    def _read_at(self, offset: int, kind: np.dtype[Any], shape: Sequence[int]) -> NDArray[Any]:
        values = np.empty(shape, kind)
        buffer = _bytes(values)
        while buffer:
            read = os.preadv(self._descriptor, [buffer], offset)
            if not read:
                raise OSError("the draft of the store ends before its last value")
            offset, buffer = offset + read, buffer[read:]
        return values


def _finite(values: NDArray[np.inexact[Any]]) -> bool:
    """Whether all are finite numbers: the least and the greatest say it, and take no memory."""
    parts = np.ascontiguousarray(values).view(values.real.dtype)
    return bool(np.isfinite([parts.min(), parts.max()]).all())


def _measured(
    pixels: NDArray[Any],
    scale: NDArray[Any] | np.float32,
    kspace: NDArray[np.complex64] | None,
) -> Ready:
    whole = pixels.dtype.itemsize == 4  # then the scale is 1, and the pixels need no copy
    image = pixels if whole else pixels.astype(np.float32) * np.float32(scale)
    value_range = np.array([image.min(), image.max()])
    return Ready(pixels, scale, kspace, value_range, perceptual_hash(image))


def _bytes(values: NDArray[Any]) -> memoryview:
    return memoryview(values.reshape(-1).view(np.uint8).data)


def half_scale(image: NDArray[np.float32]) -> np.float32:
    """The power of two that brings the peak of a slice near the top of float16.

    Then every pixel above 2^-28 of the peak keeps float16's 11 bits, whatever the source's units.

    Args:
        image: (H, W), finite.

    """
    _, exponent = np.frexp(np.abs(image).max())
    return np.float32(np.ldexp(1.0, max(int(exponent) - HALF_PEAK, LEAST)))

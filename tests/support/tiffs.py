"""TIFF files byte by byte, of kinds that Pillow does not write; and what Pillow writes, damaged."""

import struct
from collections.abc import Iterator

import numpy as np

SHORT, LONG = 3, 4


def tiff(pixels: np.ndarray, order: str = "<", **tags: int | tuple[int, ...]) -> bytes:
    """An uncompressed TIFF of one strip.

    Args:
        pixels: (H, W) or (H, W, C); stored with their own type.
        order: '<' little or '>' big endian.
        tags: ``tNUMBER``, in place of what the pixels say.

    """
    channels = pixels.shape[2] if pixels.ndim > 2 else 1
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    said: dict[int, int | tuple[int, ...]] = {
        256: pixels.shape[1],
        257: pixels.shape[0],
        258: (8 * pixels.itemsize,) * channels,
        259: 1,
        262: 2 if channels > 1 else 1,
        277: channels,
        278: pixels.shape[0],
        279: pixels.nbytes,
        339: (kind,) * channels,
        **{int(name[1:]): value for name, value in tags.items()},
    }
    content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    after = 8 + len(content)
    said[273] = 8
    entries, beyond = b"", b""
    place = after + 2 + 12 * len(said) + 4
    for number, value in sorted(said.items()):
        values = value if isinstance(value, tuple) else (value,)
        type_, code = (LONG, "I") if number in (273, 279) else (SHORT, "H")
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > 4:
            entries += struct.pack(f"{order}HHII", number, type_, len(values), place + len(beyond))
            beyond += packed
        else:
            entries += struct.pack(f"{order}HHI", number, type_, len(values)) + packed.ljust(
                4, b"\0"
            )
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, after)
    directory = struct.pack(f"{order}H", len(said)) + entries + struct.pack(f"{order}I", 0)
    return head + content + directory + beyond


def damages(whole: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The file with bits flipped, bytes replaced, parts swapped, or its end missing."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        damaged = bytearray(whole)
        places = generator.integers(0, len(whole), 1 + number % 5)
        # Where headers are: the first bytes, and of a TIFF the last ones.
        near = generator.integers(0, min(400, len(whole)), len(places))
        places = np.where(generator.random(len(places)) < 0.5, near, places)
        if generator.random() < 0.25:
            places = len(whole) - 1 - near
        kind = number % 4
        if kind == 0:
            for place in places:
                damaged[place] ^= 1 << generator.integers(8)
        elif kind == 1:
            for place in places:
                damaged[place] = generator.integers(256)
        elif kind == 2:
            a, b = sorted([int(places[0]), int(generator.integers(len(whole)))])
            length = int(min(12, b - a, len(whole) - b))
            first, second = damaged[a : a + length], damaged[b : b + length]
            damaged[a : a + length], damaged[b : b + length] = second, first
        else:
            damaged = damaged[: int(generator.integers(len(whole)))]
        yield bytes(damaged)

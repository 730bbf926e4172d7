"""Two hashes of a slice: one that any change of it changes, one that is alike for like images."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32  # pixels that the image is averaged to
KEPT = 8  # lowest frequencies of each axis


def content_digest(
    scale: NDArray[Any] | np.float32, pixels: NDArray[Any], kspace: NDArray[np.complex64] | None
) -> bytes:
    """SHA-256 of a slice as it is stored.

    Args:
        scale: ().
        pixels: (H, W), before scaling.
        kspace: (coil, RO, PE) in the frame of the store; None where none is kept.

    """
    hashed = hashlib.sha256(scale.tobytes())
    for values in (pixels, kspace):
        if values is not None:
            hashed.update(np.ascontiguousarray(values).data)
    return hashed.digest()


def perceptual_hash(image: NDArray[np.float32]) -> np.uint64:
    """Hash the coarse structure of an image to 64 bits.

    The image is averaged to 32 x 32 pixels; of its cosine transform the 8 x 8 lowest frequencies
    are kept, and a bit says which lie above their median. The mean (the first of them) is left
    out, so adding a constant or multiplying by a positive one changes no bit but by rounding.
    After Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010).

    Args:
        image: (H, W), finite.

    """
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
    frequencies = (_COSINES @ small @ _COSINES.T).ravel()[1:]
    bits = frequencies > np.sort(frequencies)[len(frequencies) // 2]  # their number is odd
    return np.uint64(int.from_bytes(np.packbits(bits), "big"))


def _cosines() -> NDArray[np.float64]:
    """The first rows of the type II cosine transform, (KEPT, SIDE)."""
    places = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    return np.cos(np.arange(KEPT)[:, None] * places)


_COSINES = _cosines()

"""Random numbers from keys: a slice's draws depend on its own key and on nothing else.

Every number comes straight from a BLAKE2b digest of (artifact, seed, key), so neither the order
of the slices, nor the batch, nor the worker, nor any global generator can change it, and drawing
costs a microsecond instead of a generator's construction.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_WORDS_PER_DIGEST = 8  # 64 bytes


def words(name: str, seed: int, keys: Sequence[str], count: int) -> NDArray[np.uint64]:
    """Return independent uniform 64-bit words, (B, count), one row per key.

    Args:
        name: the artifact, so that two artifacts on one slice draw independently.
        seed: the study's seed.
        keys: B slice keys.
        count: words per slice.

    """
    blocks = range(-(-count // _WORDS_PER_DIGEST))
    prefixes = [f"{name}\0{seed}\0{block}\0".encode() for block in blocks]
    digests = (blake2b(prefix + key.encode()).digest() for key in keys for prefix in prefixes)
    table = np.frombuffer(b"".join(digests), dtype="<u8").reshape(len(keys), -1)
    return table[:, :count].astype(np.uint64)


def uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Map words to numbers in [0, 1), of the same shape, with the full 53 bits of a float64."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def signed(u: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Map a uniform u in [0, 1) to a magnitude uniform in [low, high], of either sign."""
    v = 2 * u - 1
    return np.copysign(low + (high - low) * np.abs(v), v)

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


class Source:
    """An endless row of random numbers for each of B keys; every call takes the next ones."""

    def __init__(self, name: str, seed: int, keys: Sequence[str]) -> None:
        """Args: name of the artifact, so that two on one slice draw independently; seed; keys."""
        self._name, self._seed, self._keys = name, seed, keys
        self._table = np.empty((len(keys), 0), dtype=np.uint64)
        self._blocks = 0

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the next independent uniform 64-bit words, (B, count), one row per key."""
        while self._table.shape[1] < count:
            self._table = np.hstack([self._table, self._next_block()])
        taken, self._table = self._table[:, :count], self._table[:, count:]
        return taken

    def uniform(self, count: int) -> NDArray[np.float64]:
        """Return the next numbers in [0, 1), (B, count), with the full 53 bits of a float64."""
        return (self.words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def seed(self) -> NDArray[np.int64]:
        """Return a seed for each key, (B,): for `stream`, where params must stay small."""
        return self.words(1)[:, 0].view(np.int64)

    def _next_block(self) -> NDArray[np.uint64]:
        prefix = f"{self._name}\0{self._seed}\0{self._blocks}\0".encode()
        self._blocks += 1
        digests = b"".join(blake2b(prefix + key.encode()).digest() for key in self._keys)
        return np.frombuffer(digests, dtype="<u8").reshape(-1, _WORDS_PER_DIGEST).astype(np.uint64)


def generator(seed: int) -> np.random.PCG64DXSM:
    """Return the generator of a seed, of which all 64 bits count.

    NumPy's PCG64DXSM: its raw output is guaranteed (NEP 19), and any place of the stream can be
    jumped to, so that a device makes the same words side by side (`artifacts_sim.noise`).
    """
    return np.random.PCG64DXSM(int(seed) % 2**64)


def stream(seed: int, count: int) -> NDArray[np.uint64]:
    """Return uniform 64-bit words, (count,): the first of the seed's own endless stream."""
    words: NDArray[np.uint64] = generator(seed).random_raw(count)
    return words


def signed(u: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Map a uniform u in [0, 1) to a magnitude uniform in [low, high], of either sign."""
    v = 2 * u - 1
    return np.copysign(low + (high - low) * np.abs(v), v)

"""Random numbers from keys: a slice's draws depend on its own key and on nothing else.

Every number comes straight from a BLAKE2b digest of (artifact, seed, key), so neither the order
of the slices, nor the batch, nor the worker, nor any global generator can change it, and drawing
costs a microsecond instead of a generator's construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.errors import ArtifactError
from artifacts_sim.values import check_one_each, checked_keys, checked_places, checked_slices

_WORDS_PER_DIGEST = 8  # 64 bytes


@dataclass(frozen=True)
class Names:
    """What B slices are called.

    Attributes:
        keys: B names, one per slice; one that is there twice draws the same twice.
        scans: B names, of the scan that each slice is of; None: each is a scan itself.
        numbers: The place of each slice in its scan, from 0; None: unknown.

    Raises:
        ArtifactError: Keys or scans are not text, at least one; or scans or numbers are not one
            per slice, or numbers not whole numbers from 0.

    """

    keys: Sequence[str]
    scans: Sequence[str] | None = None
    numbers: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", checked_keys(self.keys))
        if self.scans is not None:
            object.__setattr__(self, "scans", checked_keys(self.scans))
            check_one_each(self.keys, "scan", self.scans)
        if self.numbers is not None:
            object.__setattr__(self, "numbers", checked_places(self.numbers))
            check_one_each(self.keys, "number", self.numbers)

    def __getitem__(self, part: Any) -> "Names":
        """Take some of the slices: see `KSpace`.

        Raises:
            ArtifactError: The index takes none, or is no index of them.

        """
        places = checked_slices(part, len(self.keys)).tolist()
        return Names(
            [self.keys[place] for place in places],
            None if self.scans is None else [self.scans[place] for place in places],
            None if self.numbers is None else [self.numbers[place] for place in places],
        )


class Source:
    """An endless row of random numbers for each of B slices; every call takes the next ones.

    `Source.scan` is another, which slices of one scan have in common.
    """

    def __init__(self, name: str, seed: int, slices: Names) -> None:
        """Make the rows.

        Args:
            name: Name of the artifact, so that two on one slice draw independently.
            seed: The study's seed.
            slices: What the slices are called.

        """
        self._name, self._seed, self._slices = name, seed, slices
        self._table = np.empty((len(slices.keys), 0), dtype=np.uint64)
        self._blocks = 0

    @cached_property
    def scan(self) -> "Source":
        """What is drawn for a whole scan: the same for all of its slices."""
        slices = self._slices
        own = slices if slices.scans is None else Names(slices.scans)
        return Source(f"{self._name}\0scan", self._seed, own)

    def numbers(self) -> NDArray[np.int64]:
        """Return the place of each slice in its scan, from 0: (B,).

        Raises:
            ArtifactError: They were not given.

        """
        if self._slices.numbers is None:
            raise ArtifactError(
                f"{self._name} draws by the place of a slice in its scan, which is not known",
                "numbers=None",
                "pass scans= and numbers=, or choose options that do not need them",
            )
        return np.asarray(self._slices.numbers, dtype=np.int64)

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
        digests = b"".join(blake2b(prefix + key.encode()).digest() for key in self._slices.keys)
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

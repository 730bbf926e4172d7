"""Pairs of slices with like perceptual hashes, in the memory of a few of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024  # hashes on each side that are compared at a time

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LikeHashes:
    """Pairs whose hashes differ in few bits.

    Attributes:
        found: The number of all such pairs.
        pairs: (P, 2) row numbers of those that differ least, ascending; the slice whose split
            comes first by name stands first.

    """

    found: int
    pairs: Rows


def like_hashes(
    hashes: NDArray[np.uint64], groups: NDArray[np.str_], rows: Rows, bits: int, most: int
) -> LikeHashes:
    """Find pairs of different groups whose hashes differ in at most so many bits.

    Args:
        hashes: (N,).
        groups: (N,).
        rows: Those of the N to compare, ascending.
        bits: The bits that may differ.
        most: Pairs to keep; of more, those that differ least, and of equals those met first.

    """
    found, kept, limit = 0, np.empty((0, 3), np.intp), bits
    for one, other in _blocks(groups, rows):
        differing = np.bitwise_count(hashes[one][:, None] ^ hashes[other])
        found += int(np.count_nonzero(differing <= bits))
        first, second = np.nonzero(differing <= limit)
        new = np.column_stack([differing[first, second], one[first], other[second]])
        kept = _least(np.concatenate([kept, new.astype(np.intp)]), most)
        if len(kept) == most:  # from here on only a pair that differs less gets in
            limit = int(kept[-1, 0]) - 1
    pairs = kept[:, 1:]
    return LikeHashes(found, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def _blocks(groups: NDArray[np.str_], rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    names, codes = np.unique(groups[rows], return_inverse=True)
    members = [rows[codes == code] for code in range(len(names))]
    for ones, others in combinations(members, 2):
        for start in range(0, len(ones), BLOCK):
            for other in range(0, len(others), BLOCK):
                yield ones[start : start + BLOCK], others[other : other + BLOCK]


def _least(met: Rows, most: int) -> Rows:
    return met[np.argsort(met[:, 0], kind="stable")[:most]]

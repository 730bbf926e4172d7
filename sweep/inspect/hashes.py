"""Pairs of slices with like perceptual hashes, in the memory of a few of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STRIP, WIDTH = 128, 2048  # hashes on each side that are compared at a time; 2 MB, for the cache
PLACE_BITS = 28  # of a pair's rank, for each of its places: as many slices as no store has

Rows = NDArray[np.intp]
Ranks = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LikeHashes:
    """Pairs whose hashes differ in few bits.

    Attributes:
        found: The number of all such pairs.
        pairs: (P, 2) row numbers of those that differ least; the slice whose split comes first by
            name stands first. Pairs are sorted by split, and within it as the rows were given.

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
        rows: Those of the N to compare; the order decides between pairs that differ equally.
        bits: The bits that may differ.
        most: Pairs to keep; of more, those that differ least, and of equals the first by group
            and then by the order of ``rows``.

    """
    _, codes = np.unique(groups[rows], return_inverse=True)
    order = np.argsort(codes, kind="stable")
    sorted_hashes, ends = hashes[rows[order]], np.cumsum(np.bincount(codes))
    found, kept, limit = 0, np.empty(0, np.int64), bits
    for first, stop, others in _strips(ends.tolist()):
        near = [kept]
        for second in range(others, len(rows), WIDTH):
            differing = np.bitwise_count(
                sorted_hashes[first:stop, None] ^ sorted_hashes[second : second + WIDTH]
            )
            count = int(np.count_nonzero(differing <= bits))
            found += count
            if count and limit >= 0:
                near.append(_ranks(differing, limit, first, second))
        kept = _least(np.concatenate(near), most)
        if len(kept) == most:  # later strips rank behind: only a pair that differs less gets in
            limit = int(kept.max() >> 2 * PLACE_BITS) - 1
    kept.sort()
    places = np.column_stack([kept >> PLACE_BITS, kept]) & ((1 << PLACE_BITS) - 1)
    places = places[np.lexsort((places[:, 1], places[:, 0]))]
    return LikeHashes(found, rows[order][places])


def _strips(ends: list[int]) -> Iterator[tuple[int, int, int]]:
    """First place and the one after the last of a strip of a group; where later groups begin."""
    for start, end in pairwise([0, *ends]):
        for first in range(start, end, STRIP):
            yield first, min(first + STRIP, end), end


def _ranks(differing: NDArray[np.uint8], limit: int, first: int, second: int) -> Ranks:
    """One number for each pair that is near enough: bits that differ, then its two places."""
    where = np.flatnonzero(differing <= limit)
    one, other = np.divmod(where, differing.shape[1])
    bits = differing.reshape(-1)[where].astype(np.int64)
    return np.asarray(bits << 2 * PLACE_BITS | (first + one) << PLACE_BITS | (second + other))


def _least(ranks: Ranks, most: int) -> Ranks:
    return ranks if len(ranks) <= most else np.partition(ranks, most - 1)[:most]

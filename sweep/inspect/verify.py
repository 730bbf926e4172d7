"""Whether a store is still as it was written."""

from collections.abc import Callable

import numpy as np

from sweep.store import Store
from sweep.store.digests import perceptual_hash
from sweep.store.fingerprint import recompute

ROUNDED = 2  # bits in which the hash of one image may differ, as libraries round


def description_is_whole(store: Store) -> bool:
    """Whether what is said of the slices, and their digests, are those of the fingerprint."""
    return recompute(store) == store.fingerprint


def damaged_slices(store: Store, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Compare every slice with its digest, and with what was measured of it; reads the whole file.

    Args:
        store: The store to be read.
        progress: Called with the number of slices read and of all slices.

    Returns:
        The keys of the slices whose scale, pixels, k-space, range or hash have changed since they
        were written, in the order of the store.

    """
    damaged = []
    for row, expected in enumerate(store.columns["digest"]):
        whole = store.content_digest(row) == expected.tobytes() and _measures_are_whole(store, row)
        if not whole:
            damaged.append(str(store.keys[row]))
        if progress is not None:
            progress(row + 1, len(store))
    return damaged


def _measures_are_whole(store: Store, row: int) -> bool:
    """Whether range and hash, which no digest is of, follow from the pixels."""
    (image,) = store.read([row])
    bits = int(perceptual_hash(image)) ^ int(store.columns["perceptual_hash"][row])
    ends = np.array([image.min(), image.max()], np.float32)
    same = np.array_equal(store.columns["value_range"][row], ends)
    return same and bits.bit_count() <= ROUNDED

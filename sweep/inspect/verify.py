"""Whether a store is still as it was written."""

from collections.abc import Callable

import numpy as np

from sweep.store import Store
from sweep.store.digests import perceptual_hash
from sweep.store.fingerprint import recompute

ROUNDED = 2  # bits of a perceptual hash, at the median, which another machine may round elsewhere


def description_is_whole(store: Store) -> bool:
    """Whether what is said of the slices, and their digests, are those of the fingerprint."""
    return recompute(store) == store.fingerprint


def damaged_slices(store: Store, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Compare every slice with its digest and with what was measured of it; reads the whole file.

    Args:
        store: The store to be read.
        progress: Called with the number of slices read and of all slices.

    Returns:
        The keys of the slices whose scale, pixels, k-space, range of values or perceptual hash have
        changed since they were written, in the order of the store.

    """
    damaged = []
    for row, expected in enumerate(store.columns["digest"]):
        if store.content_digest(row) != expected.tobytes() or not _is_as_measured(store, row):
            damaged.append(str(store.keys[row]))
        if progress is not None:
            progress(row + 1, len(store))
    return damaged


def _is_as_measured(store: Store, row: int) -> bool:
    (image,) = store.read([row])
    least_and_greatest = [image.min(), image.max()]
    turned = int(store.columns["perceptual_hash"][row]) ^ int(perceptual_hash(image))
    same = np.array_equal(store.columns["value_range"][row], least_and_greatest)
    return same and turned.bit_count() <= ROUNDED

"""Whether a store is still as it was written."""

from collections.abc import Callable

from sweep.store import Store
from sweep.store.fingerprint import recompute


def description_is_whole(store: Store) -> bool:
    """Whether what is said of the slices, and their digests, are those of the fingerprint."""
    return recompute(store) == store.fingerprint


def damaged_slices(store: Store, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Compare every slice with its digest; reads the whole file.

    Args:
        store: The store to be read.
        progress: Called with the number of slices read and of all slices.

    Returns:
        The keys of the slices whose scale, pixels or k-space have changed since they were written,
        in the order of the store.

    """
    damaged = []
    for row, expected in enumerate(store.columns["digest"]):
        if store.content_digest(row) != expected.tobytes():
            damaged.append(str(store.keys[row]))
        if progress is not None:
            progress(row + 1, len(store))
    return damaged

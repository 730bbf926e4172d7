"""Whether a store is still as it was written."""

from collections.abc import Callable
from hashlib import sha256

import h5py

from sweep.data.store import Store
from sweep.data.store.fingerprint import recompute


def description_is_whole(store: Store) -> bool:
    """Whether labels, patients, splits, geometry and digests are those of the fingerprint."""
    return recompute(store) == store.fingerprint


def damaged_slices(store: Store, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Compare every slice with its digest; reads the whole file.

    Args:
        store: to be read.
        progress: called with the number of slices read and of all slices.

    Returns:
        The keys of the slices whose scale, pixels or k-space have changed since they were written,
        in the order of the store.

    """
    damaged = []
    with h5py.File(store.path, "r", locking=False) as file:
        kspace = file["kspace"] if store.has_kspace else None
        for row, expected in enumerate(store.columns["digest"]):
            found = sha256(store.scale[row].tobytes())
            found.update(store.images[row].data)
            if kspace is not None:
                found.update(kspace[row].data)
            if found.digest() != expected.tobytes():
                damaged.append(str(store.keys[row]))
            if progress is not None:
                progress(row + 1, len(store))
    return damaged

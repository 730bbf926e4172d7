"""The store that a sweep is bound to, as it was written.

The fingerprint stands in the file. It says which store was written, and not that nothing of it has
changed since: that is seen where what it was made of is hashed again.
"""

from pathlib import Path

from sweep.core.errors import UserError
from sweep.core.keys import generator
from sweep.store.fingerprint import recompute
from sweep.store.reader import Store

SAMPLE = 32  # slices: where a tenth of all has changed, 97 of 100 samples show it


def open_bound(path: str | Path, fingerprint: str | None) -> Store:
    """Open a store as the one that a sweep is bound to, looked at by a sample.

    Args:
        path: Where it is.
        fingerprint: What the sweep is bound to; None: to nothing yet, and any store will do.

    Raises:
        UserError: No store, another one, or one that was changed in place.

    """
    store = Store.open(path)
    if fingerprint is None:
        return store
    if store.fingerprint != fingerprint:
        raise UserError(
            f"the store is not the one that the sweep is bound to, with fingerprint {fingerprint}",
            f"{store.fingerprint} in {path}",
            "put the data back, or start a new sweep on the new data",
        )
    if found := changed(store):
        raise UserError(
            "the store was changed in place since it was written, and the sweep is bound to it as "
            "it was",
            f"{path}, where {found}",
            "put the data back, or ingest them again and start a new sweep on them",
        )
    return store


def changed(store: Store) -> str | None:
    """What of a store is not as it was written; None: nothing that a sample shows.

    What is said of the slices, and their digests, are looked at as a whole; pixels and k-space of
    ``SAMPLE`` slices, of others whenever the file has another time of change. Of 4000 slices of
    320 x 320 that takes 10 ms from memory, a second from a busy disk; all of them took ten. What
    the sample does not hold is left to ``sweep.inspect.verify``, which reads the whole file.
    """
    if recompute(store) != store.fingerprint:
        return "what is said of the slices is not what was written"
    for row in _sample(store):
        if store.content_digest(row) != store.columns["digest"][row].tobytes():
            return f"slice {str(store.keys[row])!r} is not what was written"
    return None


def _sample(store: Store) -> list[int]:
    """Rows, ascending, as the disk has them."""
    key = generator("sample of a store", store.fingerprint, store.path.stat().st_mtime_ns)
    rows = key.choice(len(store), min(SAMPLE, len(store)), replace=False)
    return sorted(rows.tolist())

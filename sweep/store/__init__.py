"""The store: the one HDF5 file that sweeps train and score on, and what it says of each slice.

``slices``, ``splits`` and ``geometry`` are the descriptions and their rules; ``layout`` is the
format on disk; ``writer`` puts slices in their places, from any process; ``reader`` maps the file.
"""

from sweep.store.reader import Store
from sweep.store.writing import refuse_existing, write_store

__all__ = ["Store", "refuse_existing", "write_store"]

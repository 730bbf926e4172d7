"""The store: the one HDF5 file that sweeps train and score on."""

from sweep.data.store.reading import Store, refuse_existing, write_store

__all__ = ["Store", "refuse_existing", "write_store"]

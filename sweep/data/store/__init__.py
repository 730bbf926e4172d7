"""The store: the one HDF5 file that sweeps train and score on.

``layout`` is the format; ``draft`` writes one value after the other into its place, ``writing`` a
whole store; ``reading`` maps it.
"""

from sweep.data.store.reading import Store
from sweep.data.store.writing import refuse_existing, write_store

__all__ = ["Store", "refuse_existing", "write_store"]

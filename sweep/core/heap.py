"""Memory that a process keeps for what it needs next."""

import numpy as np

KEPT = 32_000_000  # bytes; of more glibc takes no notice


def keep_freed_memory() -> None:
    """Keep up to 64 MB that are freed, rather than to give them back to the system and ask again.

    Work that makes an array of a megabyte for each picture, and frees it, spends half of its time
    in the kernel, which clears every page anew. glibc learns from what is freed: from then on what
    is no larger comes from memory that is kept, twice as much of it at most (``mallopt(3)``,
    ``M_MMAP_THRESHOLD``). No page of this array is touched. Elsewhere it changes nothing.
    """
    np.empty(KEPT, np.uint8)

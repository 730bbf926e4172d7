"""Memory of a process: what it keeps for what it needs next, and how much it may have."""

import os
import resource
from contextlib import suppress
from pathlib import Path

import numpy as np

# The limit of a container: of version 2 of control groups, and of version 1.
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
KEPT = 32_000_000  # bytes; of more glibc takes no notice


def keep_freed_memory() -> None:
    """Keep up to 64 MB that are freed, rather than to give them back to the system and ask again.

    Work that makes an array of a megabyte for each picture, and frees it, spends half of its time
    in the kernel, which clears every page anew. glibc learns from what is freed: from then on what
    is no larger comes from memory that is kept, twice as much of it at most (``mallopt(3)``,
    ``M_MMAP_THRESHOLD``). No page of this array is touched. Elsewhere it changes nothing.
    """
    np.empty(KEPT, np.uint8)


def machine_memory() -> int:
    """Bytes of memory of this machine, or of the container that this process is in."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in LIMITS:
        with suppress(OSError, ValueError):  # there is no such file, or it says "max"
            sizes.append(int(limit.read_text()))
    return min(sizes)


def allow_memory(most: int) -> None:
    """Let the system refuse this process more than so many bytes of its own (``RLIMIT_DATA``).

    What a file says of itself may ask for any size: Python then raises ``MemoryError``, where
    otherwise the machine would run out of memory, and the system end whatever it likes. Files that
    are mapped do not count.
    """
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))

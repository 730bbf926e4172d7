"""Randomness from explicit keys: the same key gives the same draw, whatever was drawn before.

A key is a list of parts, such as a seed, a purpose and a name. BLAKE2b of the list as JSON is the
one source of every draw of ``sweep``: JSON keeps the parts apart, so no two keys are one text.
"""

import json
from hashlib import blake2b

import numpy as np

Part = str | int


def digest(*parts: Part) -> bytes:
    """Hash to 16 bytes that depend on every part and its place, and on nothing else."""
    return blake2b(json.dumps(parts).encode(), digest_size=16).digest()


def seed_of(*parts: Part) -> int:
    """A 63-bit seed of a key, for generators that take one."""
    return int.from_bytes(digest(*parts)[:8], "little") >> 1


def generator(*parts: Part) -> np.random.Generator:
    """A key's own generator; the global random state is never touched."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest(*parts), "big")))

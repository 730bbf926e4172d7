"""Seeds derived from names, so that no draw depends on what was drawn before it."""

import hashlib

import torch


def seed_of(*parts: object) -> int:
    """A 63-bit seed from a key of any number of parts."""
    text = "\x1f".join(map(str, parts))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator_of(*parts: object) -> torch.Generator:
    """A CPU generator seeded by ``seed_of``."""
    return torch.Generator().manual_seed(seed_of(*parts))

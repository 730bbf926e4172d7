"""The fingerprint of a store: the same for the same slices, wherever and however they were read."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.store.geometry import Frame
from sweep.store.layout import COLUMN, DESCRIBED, FORMAT_VERSION, OPTIONAL, Form, descriptions
from sweep.store.reader import Store
from sweep.store.slices import Slice, Task


def fingerprint(slices: Sequence[Slice], form: Form, digests: Sequence[bytes]) -> str:
    """SHA-256, in hexadecimal, of all that a store is to say of its slices, and of their digests.

    Args:
        slices: N descriptions.
        form: What they have in common; its source is not part of the fingerprint.
        digests: N, of the pixels and the k-space.

    """
    kind = np.dtype(form.pixels)
    common = _common(form.task, form.label_names, form.shape, kind, form.kspace)
    return _hashed(common, descriptions(slices, form), b"".join(digests))


def recompute(store: Store) -> str:
    """The fingerprint of what the file says and of its digests, to compare with its own."""
    shape = store.images.shape[1:]
    common = _common(store.task, store.label_names, shape, store.images.dtype, store.frame)
    return _hashed(common, store.columns, store.columns["digest"].tobytes())


def _common(
    task: Task,
    label_names: Sequence[str],
    shape: Sequence[int],
    kind: np.dtype[Any],
    frame: Frame | None,
) -> bytes:
    parts = [FORMAT_VERSION, task, list(label_names), list(shape), kind.name, frame]
    return json.dumps(parts).encode()


def _hashed(common: bytes, columns: Mapping[str, NDArray[Any]], digests: bytes) -> str:
    hashed = hashlib.sha256(common)
    own = sorted(name for name in columns if name.startswith(COLUMN))
    for name in (*DESCRIBED, *OPTIONAL, *own):
        if name in columns:
            column = columns[name]
            hashed.update(json.dumps([name, column.dtype.str, column.shape]).encode())
            hashed.update(np.ascontiguousarray(column).tobytes())
    hashed.update(digests)
    return hashed.hexdigest()

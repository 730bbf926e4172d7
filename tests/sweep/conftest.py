"""Small stores, pictures and manifests."""

from pathlib import Path

import numpy as np
import pytest

from sweep.store.slices import Slice
from tests.support.collections import Collection, Content


@pytest.fixture
def content() -> Content:
    """Five slices (4, 6) of three patients in the splits 'train' and '2'."""
    rows = [
        ("ann/0", "ann", "train", {"tear"}),
        ("ann/1", "ann", "train", set()),
        ("bob/0", "bob", "2", {"cyst", "tear"}),
        ("bob/1", "bob", "2", {"cyst"}),
        ("zoë/0", "zoë", "train", set()),
    ]
    slices = tuple(
        Slice(key, patient, split, frozenset(labels), origin=f"line {place}")
        for place, (key, patient, split, labels) in enumerate(rows)
    )
    generator = np.random.default_rng(3)
    images = tuple(generator.random((4, 6), dtype=np.float32) for _ in rows)
    return Content(slices, images)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Six pictures (8, 8) of three patients, one label each, without folds."""
    made = Collection(tmp_path / "collection")
    generator = np.random.default_rng(5)
    rows = []
    for number in range(6):
        made.add(f"{number}.png", generator.integers(0, 256, (8, 8), dtype=np.uint8))
        rows.append((f"{number}.png", ("tear", "cyst")[number % 2], f"p{number // 2}"))
    made.describe(*rows)
    return made

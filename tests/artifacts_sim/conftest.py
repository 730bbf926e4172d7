"""Shared inputs of the artifact tests."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bit for bit is promised on one CPU thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def phantoms() -> Callable[..., Tensor]:
    """Slices of nested ellipses with texture on an empty background: (B, H, W), maximum near 1."""

    def make(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
        rng = np.random.default_rng(seed)
        v, u = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
        slices = np.zeros((batch, height, width))
        for image in slices:
            for radius in (0.45, 0.3, 0.15, 0.1):
                centre, axes = rng.uniform(0.42, 0.58, 2), radius * rng.uniform(0.8, 1, 2)
                inside = ((u - centre[0]) / axes[0]) ** 2 + ((v - centre[1]) / axes[1]) ** 2 < 1
                image[inside] = rng.uniform(0.3, 1)
        textured = slices * (0.95 + 0.1 * rng.random(slices.shape))
        return torch.from_numpy(textured.astype(np.float32))

    return make

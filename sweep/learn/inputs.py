"""From stored slices to network input: gather, corrupt, scale.

The artifact comes before the scaling, as it does in a scanner: the network sees what the scaling
makes of a corrupted image.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import artifacts_sim
from sweep.data.store import Store
from sweep.records import CLEAN, Cell
from sweep.settings import Normalize, StressSettings
from sweep.severity import knob_of

# Percentiles are read on a regular subgrid of at most this many pixels a side: sorting every
# pixel of a slice would cost as much as a small network's forward pass.
SUBGRID = 48
TINY = 1e-12


def gather(store: Store, indices: NDArray[np.int64], device: torch.device) -> Tensor:
    """Copy slices out of the store's map.

    Returns:
        (B, H, W) float32 in the store's intensity units, on ``device``.

    """
    return torch.from_numpy(store.read(indices)).to(device)


def corrupt(
    images: Tensor, cell: Cell, keys: Sequence[str], seed: int, settings: StressSettings
) -> Tensor:
    """The slices as an artifact of one level would show them.

    Args:
        images: (B, H, W) magnitude.
        cell: artifact and a level that it reaches; clean images pass unchanged.
        keys: one for each slice; the same key, cell and seed give the same pixels.
        seed: of the artifact draws.
        settings: what the level means.

    Returns:
        (B, H, W) magnitude.

    """
    if cell == CLEAN:
        return images
    artifact = artifacts_sim.get(cell.artifact)
    knob = knob_of(settings, cell.artifact, cell.level)
    return artifact.apply(images, artifact.sample(knob=knob, keys=keys, seed=seed))


def _robust(images: Tensor) -> tuple[Tensor, Tensor]:
    step = math.ceil(max(images.shape[-2:]) / SUBGRID)
    pixels = images[:, ::step, ::step].flatten(1)
    last = pixels.shape[1] - 1
    low, median, high = (
        pixels.kthvalue(1 + round(share * last), dim=1).values for share in (0.01, 0.5, 0.99)
    )
    return median, high - low


def _zscore(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.mean(dim=(1, 2)), images.std(dim=(1, 2), correction=0)


def _max(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.new_zeros(len(images)), images.amax(dim=(1, 2))


def _none(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.new_zeros(len(images)), images.new_ones(len(images))


# Each gives, for (B, H, W) images, the offset and the scale of every slice, both (B,).
NORMALIZERS: dict[Normalize, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "robust": _robust,
    "zscore": _zscore,
    "max": _max,
    "none": _none,
}


def normalize(images: Tensor, how: Normalize) -> Tensor:
    """Scale the intensities of each slice on its own, see ``settings.DataSettings``.

    Args:
        images: (B, H, W).
        how: name of the scaling.

    Returns:
        (B, 1, H, W); a constant slice becomes 0.

    """
    offset, scale = NORMALIZERS[how](images)
    scaled = (images - offset[:, None, None]) / scale.clamp_min(TINY)[:, None, None]
    return scaled.unsqueeze(1)

"""RandConv (arXiv 2007.13003): a random convolution changes texture and contrast, and keeps shape.

It acts on the network's input, after the scaling of intensities. Its weights have either sign, so
that what it makes is no magnitude, which artifacts and scaling could take; and scaling after it
would undo the contrast that it draws.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from artifacts_sim import Names
from artifacts_sim.keyed import Source

SIZES = (1, 3, 5, 7)  # of kernels, in pixels, each as likely
_TAPS = SIZES[-1] ** 2


def random_convolutions(inputs: Tensor, names: Names, probability: float, seed: int) -> Tensor:
    """Mix some inputs with a random convolution of them: a x + (1 - a) (w * x).

    For each slice are drawn, by its key: whether it is one of them, the size k of the kernel, its
    weights w from N(0, 1 / k^2), as of one channel, and a from U(0, 1). The paper draws one
    convolution for a batch; here no slice depends on the others. Its channels are colours, and
    become mixed; here they are slices, which share the kernel, so that all of a stack changes its
    texture alike. Beyond the edge are zeros, as there.

    Args:
        inputs: (B, C, H, W) scaled intensities.
        names: What each slice is called.
        probability: Chance of a slice.
        seed: Key of the draws.

    Returns:
        (B, C, H, W).

    """
    drawn = Source("randconv", seed, Names(names.keys)).uniform(3)
    places = np.flatnonzero(drawn[:, 0] < probability)
    if not len(places):
        return inputs
    sizes = [SIZES[int(u * len(SIZES))] for u in drawn[places, 1]]
    weights = _normal(Names(names.keys)[places], seed) / np.array(sizes)[:, None]
    kernels = torch.from_numpy(weights).to(inputs)
    kept = torch.from_numpy(drawn[places, 2]).to(inputs)
    mixed = inputs.clone()
    # One by one: what several at once are rounded to depends on how many they are.
    for number, (place, size) in enumerate(zip(places.tolist(), sizes, strict=True)):
        kernel = kernels[number, : size**2].view(1, 1, size, size)
        slices = inputs[place].unsqueeze(1)
        convolved = functional.conv2d(slices, kernel, padding=size // 2)
        mixed[place] = convolved.lerp(slices, kept[number]).squeeze(1)
    return mixed


def _normal(names: Names, seed: int) -> NDArray[np.float64]:
    """Standard normal numbers by key, (B, 49); Box and Muller, Ann Math Stat 29:610 (1958)."""
    u, v = np.split(Source("randconv weights", seed, names).uniform(2 * _TAPS), 2, axis=1)
    normal: NDArray[np.float64] = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * math.pi * v)
    return normal

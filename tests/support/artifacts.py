"""One artifact on one slice, in and out of float64, and the transforms to hold it to."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, Params
from artifacts_sim.acquisition.geometry import frame_of_image
from artifacts_sim.acquisition.scene import Scene
from artifacts_sim.acquisition.signal import Signal

SIZES = [(24, 32), (25, 31)]  # even and odd
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
Z_LIMIT = 4.5


def apply(art, x, knob, **draws):
    """Apply an artifact to one slice, float64 in and out, with these draws for it."""
    art = artifacts_sim.get(art) if isinstance(art, str) else art
    columns = {key: np.asarray([value]) for key, value in draws.items()}
    batch = torch.from_numpy(np.asarray(x, dtype=np.float32))[None]
    params = Params(art.name, asdict(art), knob, columns)
    return art.apply(batch, params)[0].double().numpy()


def sampled(art, x, knob, key="slice", seed=0):
    """Apply an artifact to one slice as it is drawn; also return its draws."""
    art = artifacts_sim.get(art) if isinstance(art, str) else art
    params = art.sample(knob=knob, keys=[key], seed=seed)
    y = art.apply(torch.from_numpy(np.asarray(x, dtype=np.float32))[None], params)
    return y[0].double().numpy(), {name: array[0] for name, array in params.draws.items()}


def spectrum(x, axes=(0, 1)):
    """The centred spectrum of an image that is centred, too."""
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(x, axes), axes=axes), axes)


def image(F, axes=(0, 1)):
    """Undo `spectrum`."""
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(F, axes), axes=axes), axes)


def signal_of(x, geometry=None):
    """A signal of an image, (B, RO, PE) or (B, coil, RO, PE), which is the clean one."""
    coils = x if x.ndim == 4 else x[:, None]
    frame = frame_of_image(geometry or Geometry(), tuple(coils.shape[2:]), len(coils))
    return Signal(coils, frame, Scene(lambda: coils))


def object_in(size, seed=0):
    """A textured block with a margin of a third: (H, W) float64."""
    x = np.zeros(size)
    H, W = size
    inside = x[H // 3 : -(H // 3), W // 3 : -(W // 3)]
    inside[...] = np.random.default_rng(seed).uniform(0.2, 1, inside.shape)
    return x.astype(np.float32).astype(np.float64)

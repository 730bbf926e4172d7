"""TorchIO and MONAI as a user calls them: one slice at a time, parameters fixed."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import artifacts_sim

Call = Callable[[], object]


def library_calls(size: int, threads: int) -> dict[str, dict[str, Call]]:
    """Return, by artifact and library, what damages one slice of size x size pixels alike."""
    calls: dict[str, dict[str, Call]] = {}
    for library, load in (("TorchIO", _torchio), ("MONAI", _monai)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = load(size, threads)
        except ImportError as error:
            print(f"{library} is left out: {error}; pip install '.[test]'", file=sys.stderr)
            continue
        for artifact, call in found.items():
            calls.setdefault(artifact, {})[library] = _quiet(call)
    return calls


def _quiet(call: Call) -> Call:
    def quiet() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()

    return quiet


def _torchio(size: int, threads: int) -> dict[str, Call]:
    """Take a slice as (1, 1, H, W): on (1, H, W, 1) Motion would move it, and splice nothing."""
    import SimpleITK
    import torchio

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    x = torch.rand(1, 1, size, size)
    generator, poses = np.random.default_rng(0), artifacts_sim.get("motion").movements
    transforms: dict[str, Any] = {
        "motion": torchio.Motion(
            degrees=generator.uniform(-5, 5, (poses, 3)) * [1, 0, 0],
            translation=generator.uniform(-2, 2, (poses, 3)) * [0, 1, 1],
            times=np.linspace(0.4, 0.6, poses),
            image_interpolation="linear",
        ),
        "ghosting": torchio.Ghosting(num_ghosts=5, axis=2, intensity=0.7, restore=None),
        "nyquist_ghost": torchio.Ghosting(num_ghosts=2, axis=2, intensity=0.4, restore=None),
        "spike": torchio.Spike(spikes_positions=np.array([[0.5, 0.6, 0.4]]), intensity=0.5),
        "bias": torchio.BiasField(coefficients=[0.2] * 20, order=3),
        "elastic": torchio.ElasticDeformation(
            control_points=generator.uniform(-7.5, 7.5, (4, 7, 7, 3)) * [0, 1, 1],
            max_displacement=(0, 7.5, 7.5),
            image_interpolation="linear",
            label_interpolation="nearest",
        ),
        "anisotropy": torchio.RandomAnisotropy(axes=(1,), downsampling=(4, 4)),
        "blur": torchio.Blur(std=(0, 2.0, 2.0)),
        "contrast": torchio.Gamma(gamma=[1.35]),
    }
    return {name: lambda t=transform: t(x) for name, transform in transforms.items()}


def _monai(size: int, threads: int) -> dict[str, Call]:
    """Take a slice as (1, H, W); of MONAI's random transforms, what they draw is fixed."""
    import monai.transforms as mt
    from monai.apps.reconstruction.transforms.array import RandomKspaceMask
    from monai.data.fft_utils import fftn_centered

    x = torch.rand(1, size, size)
    mask = RandomKspaceMask([0.08], [4.0], spatial_dims=2, is_complex=True)

    def undersample() -> object:
        image = torch.view_as_real(x.to(torch.complex64))
        return mask(fftn_centered(image, spatial_dims=2, is_complex=True))

    transforms: dict[str, Any] = {
        "rician": mt.RandRicianNoise(prob=1, std=0.05, sample_std=False),
        "spike": mt.KSpaceSpikeNoise(loc=(3 * size // 5, 2 * size // 5), k_intensity=10.0),
        "bias": mt.RandBiasField(degree=3, coeff_range=(0.2, 0.2), prob=1),
        "elastic": mt.Rand2DElastic(
            spacing=(60, 60), magnitude_range=(7.5, 7.5), prob=1, padding_mode="border"
        ),
        "blur": mt.GaussianSmooth(sigma=2.0),
        "contrast": mt.AdjustContrast(gamma=1.35),
        "gibbs": mt.GibbsNoise(alpha=0.5),
    }
    calls: dict[str, Call] = {name: lambda t=each: t(x) for name, each in transforms.items()}
    return calls | {"undersampling": undersample}

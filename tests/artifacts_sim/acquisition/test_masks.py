"""Factors of k-space lines against plain float64 arithmetic, whatever they are."""

from itertools import product

import numpy as np
import pytest
import torch

from artifacts_sim.acquisition.masks import Mask
from tests.support.artifacts import signal_of

SIZES = [(24, 32), (25, 31), (24, 31), (25, 32), (1, 5), (5, 1), (2, 2)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def mirrored(factor):
    """factor(-k); the sample k = -N / 2 of an even N is its own partner."""
    flipped = factor[:, ::-1]
    return flipped if factor.shape[1] % 2 else np.roll(flipped, 1, axis=1)


def factors(kind, n, seed):
    """(2, n) of a kind: what a mask may be."""
    rng = np.random.default_rng(seed)
    real, complex_ = rng.uniform(-1, 1, (2, n)), rng.uniform(-1, 1, (2, n, 2)) @ [1, 1j]
    return {
        "none": None,
        "even": (real + mirrored(real)) / 2,
        "real": real,
        "Hermitian": (complex_ + mirrored(complex_).conj()) / 2,
        "complex": complex_,
    }[kind]


KINDS = ("even", "real", "Hermitian", "complex")
every_mask = pytest.mark.parametrize("kinds", list(product(("none", *KINDS), KINDS)), ids="-".join)


def mask_of(kinds, size):
    ro, pe = (factors(kind, n, seed=i) for i, (kind, n) in enumerate(zip(kinds, size, strict=True)))
    return Mask(torch.from_numpy(pe), None if ro is None else torch.from_numpy(ro))


def spectrum(x):
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(x, axes), axes=axes, norm="ortho"), axes)


def image(k):
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(k, axes), axes=axes, norm="ortho"), axes)


def weight(mask):
    ro = np.ones((2, 1)) if mask.ro is None else mask.ro.numpy()
    return ro[:, :, None] * mask.pe.numpy()[:, None, :]


def seen(size, kind):
    x = np.random.default_rng(9).uniform(0, 1, (2, *size))
    return x if kind == "real" else x * np.exp(1j * np.linspace(-2, 3, x.size).reshape(x.shape))


def as_tensor(x):
    return torch.from_numpy(x.astype(np.complex64 if np.iscomplexobj(x) else np.float32))


@every_size
@every_mask
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_an_image_is_multiplied_in_k_space(size, kinds, kind):
    mask, x = mask_of(kinds, size), seen(size, kind)
    y = mask.render(signal_of(as_tensor(x)))
    np.testing.assert_allclose(y, np.abs(image(spectrum(x) * weight(mask))), atol=2e-6)


@every_size
@every_mask
def test_coils_are_multiplied_alike(size, kinds):
    mask, x = mask_of(kinds, size), seen(size, "complex")
    coils = np.stack([x, 2j * x], axis=1)
    damaged = mask.act(signal_of(as_tensor(coils)))
    expected = spectrum(coils) * weight(mask)[:, None]
    np.testing.assert_allclose(damaged.kspace(), expected, atol=5e-6)


@every_mask
def test_two_masks_fuse_into_their_product(kinds):
    size = (24, 31)
    first, second = mask_of(kinds, size), mask_of(("Hermitian", "complex"), size)
    for one, other in ((first, second), (second, first), (first, first)):
        np.testing.assert_allclose(weight(one * other), weight(one) * weight(other), atol=1e-15)


@pytest.mark.parametrize("exponent", [0, -90], ids=["normal", "whose squares underflow"])
def test_a_symmetric_mask_beside_another_is_as_if_alone(exponent):
    size = (24, 32)
    pe = np.stack([factors("even", 32, 0)[0], factors("real", 32, 1)[0]])
    x = as_tensor(seen(size, "real")) * 2.0**exponent
    pe = torch.from_numpy(pe)
    together = Mask(pe).render(signal_of(x))
    for i in range(2):
        alone = Mask(pe[i : i + 1]).render(signal_of(x[i : i + 1]))
        assert torch.equal(alone[0], together[i])


@every_mask
def test_the_image_is_left_as_it_is(kinds):
    size = (12, 15)
    for kind in ("real", "complex"):
        x = as_tensor(seen(size, kind))
        before = x.clone()
        mask_of(kinds, size).render(signal_of(x))
        assert torch.equal(x, before)

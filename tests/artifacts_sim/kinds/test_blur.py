"""Gaussian blur: its width in mm, its transfer function, and SciPy's, TorchIO's, MONAI's way."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import artifacts_sim
from artifacts_sim import Geometry, KSpace

SIZES = [(64, 72), (65, 71)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
# What a Gaussian cut off at 4 sigma lacks on two axes, relative to a maximum of 1.
CUT_OFF = 2 * math.erfc(4 / math.sqrt(2))


def sampled(sigma_mm, batch=1):
    art = artifacts_sim.get("blur")
    return art, art.sample(knob=sigma_mm, keys=[f"slice-{i}" for i in range(batch)], seed=0)


def apply(x, sigma_mm, pixel_mm=(1.0, 1.0)):
    art, params = sampled(sigma_mm)
    y = art.apply(torch.as_tensor(x)[None], params, Geometry(pixel_mm=pixel_mm))
    return y[0].double().numpy()


def texture(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)


def object_in(size, margin=16):
    x = np.zeros(size, np.float32)
    x[margin:-margin, margin:-margin] = texture((size[0] - 2 * margin, size[1] - 2 * margin))
    return x


class TestThePointSpreadFunction:
    @every_size
    def test_a_point_becomes_a_gaussian(self, size):
        sigma_mm, pixel_mm, place = 3.0, (1.5, 1.2), (30, 33)
        x = np.zeros(size, np.float32)
        x[place] = 1
        sigma_px = sigma_mm / np.array(pixel_mm)
        away = np.stack(np.mgrid[: size[0], : size[1]]) - np.reshape(place, (2, 1, 1))
        density = np.exp(-((away / sigma_px[:, None, None]) ** 2).sum(axis=0) / 2)
        density /= 2 * np.pi * sigma_px.prod()
        y = apply(x, sigma_mm, pixel_mm)
        np.testing.assert_allclose(y, density, atol=1e-6 * density.max())

    def test_half_the_height_is_1_177_sigma_away(self):
        x = np.zeros((1, 201), np.float32)
        x[0, 100] = 1
        y = apply(x, 5.0, (1.0, 0.5))[0]
        reach = 5.0 * math.sqrt(2 * math.log(2)) / 0.5
        assert np.interp(100 + reach, np.arange(201), y) == pytest.approx(y[100] / 2, rel=1e-3)

    @every_size
    def test_every_sample_is_attenuated_by_the_transfer_function(self, size):
        """Also where the spectrum ends before the Gaussian does, 1/3 pixel of sigma."""
        art, params = sampled(0.5)
        ones = KSpace(torch.ones(1, *size, dtype=torch.complex64), Geometry(pixel_mm=(1.5, 1.2)))
        f_ro, f_pe = (
            (np.arange(n) - n // 2) / (n * mm) for n, mm in zip(size, (1.5, 1.2), strict=True)
        )
        expected = np.exp(-2 * np.pi**2 * 0.25 * (f_ro[:, None] ** 2 + f_pe**2))
        samples = art.corrupt(ones, params).samples[0].numpy()
        np.testing.assert_allclose(samples, expected, atol=1e-6)


class TestLaws:
    @every_size
    @pytest.mark.parametrize("sigma", [0.2, 1.0, 4.0])
    def test_the_mean_is_kept(self, size, sigma):
        x = texture(size)
        assert apply(x, sigma).mean() == pytest.approx(x.mean(dtype=np.float64), rel=1e-5)

    def test_variances_add_up(self):
        x = texture((64, 72))
        np.testing.assert_allclose(
            apply(apply(x, 1.2).astype(np.float32), 1.6), apply(x, 2.0), atol=1e-6
        )

    def test_it_is_periodic(self):
        x = texture((64, 72))
        rolled = np.roll(x, (20, -31), axis=(0, 1))
        expected = np.roll(apply(x, 2.0), (20, -31), axis=(0, 1))
        np.testing.assert_allclose(apply(rolled, 2.0), expected, atol=1e-6)

    def test_opposite_phases_cancel(self):
        x = np.ones((8, 40), np.complex64)
        x[:, 20:] = -1
        y = apply(x, 2.0)
        assert y[4, 10] == pytest.approx(1, abs=1e-5)
        centre = 1 / (2.0 * math.sqrt(2 * math.pi))  # all but the pixel's own part cancels
        assert y[4, 19] == pytest.approx(centre, abs=1e-6)

    def test_a_vanishing_knob_changes_nothing(self):
        x = texture((64, 72))
        np.testing.assert_allclose(apply(x, 1e-4), x, atol=1e-6)

    def test_all_slices_are_blurred_alike(self):
        art, params = sampled(1.0, batch=4)
        x = torch.from_numpy(texture((64, 72))).expand(4, -1, -1)
        y = art.apply(x, params)
        assert torch.equal(y, y[:1].expand(4, -1, -1))


class TestReferences:
    @every_size
    @pytest.mark.parametrize("sigma", [2.0, 3.3])
    def test_scipy(self, size, sigma):
        x = texture(size)
        whole = gaussian_filter(x.astype(np.float64), sigma, mode="wrap", truncate=8)
        np.testing.assert_allclose(apply(x, sigma), whole, atol=2e-6)
        cut_off = gaussian_filter(x.astype(np.float64), sigma, mode="wrap")
        np.testing.assert_allclose(apply(x, sigma), cut_off, atol=CUT_OFF)

    @every_size
    def test_torchio(self, size):
        tio = pytest.importorskip("torchio", reason="needs TorchIO")
        x, sigma_mm, pixel_mm = object_in(size), 3.0, (1.5, 1.2)
        image = tio.ScalarImage(
            tensor=torch.from_numpy(x)[None, ..., None], affine=np.diag([*pixel_mm, 1, 1])
        )
        expected = tio.Blur((sigma_mm, sigma_mm, 0))(image).numpy()[0, ..., 0]
        np.testing.assert_allclose(apply(x, sigma_mm, pixel_mm), expected, atol=CUT_OFF)

    @every_size
    def test_monai(self, size):
        monai = pytest.importorskip("monai.transforms", reason="needs MONAI")
        x, sigma = object_in(size), 2.0
        smooth = monai.GaussianSmooth(sigma, approx="sampled")
        expected = smooth(torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_allclose(apply(x, sigma), expected, atol=CUT_OFF)

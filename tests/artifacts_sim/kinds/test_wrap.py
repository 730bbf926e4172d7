"""Wrap-around: sums of shifted copies, and the k-space sampling that makes them."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace

DIVISORS = [(32, 2), (33, 3), (32, 4), (30, 3)]  # N and R, the period being N / R
every_divisor = pytest.mark.parametrize(("n", "r"), DIVISORS, ids=str)


def sampled(reduction):
    art = artifacts_sim.get("wrap")
    return art, art.sample(knob=reduction, keys=["slice"], seed=0)


def apply(x, reduction, geometry=None):
    art, params = sampled(reduction)
    return art.apply(torch.as_tensor(x)[None], params, geometry)[0].double().numpy()


def texture(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)


def with_phase(x):
    phase = np.linspace(-2, 3, x.shape[1]) + np.linspace(0, 1, x.shape[0])[:, None]
    return (x * np.exp(1j * phase)).astype(np.complex64)


class TestSampling:
    @every_divisor
    @pytest.mark.parametrize("kind", [np.asarray, with_phase], ids=["real", "complex"])
    def test_it_is_every_rth_line_of_k_space(self, n, r, kind):
        """By hand: R times the lines at multiples of R, none of the others."""
        x = kind(texture((12, n)))
        lines = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(x, 1), axis=1), 1)
        lines[:, (np.arange(n) - n // 2) % r != 0] = 0
        by_hand = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(r * lines, 1), axis=1), 1)
        np.testing.assert_allclose(apply(x, 1 - 1 / r), np.abs(by_hand), atol=2e-6)

    @every_divisor
    def test_the_other_lines_stay_empty(self, n, r):
        art, params = sampled(1 - 1 / r)
        image = torch.from_numpy(with_phase(texture((12, n))))[None]
        k = KSpace(to_kspace(to_kspace(image, PE), RO))
        lines = art.corrupt(k, params).samples
        measured = torch.from_numpy((np.arange(n) - n // 2) % r == 0)
        limit = 1e-5 * float(lines.abs().max())
        assert lines[..., ~measured].abs().max() < limit
        expected = r * k.samples[..., measured]
        torch.testing.assert_close(lines[..., measured], expected, rtol=0, atol=limit)


class TestSums:
    @pytest.mark.parametrize("n", [40, 41])
    @pytest.mark.parametrize("reduction", [0.01, 0.1, 0.34, 0.5, 0.6, 0.75])
    def test_copies_a_period_apart_add_up(self, n, reduction):
        x, period = texture((5, n)), round((1 - reduction) * n)
        expected = np.zeros((5, n))
        for j in range(-5, 6):
            shown = np.arange(n) + j * period
            inside = (shown >= 0) & (shown < n)
            expected[:, inside] += x[:, shown[inside]]
        y = apply(x, reduction)
        np.testing.assert_allclose(y, expected, atol=1e-6)
        assert np.array_equal(y[:, period:], y[:, :-period])

    def test_half_the_field_of_view(self):
        x = texture((5, 40))
        np.testing.assert_allclose(apply(x, 0.5), x + np.roll(x, 20, axis=1), atol=1e-6)

    def test_an_object_that_still_fits_is_not_folded(self):
        x = np.zeros((5, 40), np.float32)
        x[:, 8:32] = texture((5, 24))
        y = apply(x, 0.4)
        assert np.array_equal(y[:, 8:32], x[:, 8:32].astype(np.float64))
        assert np.array_equal(y[:, 32:], y[:, 8:16])  # the replica beside it

    def test_opposite_phases_cancel(self):
        x = np.ones((3, 40), np.complex64)
        x[:, 20:] = -1
        assert not apply(x, 0.5).any()

    def test_a_reduction_below_half_a_pixel_is_none(self):
        x = texture((5, 40))
        assert np.array_equal(apply(x, 0.01), x.astype(np.float64))

    def test_one_line_at_least_is_left(self):
        x = texture((4, 1))
        assert np.array_equal(apply(x, 0.75), x.astype(np.float64))


def test_the_encoded_field_of_view_is_reduced_not_the_shown():
    """Of 60 encoded columns 40 are shown, which a period of 48 still holds, but not one of 36."""
    x, geometry = texture((6, 40)), Geometry(encoded=(6, 60))
    assert np.array_equal(apply(x, 0.2, geometry), x.astype(np.float64))
    whole = apply(np.pad(x, ((0, 0), (10, 10))), 0.4)
    assert np.array_equal(apply(x, 0.4, geometry), whole[:, 10:50])
    assert not np.array_equal(whole[:, 10:50], x)

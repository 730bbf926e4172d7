"""Wrap-around: sums of shifted copies, and the k-space sampling that makes them."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace, Shift
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
    def test_it_is_what_every_rth_line_of_k_space_shows(self, n, r, kind):
        """By hand: the lines at multiples of R, as a matrix of its own, of N / R pixels."""
        x, period = kind(texture((12, n))), n // r
        lines = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(x, 1), axis=1), 1)
        measured = lines[:, (np.arange(n) - n // 2) % r == 0]
        by_hand = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(measured, 1), axis=1), 1)
        y = apply(x, 1 - 1 / r)
        start = n // 2 - period // 2
        np.testing.assert_allclose(y[:, start : start + period], np.abs(by_hand), atol=2e-6)
        assert not y[:, :start].any()
        assert not y[:, start + period :].any()

    @every_divisor
    def test_k_space_has_the_lines_of_the_reduced_field_of_view(self, n, r):
        art, params = sampled(1 - 1 / r)
        image = torch.from_numpy(with_phase(texture((12, n))))[None]
        k = KSpace(to_kspace(to_kspace(image, PE), RO), Geometry(crop=(10, n - 2)))
        corrupted = art.corrupt(k, params)
        assert corrupted.samples.shape == (1, 12, n // r)
        assert corrupted.geometry.crop == (10, n // r)
        measured = torch.from_numpy((np.arange(n) - n // 2) % r == 0)
        expected = k.samples[..., measured] * r**0.5  # orthonormal, of fewer lines
        limit = 1e-5 * float(expected.abs().max())
        torch.testing.assert_close(corrupted.samples, expected, rtol=0, atol=limit)

    def test_only_lines_that_lie_where_lines_were_acquired_are(self):
        art, params = sampled(0.5)
        samples = torch.zeros(1, 4, 40, dtype=torch.complex64)
        samples[..., 8:36] = 1
        k = art.corrupt(KSpace(samples, Geometry(acquired=range(8, 36))), params)
        assert np.flatnonzero(k.geometry.acquired).tolist() == list(range(4, 18))
        assert not k.samples[..., ~k.geometry.acquired].any()


class TestSums:
    @pytest.mark.parametrize("n", [40, 41])
    @pytest.mark.parametrize("reduction", [0.01, 0.1, 0.34, 0.5])
    def test_copies_a_period_apart_add_up(self, n, reduction):
        x, period = texture((5, n)), round((1 - reduction) * n)
        start = n // 2 - period // 2
        expected = np.zeros((5, n))
        for j in range(-5, 6):
            shown = np.arange(start, start + period)
            from_where = shown + j * period
            inside = (from_where >= 0) & (from_where < n)
            expected[:, shown[inside]] += x[:, from_where[inside]]
        np.testing.assert_allclose(apply(x, reduction), expected, atol=1e-6)

    def test_half_the_field_of_view(self):
        x = texture((5, 40))
        expected = (x + np.roll(x, 20, axis=1))[:, 10:30]
        np.testing.assert_allclose(apply(x, 0.5)[:, 10:30], expected, atol=1e-6)

    def test_an_object_that_still_fits_is_left_alone(self):
        x = np.zeros((5, 40), np.float32)
        x[:, 8:32] = texture((5, 24))
        assert np.array_equal(apply(x, 0.4), x.astype(np.float64))

    def test_opposite_phases_cancel(self):
        x = np.ones((3, 40), np.complex64)
        x[:, 20:] = -1
        assert not apply(x, 0.5).any()

    def test_a_reduction_below_half_a_pixel_is_none(self):
        x = texture((5, 40))
        assert np.array_equal(apply(x, 0.01), x.astype(np.float64))

    def test_one_line_at_least_is_left(self):
        x = texture((4, 1))
        assert np.array_equal(apply(x, 0.5), x.astype(np.float64))

    def test_slices_may_fold_apart(self):
        x = torch.from_numpy(np.stack([texture((5, 40), seed) for seed in range(4)]))
        art, knobs = artifacts_sim.get("wrap"), [0.5, 0.0, 0.3, 0.5]
        together = art.apply(x, art.sample(knob=knobs, keys=list("abcd"), seed=0))
        for i, knob in enumerate(knobs):
            alone = art.apply(x[i : i + 1], art.sample(knob=knob, keys=["a"], seed=0))
            assert torch.equal(together[i], alone[0])


def test_the_encoded_field_of_view_is_reduced_not_the_shown():
    """Of 60 encoded columns 40 are shown, which a period of 48 still holds, but not one of 36."""
    x, geometry = texture((6, 40)), Geometry(encoded=(6, 60))
    assert np.array_equal(apply(x, 0.2, geometry), x.astype(np.float64))
    whole = apply(np.pad(x, ((0, 0), (10, 10))), 0.4)
    assert np.array_equal(apply(x, 0.4, geometry), whole[:, 10:50])
    assert not np.array_equal(whole[:, 10:50], x)


class TestWhatFollows:
    def test_a_ghost_lies_in_the_new_field_of_view(self):
        """Of a period of n lines: P / n pixels away, P of the reduced field of view."""
        x = torch.zeros(1, 4, 64)
        x[:, 1, 32] = 1
        ghosting = artifacts_sim.get("ghosting")
        chain = Shift.chain(Shift.of("wrap", knob=0.25), Shift.of(ghosting, knob=1.0))
        params = chain.sample(keys=["a"], seed=0)
        ((_, steps),) = params.groups
        period = next(drawn for drawn in steps if drawn.name == "ghosting")
        n_lines = float(period.draws["period_lines"][0])
        y = chain.apply(x, params)[0, 1, 8:56]
        where = np.argsort(y.numpy())[::-1]
        assert where[0] == 24
        assert abs(abs(where[1] - 24) - 48 / n_lines) <= 1

    def test_noise_and_zippers_fall_within_it(self):
        x = torch.rand(3, 20, 40)
        for name in ("rician", "zipper", "spike", "undersampling"):
            chain = Shift.chain(
                Shift.of("wrap", knob=0.5), Shift.of(name, level=3, grid="physical")
            )
            y = chain.apply(x, chain.sample(keys=list("abc"), seed=0))
            assert not y[..., :10].any()
            assert not y[..., 30:].any()

"""Spikes against the law, its limits and a plain NumPy reference in float64."""

import numpy as np
import pytest

import artifacts_sim
from tests.support.artifacts import apply, every_size, image, object_in, sampled, spectrum


class TestSpike:
    @every_size
    @pytest.mark.parametrize("ratio", [0.3, 1.0])
    def test_one_sample_of_k_space_is_added(self, size, ratio):
        x, alpha, (H, W) = object_in(size), 0.7, size
        k1, k2 = 5, -3
        place = (2 * k1 / H, 2 * k2 / W)
        y = apply("spike", x, ratio, frequency_of_nyquist=[place], phase_rad=[alpha])
        F = spectrum(x)
        F[H // 2 + k1, W // 2 + k2] += ratio * np.abs(F).max() * np.exp(1j * alpha)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=2e-6 * max(1, ratio))

    @every_size
    def test_a_small_spike_is_a_cosine_on_the_object(self, size):
        """The two-sided law y - x = r mean(x) cos(...), to first order in r."""
        H, W = size
        x = np.random.default_rng(1).uniform(0.8, 1, size)
        ratio, k1, k2 = 1e-2, -4, 7
        place = (2 * k1 / H, 2 * k2 / W)
        y = apply("spike", x, ratio, frequency_of_nyquist=[place], phase_rad=[0.0])
        i, j = np.arange(H)[:, None] - H // 2, np.arange(W) - W // 2
        wave = np.cos(2 * np.pi * (k1 * i / H + k2 * j / W))
        np.testing.assert_allclose((y - x) / (ratio * x.mean()), wave, atol=0.01)

    @every_size
    @pytest.mark.parametrize("ratio", [0.3, 1.0])
    def test_a_two_sided_spike_is_a_cosine(self, size, ratio):
        """The law y - x = r mean(x) cos(...), whatever r; then the magnitude."""
        x, (H, W), k1, k2 = object_in(size), size, 3, 6
        art = artifacts_sim.get("spike", two_sided=True)
        place = (2 * k1 / H, 2 * k2 / W)
        y = apply(art, x, ratio, frequency_of_nyquist=[place], phase_rad=[0.4])
        i, j = np.arange(H)[:, None] - H // 2, np.arange(W) - W // 2
        wave = np.cos(2 * np.pi * (k1 * i / H + k2 * j / W) + 0.4)
        np.testing.assert_allclose(
            y, np.abs(x + ratio * x.mean() * wave), atol=2e-6 * max(1, ratio)
        )

    @every_size
    @pytest.mark.parametrize("two_sided", [False, True])
    def test_the_maximum_is_taken_once_for_all_spikes(self, size, two_sided):
        x, ratio, (H, W) = object_in(size), 1.0, size
        art = artifacts_sim.get("spike", spikes=3, two_sided=two_sided)
        y, draws = sampled(art, x, ratio)
        F = spectrum(x)
        height = ratio * np.abs(F).max() / (2 if two_sided else 1)
        for (f1, f2), alpha in zip(draws["frequency_of_nyquist"], draws["phase_rad"], strict=True):
            k1, k2 = round(f1 * H / 2), round(f2 * W / 2)
            F[H // 2 + k1, W // 2 + k2] += height * np.exp(1j * alpha)
            if two_sided:
                F[H // 2 - k1, W // 2 - k2] += height * np.exp(-1j * alpha)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=1e-5)

    def test_the_background_is_lifted_by_the_amplitude(self):
        x = object_in((30, 30))
        y, _ = sampled("spike", x, 0.5)
        np.testing.assert_allclose(y[x == 0], 0.5 * x.mean(), rtol=1e-5)

    @pytest.mark.parametrize("size", [8, 9, 96])
    def test_the_spike_is_never_on_an_axis(self, size):
        x = np.ones((size, size))
        for seed in range(20):
            y, _ = sampled("spike", x, 0.1, seed=seed)
            assert min(np.ptp(y, axis=0).min(), np.ptp(y, axis=1).min()) > 0.1

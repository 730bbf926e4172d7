"""Rician noise against the law, its limits and a plain NumPy reference in float64."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.artifacts import Z_LIMIT, apply, object_in, sampled


class TestRician:
    S = 0.05  # of a maximum of 1

    def noisy(self, signal):
        """200 x 200 noisy pixels of one signal, beside one pixel that sets the maximum to 1."""
        x = np.full((200, 201), signal)
        x[0, 0] = 1
        return sampled("rician", x, self.S)[0][:, 1:]

    @pytest.mark.parametrize("snr", [0, 0.5, 1, 3, 10])
    def test_mean_and_second_moment(self, snr):
        y = self.noisy(snr * self.S)
        law = stats.rice(snr, scale=self.S)
        z_mean = (y.mean() - law.mean()) / (law.std() / math.sqrt(y.size))
        second, spread = snr**2 + 2, math.sqrt(law.moment(4) / self.S**4 - (snr**2 + 2) ** 2)
        z_second = ((y / self.S) ** 2 - second).mean() / (spread / math.sqrt(y.size))
        assert abs(z_mean) < Z_LIMIT
        assert abs(z_second) < Z_LIMIT

    @pytest.mark.parametrize("snr", [0, 1, 5])
    def test_distribution(self, snr):
        y = self.noisy(snr * self.S).ravel()
        assert stats.kstest(y, stats.rice(snr, scale=self.S).cdf).pvalue > 1e-3

    def test_without_signal_it_is_rayleigh(self):
        y = self.noisy(0.0)
        assert y.mean() == pytest.approx(1.2533 * self.S, rel=0.02)
        assert y.std() == pytest.approx(0.655 * self.S, rel=0.02)

    def test_noise_is_white(self):
        y = self.noisy(0.5) - 0.5
        standard = (y - y.mean()) / y.std()
        for along in ((standard[1:], standard[:-1]), (standard[:, 1:], standard[:, :-1])):
            correlation = (along[0] * along[1]).mean()
            assert abs(correlation) * math.sqrt(along[0].size) < Z_LIMIT

    def test_slices_are_independent(self):
        x = np.full((100, 100), 0.5)
        fields = [sampled("rician", x, self.S, key=key)[0].ravel() for key in ("a", "b")]
        assert abs(np.corrcoef(*fields)[0, 1]) * 100 < Z_LIMIT

    def test_every_bit_of_the_seed_counts(self):
        x = object_in((16, 16))
        fields = [apply("rician", x, 0.1, field_seed=seed) for seed in (5, 5 + 2**32, 5 - 2**63)]
        assert not np.array_equal(fields[0], fields[1])
        assert not np.array_equal(fields[0], fields[2])

    def test_sigma_is_relative_to_the_slice_maximum(self):
        x = np.zeros((64, 64))
        x[0, 0] = 40
        y = sampled("rician", x, self.S)[0][1:]
        assert (y**2).mean() == pytest.approx(2 * (40 * self.S) ** 2, rel=0.08)

"""The bias field against the law, its limits and a plain NumPy reference in float64."""

import numpy as np
import pytest

from tests.support.artifacts import object_in, sampled


def log_gain(x, knob, **kwargs):
    y, _ = sampled("bias", x, knob, **kwargs)
    return np.log(y / x)


class TestBias:
    @pytest.mark.parametrize("seed", range(3))
    def test_the_log_gain_is_a_cubic(self, seed):
        gain = log_gain(np.ones((40, 45)), 1.0, seed=seed)
        for axis in (0, 1):
            assert np.abs(np.diff(gain, n=4, axis=axis)).max() < 1e-5
        mixed = np.diff(np.diff(gain, n=2, axis=0), n=2, axis=1)
        assert np.abs(mixed).max() < 1e-5

    @pytest.mark.parametrize("seed", range(3))
    def test_the_gain_at_the_centre_is_one(self, seed):
        assert log_gain(np.ones((41, 33)), 2.0, seed=seed)[20, 16] == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize(("size", "tolerance"), [((96, 90), 1e-5), ((320, 320), 0.02)])
    @pytest.mark.parametrize("knob", [0.5, 3.0])
    def test_peak_to_peak_over_the_foreground_is_the_knob(self, size, tolerance, knob):
        u, v = (np.linspace(-1, 1, n) for n in size)
        foreground = u[:, None] ** 2 + v**2 < 0.5
        x = np.where(foreground, 0.7, 1e-3)
        for seed in range(4):
            gain = log_gain(x, knob, seed=seed)
            assert np.ptp(gain[foreground]) == pytest.approx(knob, rel=tolerance)
            assert np.abs(gain).max() <= knob * (1 + 1e-5)

    def test_the_field_scales_with_the_knob(self):
        x = np.ones((30, 30))
        np.testing.assert_allclose(log_gain(x, 3.0), 6 * log_gain(x, 0.5), atol=1e-5)

    def test_a_foreground_off_the_centre_keeps_a_bounded_gain(self):
        x = np.full((50, 50), 1e-3)
        x[2:5, 3:6] = 1
        for seed in range(10):
            assert np.abs(log_gain(x, 2.0, seed=seed)).max() <= 2 * (1 + 1e-5)

    def test_the_background_level_is_irrelevant(self):
        """Empty or faint, it is not foreground, so the field on the object is the same."""
        x = object_in((60, 60))
        faint = np.where(x == 0, 0.01, x)
        plain, lifted = sampled("bias", x, 1.0)[0], sampled("bias", faint, 1.0)[0]
        np.testing.assert_allclose(plain[x > 0], lifted[x > 0], rtol=1e-5)

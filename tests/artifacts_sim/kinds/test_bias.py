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

    @pytest.mark.parametrize("size", [(64, 60), (96, 90), (320, 320), (500, 377)])
    @pytest.mark.parametrize("knob", [0.5, 2.2])
    def test_peak_to_peak_over_the_foreground_is_the_knob_and_centred(self, size, knob):
        """Wherever the foreground lies, and however small it is: there is no global gain."""
        u, v = (np.linspace(-1, 1, n) for n in size)
        for centre, radius in ((0.0, 0.7), (0.6, 0.3), (-0.8, 0.1), (0.9, 0.03)):
            foreground = (u[:, None] - centre) ** 2 + (v - centre) ** 2 < radius**2
            x = np.where(foreground, 0.7, 1e-3)
            for seed in range(4):
                gain = log_gain(x, knob, seed=seed)
                assert gain[foreground].max() == pytest.approx(knob / 2, rel=2e-4)
                assert gain[foreground].min() == pytest.approx(-knob / 2, rel=2e-4)
                assert np.abs(gain).max() <= knob / 2 * (1 + 1e-5)

    def test_the_field_scales_with_the_knob(self):
        x = np.ones((30, 30))
        np.testing.assert_allclose(log_gain(x, 2.0), 4 * log_gain(x, 0.5), atol=1e-5)

    def test_the_field_is_the_same_in_pixels_of_any_size(self):
        fine = np.pad(np.ones((160, 160)), 40)
        coarse = fine[::2, ::2]
        of_fine = np.log(sampled("bias", fine + 1e-3, 2.0)[0] / (fine + 1e-3))
        of_coarse = np.log(sampled("bias", coarse + 1e-3, 2.0)[0] / (coarse + 1e-3))
        means = of_fine.reshape(120, 2, 120, 2).mean(axis=(1, 3))
        assert np.abs(means - of_coarse)[25:-25, 25:-25].max() < 0.03

    def test_the_background_level_is_irrelevant(self):
        """Empty or faint, it is not foreground, so the field on the object is the same."""
        x = object_in((60, 60))
        faint = np.where(x == 0, 0.01, x)
        plain, lifted = sampled("bias", x, 1.0)[0], sampled("bias", faint, 1.0)[0]
        np.testing.assert_allclose(plain[x > 0], lifted[x > 0], rtol=1e-5)

"""Ghosting against the law, its limits and a plain NumPy reference in float64."""

import numpy as np
import pytest

from tests.support.artifacts import apply, every_size, image, object_in, spectrum


class TestGhosting:
    @every_size
    @pytest.mark.parametrize("period", [2.0, 3.7, 6.25])
    def test_lines_are_modulated(self, size, period):
        x, s, psi, phi = object_in(size), 0.8, 0.9, 2.1
        y = apply(
            "ghosting",
            x,
            s,
            period_lines=period,
            cycle_phase_rad=psi,
            modulation_phase_rad=phi,
        )
        k = np.arange(size[1]) - size[1] // 2
        modulation = 1 + s * np.exp(1j * phi) * np.cos(2 * np.pi * k / period + psi)
        F = spectrum(x) * modulation
        np.testing.assert_allclose(y, np.abs(image(F)), atol=2e-6)
        assert (y**2).sum() == pytest.approx((np.abs(F) ** 2).sum() / F.size, rel=1e-5)

    @pytest.mark.parametrize("n", [4, 3.2])
    def test_a_point_has_two_replicas(self, n):
        """At +-N / n, of amplitude s / 2; n = 3.2 does divide into 64, without being whole."""
        N, place, s = 64, 10, 0.6
        x = np.zeros((5, N))
        x[2, place] = 1
        y = apply("ghosting", x, s, period_lines=n, cycle_phase_rad=0.4, modulation_phase_rad=1.0)
        expected = x.copy()
        for side in (-1, 1):
            expected[2, (place + side * round(N / n)) % N] = s / 2
        np.testing.assert_allclose(y, expected, atol=1e-6)

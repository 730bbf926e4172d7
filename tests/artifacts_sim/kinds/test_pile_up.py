"""Displaced edges: what lies between them is neither made nor lost, and lands where it should."""

import numpy as np
import pytest
import torch

from artifacts_sim.kinds.pile_up import piled_up
from tests.support.overlap import points, spread

N = 24


def texture(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape)


def pile(signal, shift_px, dtype=torch.float64):
    """One line."""
    signal, shift_px = (torch.as_tensor(np.asarray(one), dtype=dtype) for one in (signal, shift_px))
    return piled_up(signal[None, None, None], shift_px[None, None])[0, 0, 0].double().numpy()


def smooth(amplitude, seed=0, n=N):
    rng = np.random.default_rng(seed)
    u = np.linspace(0, 1, n + 1)
    waves = [rng.uniform(-1, 1) * np.sin(2 * np.pi * (k * u + rng.uniform())) for k in (1, 2, 3)]
    return amplitude * sum(waves)


class TestLimits:
    @pytest.mark.parametrize("shift", [0.0, 0.3, -0.3, 2.0, -5.75])
    def test_one_shift_for_all_is_a_translation(self, shift):
        x = texture(N)
        whole, part = int(np.floor(shift)), shift - np.floor(shift)
        wide = np.pad(x, 10)
        expected = (1 - part) * np.roll(wide, whole) + part * np.roll(wide, whole + 1)
        np.testing.assert_allclose(pile(x, np.full(N + 1, shift)), expected[10:-10], atol=1e-7)

    @pytest.mark.parametrize("factor", [0.25, 0.5, 1.5, 3.0, -1.0, -0.5])
    def test_a_stretch_thins_by_its_factor(self, factor):
        """About the middle; a negative one turns the line round."""
        edges = np.arange(N + 1)
        y = pile(np.ones(N), (factor - 1) * (edges - N / 2))
        half = min(abs(factor), 1) * N / 2
        inside = np.abs(np.arange(N) + 0.5 - N / 2) < half - 0.5
        np.testing.assert_allclose(y[inside], 1 / abs(factor), rtol=1e-6)
        np.testing.assert_allclose(y[np.abs(np.arange(N) + 0.5 - N / 2) > half + 0.5], 0, atol=1e-9)

    @pytest.mark.parametrize("target", [7.25, 7.0])
    def test_all_of_it_can_land_on_one_point(self, target):
        x = texture(N)
        y = pile(x, target - np.arange(N + 1))
        assert y[7] == pytest.approx(x.sum(), rel=1e-7)
        assert np.delete(y, 7) == pytest.approx(0, abs=1e-7)

    def test_what_leaves_is_lost_and_nothing_comes_in(self):
        for shift in (-30.0, 30.0, -1e5, 1e5):
            assert (pile(texture(N), np.full(N + 1, shift)) == 0).all()


class TestAgainstReferences:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("amplitude", [0.1, 1.0, 4.0, 12.0])
    @pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 2e-6), (torch.float32, 3e-5)])
    def test_overlaps_one_by_one(self, amplitude, seed, dtype, limit):
        """Up to many folds."""
        x, shift = texture(N, seed=seed), smooth(amplitude, seed)
        expected = spread(x, shift)
        np.testing.assert_allclose(pile(x, shift, dtype), expected, atol=limit * expected.max())

    @pytest.mark.parametrize("amplitude", [0.5, 3.0, 8.0])
    def test_many_points(self, amplitude):
        x, shift = texture(N), smooth(amplitude)
        np.testing.assert_allclose(pile(x, shift), points(x, shift), atol=1e-3)

    def test_complex_signals_add_with_their_phase(self):
        x, shift = texture(2, N), smooth(6.0)
        planes = torch.from_numpy(x)[None, :, None]
        y = piled_up(planes, torch.from_numpy(shift)[None, None])[0, :, 0].numpy()
        expected = spread(x[0] + 1j * x[1], shift)
        np.testing.assert_allclose(y[0] + 1j * y[1], expected, atol=1e-6)


class TestLaws:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("amplitude", [0.5, 3.0, 20.0])
    def test_signal_is_conserved(self, amplitude, dtype):
        n = 320
        x = np.zeros((40, n))
        x[:, 100:-100] = texture(40, n - 200)
        shift = np.stack([smooth(amplitude, seed, n) for seed in range(40)])
        x_there, shift_there = (torch.as_tensor(one, dtype=dtype) for one in (x, shift))
        y = piled_up(x_there[None, None], shift_there[None])[0, 0]
        limit = 1e-5 if dtype == torch.float32 else 1e-10
        np.testing.assert_allclose(y.double().sum(1).numpy(), x.sum(1), rtol=limit)
        assert y.min() > -limit

    def test_air_stays_empty(self):
        x = np.zeros(320)
        x[150:160] = texture(10)
        y = pile(x, smooth(5.0, n=320), torch.float32)
        reached = spread(x, smooth(5.0, n=320)) > 0
        assert np.abs(y[~reached]).max() < 1e-9

    def test_gradients_are_those_of_the_numbers(self):
        signal = torch.from_numpy(texture(1, 2, 3, 7)).requires_grad_()
        shift = torch.from_numpy(2 * texture(1, 3, 8, seed=1)).requires_grad_()
        assert torch.autograd.gradcheck(piled_up, (signal, shift))

"""The N/2 ghost: amplitude sin(phi / 2) half the field of view away, on cos(phi / 2) of x."""

import math

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace, Params

PHASES = [0.1, 1.0, 1.5, math.pi / 2]
every_phase = pytest.mark.parametrize("phase", PHASES)
every_sign = pytest.mark.parametrize("sign", [-1, 1])


def params(phase, sign=1):
    return Params("nyquist_ghost", {}, phase, {"sign": np.array([sign])})


def apply(x, phase, sign=1, geometry=None):
    dtype = np.complex64 if np.iscomplexobj(x) else np.float32
    batch = torch.from_numpy(x.astype(dtype))[None]
    return artifacts_sim.get("nyquist_ghost").apply(batch, params(phase, sign), geometry)[0].numpy()


def object_of(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, size)


def with_phase(x):
    return x * np.exp(
        1j * (np.linspace(-2, 3, x.shape[1]) + np.linspace(0, 1, x.shape[0])[:, None])
    )


def lines_of(x):
    return np.fft.fftshift(np.fft.fft(np.fft.ifftshift(x, 1), axis=1, norm="ortho"), 1)


def image_of(lines):
    return np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(lines, 1), axis=1, norm="ortho"), 1)


def alternated(x, phase):
    """Turn the odd lines, counted from DC, one by one."""
    lines = lines_of(x)
    for line in range(x.shape[1]):
        if (line - x.shape[1] // 2) % 2:
            lines[:, line] *= np.exp(1j * phase)
    return image_of(lines)


@every_phase
@pytest.mark.parametrize("width", [32, 34])
def test_a_point_has_one_ghost_half_the_field_of_view_away(phase, width):
    x = np.zeros((5, width))
    x[2, 7] = 1
    expected = np.zeros_like(x)
    expected[2, 7] = math.cos(phase / 2)
    expected[2, 7 + width // 2] = math.sin(phase / 2)
    np.testing.assert_allclose(apply(x, phase), expected, atol=2e-6)
    np.testing.assert_allclose(apply(x + 0j, phase), expected, atol=2e-6)


@every_phase
@every_sign
def test_object_and_ghost_interfere_by_their_phases(phase, sign):
    for x in (object_of((20, 30)), with_phase(object_of((20, 30)))):
        ghost = -1j * sign * math.sin(phase / 2) * np.roll(x, 15, axis=1)
        expected = np.abs(math.cos(phase / 2) * x + ghost)
        np.testing.assert_allclose(apply(x, phase, sign), expected, atol=2e-6)


@every_phase
@every_sign
@pytest.mark.parametrize("size", [(20, 30), (21, 31), (3, 1), (3, 2)], ids=str)
def test_odd_lines_are_turned(phase, sign, size):
    for x in (object_of(size), with_phase(object_of(size))):
        y = apply(x, phase, sign)
        np.testing.assert_allclose(y, np.abs(alternated(x, sign * phase)), atol=2e-6)
        assert (y**2).sum() == pytest.approx((np.abs(x) ** 2).sum(), rel=1e-5)


def test_at_a_quarter_turn_object_and_ghost_have_equal_power():
    x = object_of((12, 16))
    expected = np.sqrt((x**2 + np.roll(x, 8, axis=1) ** 2) / 2)
    np.testing.assert_allclose(apply(x, math.pi / 2), expected, atol=1e-6)


def test_in_k_space_even_lines_stay_bit_for_bit():
    rng = np.random.default_rng(1)
    k = torch.from_numpy((rng.normal(size=(1, 2, 6, 9, 2)) @ [1, 1j]).astype(np.complex64))
    art = artifacts_sim.get("nyquist_ghost")
    damaged = art.corrupt(KSpace(k), params(0.7, -1)).samples
    odd = torch.arange(9) % 2 == 1  # DC is line 4
    assert torch.equal(damaged[..., ~odd], k[..., ~odd])
    turned = k[..., odd] * complex(np.exp(-0.7j))
    torch.testing.assert_close(damaged[..., odd], turned, rtol=1e-6, atol=1e-6)


def test_the_ghost_follows_the_encoded_field_of_view():
    x = np.zeros((4, 20))
    x[1, 4] = 1  # pixel 4 of 20 is pixel 14 of 40, its ghost pixel 34: out of sight
    y = apply(x, 1.0, geometry=Geometry(encoded=(4, 40)))
    np.testing.assert_allclose(y, math.cos(0.5) * x, atol=1e-6)
    x[1, 4:8] = 1
    y = apply(x, 1.0, geometry=Geometry(encoded=(4, 24)))  # 12 away, and in sight
    np.testing.assert_allclose(y[1, 16:20], math.sin(0.5), atol=1e-6)


def test_both_signs_are_drawn():
    draws = artifacts_sim.get("nyquist_ghost").sample(
        knob=1.0, keys=[str(i) for i in range(200)], seed=0
    )
    signs = draws.draws["sign"]
    assert set(signs.tolist()) == {-1, 1}
    assert abs(signs.sum()) < 4.5 * math.sqrt(200)

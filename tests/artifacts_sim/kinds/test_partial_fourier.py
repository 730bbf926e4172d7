"""Partial Fourier: which lines are lost, and that nothing else is."""

import math

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace, Params

every_side = pytest.mark.parametrize("side", [-1, 1], ids=["first", "last"])
SIZES = [(24, 32), (25, 31)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
ART = artifacts_sim.get("partial_fourier")


def params(skipped, side):
    return Params("partial_fourier", {}, skipped, {"side": np.array([side])})


def noise(*shape):
    return (np.random.default_rng(0).normal(size=(*shape, 2)) @ [1, 1j]).astype(np.complex64)


def kept(n, skipped, side, acquired=None):
    ones = KSpace(torch.ones(1, 1, n, dtype=torch.complex64), Geometry(acquired=acquired))
    return ART.corrupt(ones, params(skipped, side)).samples[0, 0].real.numpy() == 1


def spectrum(x):
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(x.astype(np.complex128))))


def image(k):
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(k)))


@every_side
@pytest.mark.parametrize("n", [320, 321])
@pytest.mark.parametrize("level", range(1, 6))
def test_exactly_the_outer_lines_are_lost(n, level, side):
    skipped = ART.at(level, "physical")
    lines = kept(n, skipped, side)
    lost = round(skipped * n)
    expected = np.arange(n) >= lost if side < 0 else np.arange(n) < n - lost
    assert np.array_equal(lines, expected)


@every_side
def test_in_k_space_the_others_stay_bit_for_bit(side):
    k = torch.from_numpy(noise(1, 3, 12, 40))
    damaged = ART.corrupt(KSpace(k), params(0.25, side)).samples
    lines = torch.from_numpy(kept(40, 0.25, side))
    assert torch.equal(damaged[..., lines], k[..., lines])
    assert (damaged[..., ~lines] == 0).all()
    assert (~lines).sum() == 10


@every_side
@pytest.mark.parametrize("n", range(1, 13))
def test_dc_and_the_other_side_are_never_lost(n, side):
    k = np.arange(n) - n // 2
    lines = kept(n, ART.knob.limit, side)
    assert lines[k * side <= 0].all()
    assert (~lines).sum() == min(round(0.375 * n), (k * side > 0).sum())


@every_side
@every_size
def test_the_image_against_float64(size, side):
    magnitude = np.random.default_rng(1).uniform(0, 1, size).astype(np.float32)
    phase = np.linspace(-2, 3, magnitude.size).reshape(size)
    for x in (magnitude, (magnitude * np.exp(1j * phase)).astype(np.complex64)):
        expected = np.abs(image(spectrum(x) * kept(size[1], 0.3, side)))
        y = ART.apply(torch.from_numpy(x)[None], params(0.3, side))[0]
        np.testing.assert_allclose(y, expected, atol=2e-6)


@every_side
@every_size
def test_the_lost_lines_of_a_real_image_are_in_the_rest(size, side):
    """Without phase, the conjugate of what remains gives the object back."""
    x = np.random.default_rng(2).uniform(0, 1, size)
    k = torch.from_numpy(spectrum(x).astype(np.complex64))[None]
    damaged = ART.corrupt(KSpace(k), params(0.35, side)).samples[0].numpy()
    mirrored = np.conj(damaged[::-1, ::-1])
    for axis, n in enumerate(size):
        mirrored = mirrored if n % 2 else np.roll(mirrored, 1, axis=axis)
    nyquist = (np.arange(size[1]) == 0) & (size[1] % 2 == 0) & (side < 0)  # its own partner
    lost = ~kept(size[1], 0.35, side)
    full = np.where(lost & ~nyquist, mirrored, damaged)
    full[:, nyquist] = spectrum(x)[:, nyquist]
    np.testing.assert_allclose(image(full), x, atol=1e-6)


@every_side
def test_without_edges_along_phase_encode_nothing_is_lost(side):
    x = torch.linspace(0, 1, 20)[None, :, None].expand(1, 20, 30).contiguous()
    torch.testing.assert_close(ART.apply(x, params(0.375, side)), x, rtol=0, atol=1e-6)


def test_a_real_image_does_not_tell_the_sides_apart():
    x = torch.from_numpy(np.random.default_rng(3).random((1, 20, 31), dtype=np.float32))
    first, last = (ART.apply(x, params(0.3, side)) for side in (-1, 1))
    torch.testing.assert_close(first, last, rtol=0, atol=2e-6)


@every_side
def test_only_acquired_lines_count_and_are_lost(side):
    """A fastMRI knee: 372 lines, zero-filled to 400; 1 / 4 of the 372 is skipped."""
    acquired = np.isin(np.arange(400), range(14, 386))
    lost = ~kept(400, 0.25, side, acquired=range(14, 386))
    assert lost.sum() == 93
    expected = range(14, 14 + 93) if side < 0 else range(386 - 93, 386)
    assert np.flatnonzero(lost).tolist() == list(expected)
    assert acquired[lost].all()


def test_both_sides_are_drawn():
    side = ART.sample(knob=0.3, keys=[str(i) for i in range(200)], seed=0).draws["side"]
    assert set(side.tolist()) == {-1, 1}
    assert abs(side.sum()) < 4.5 * math.sqrt(200)

"""Measured k-space: its spectrum is not Hermitian, and its artifacts are not those of a magnitude.

Data: `../shared/data/kspace`, a sagittal head (T1, one coil) and a head of eight coils of which
12 % of the samples were measured.
"""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace
from tests.support.data import KSPACE, needs

pytestmark = needs(KSPACE)
KEY = ["head"]


def inverse(k):
    """NumPy's own, centred and orthonormal."""
    axes = (-2, -1)
    shifted = np.fft.ifftshift(k.astype(np.complex128), axes)
    return np.fft.fftshift(np.fft.ifftn(shifted, axes=axes, norm="ortho"), axes)


@pytest.fixture(scope="module")
def head():
    """(1, 256, 256), scaled to an image of maximum 1; DC moved from sample 127 to 128."""
    k = np.load(KSPACE / "head_t1_sagittal_256.npy")
    assert np.unravel_index(np.abs(k).argmax(), k.shape) == (127, 127)
    k = np.roll(k, (1, 1), axis=(0, 1))[None]
    return (k / np.abs(inverse(k)).max()).astype(np.complex64)


@pytest.fixture(scope="module")
def coils():
    """(1, 8, 230, 180), scaled to a root sum of squares of maximum 1."""
    k = np.load(KSPACE / "head_8coil_undersampled.npy")[None]
    combined = np.sqrt((np.abs(inverse(k)) ** 2).sum(axis=1))
    return (k / combined.max()).astype(np.complex64)


def sampled(name, knob, **options):
    art = artifacts_sim.get(name, **options)
    params = art.sample(knob=knob, keys=KEY, seed=0)
    return art, params, {key: values[0] for key, values in params.draws.items()}


def shown(k, art, params):
    return art.apply(KSpace(torch.from_numpy(k)), params).numpy()


def test_one_coil_is_reconstructed(head):
    art, params, _ = sampled("ghosting", 0.0)
    np.testing.assert_allclose(shown(head, art, params), np.abs(inverse(head)), atol=2e-6)


def test_eight_coils_are_combined_by_root_sum_of_squares(coils):
    art, params, _ = sampled("ghosting", 0.0)
    expected = np.sqrt((np.abs(inverse(coils)) ** 2).sum(axis=1))
    np.testing.assert_allclose(shown(coils, art, params), expected, atol=2e-6)


@pytest.mark.parametrize("data", ["head", "coils"])
def test_ghosting_modulates_the_measured_lines(data, request):
    k = request.getfixturevalue(data)
    art, params, draws = sampled("ghosting", 0.8)
    n_lines = k.shape[-1]
    angle = 2 * np.pi * (np.arange(n_lines) - n_lines // 2) / draws["period_lines"]
    wave = np.cos(angle + draws["cycle_phase_rad"])
    factor = 1 + 0.8 * np.exp(1j * draws["modulation_phase_rad"]) * wave
    corrupted = art.corrupt(KSpace(torch.from_numpy(k)), params).samples.numpy()
    np.testing.assert_allclose(corrupted, k * factor, rtol=1e-5, atol=1e-5 * np.abs(k).max())


@pytest.mark.parametrize("data", ["head", "coils"])
def test_a_spike_changes_one_sample_of_each_coil(data, request):
    k = request.getfixturevalue(data)
    art, params, draws = sampled("spike", 0.5)
    corrupted = art.corrupt(KSpace(torch.from_numpy(k)), params).samples.numpy()
    changed = np.argwhere(np.abs(corrupted - k) > 0)
    height, width = k.shape[-2:]
    f_ro, f_pe = draws["frequency_of_nyquist"][0]
    place = (height // 2 + round(f_ro * height / 2), width // 2 + round(f_pe * width / 2))
    assert {tuple(at[-2:]) for at in changed} == {place}
    spikes = np.abs((corrupted - k)[..., place[0], place[1]])
    np.testing.assert_allclose(spikes, 0.5 * np.abs(k).max(axis=(-2, -1)), rtol=1e-4)


def test_noise_stays_off_the_lines_that_were_not_measured(coils):
    measured = np.flatnonzero(np.abs(coils).any(axis=(0, 1, 2)))
    assert len(measured) == 179
    art, params, _ = sampled("rician", 0.05)
    k = KSpace(torch.from_numpy(coils), Geometry(acquired=measured.tolist()))
    noise = art.corrupt(k, params).samples.numpy() - coils
    assert not noise[..., np.setdiff1d(np.arange(180), measured)].any()
    power = (np.abs(noise[..., measured]) ** 2).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(power, 2 * 0.05**2, rtol=4.5 / np.sqrt(230 * 179))


def test_a_magnitude_cannot_stand_for_measured_k_space(head):
    """Its spectrum is Hermitian, that of the scanner is not: the same ghost, another picture."""
    mirrored = np.conj(np.roll(head[:, ::-1, ::-1], (1, 1), axis=(1, 2)))
    asymmetry = np.linalg.norm(head - mirrored) / np.linalg.norm(head)
    assert asymmetry > 0.5
    art, params, _ = sampled("ghosting", 0.8)
    from_kspace = shown(head, art, params)
    from_image = art.apply(torch.from_numpy(inverse(head)).to(torch.complex64), params)
    np.testing.assert_allclose(from_kspace, from_image.numpy(), atol=1e-5)
    from_magnitude = art.apply(torch.from_numpy(np.abs(inverse(head))).float(), params).numpy()
    assert np.abs(from_magnitude - from_kspace).max() > 0.05


def test_a_readout_crop_is_shown_and_every_line_counts(head):
    """Oversampled readout: the ghost's spacing follows the 256 lines, the picture is the crop."""
    art, params, _ = sampled("ghosting", 0.8)
    whole = shown(head, art, params)
    crop = art.apply(KSpace(torch.from_numpy(head), Geometry(crop=(128, 200))), params)
    np.testing.assert_array_equal(crop.numpy(), whole[:, 64:192, 28:228])

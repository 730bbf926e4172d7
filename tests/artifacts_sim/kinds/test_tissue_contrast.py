"""The remap of tissues: its formula in NumPy, and what it leaves alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace, Params
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace
from artifacts_sim.kinds.curves import bright
from tests.support.gradients import gradients_hold, image_of

ART = artifacts_sim.get("tissue_contrast")
UNIT = (-0.1, 0.5, -0.5, 0.2)


def params_of(knob, unit=UNIT, batch=1):
    return Params("tissue_contrast", {}, knob, {"unit_log_gain": np.array([unit] * batch)})


def scale_of(x):
    """The 99th percentile of what is above a fifth of the mean that is weighted by itself."""
    foreground = np.sort(x[x > 0.2 * (x**2).sum() / x.sum()])[::-1]
    return foreground[int(0.01 * foreground.size)]


def log_gain(t, unit):
    """h at brightness t of the scale, pixel by pixel."""
    nodes = [0.0, *unit]
    gains = np.empty_like(t)
    for place, one in np.ndenumerate(t):
        v = min(one * 4, 4)
        j = min(int(v), 3)
        u = v - j
        gains[place] = nodes[j] + (nodes[j + 1] - nodes[j]) * (3 * u**2 - 2 * u**3)
    return gains


def slice_of(size=(40, 50), seed=0):
    """Half of it is background, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.1, 1, size)
    x[: size[0] // 2] = rng.rayleigh(0.005, (size[0] // 2, size[1]))
    return x


def apply(x, knob, unit=UNIT):
    return ART.apply(torch.as_tensor(x)[None], params_of(knob, unit))[0].numpy()


@pytest.mark.parametrize("knob", [0.01, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("brightness", [1.0, 250.0])
def test_it_is_the_formula(knob, brightness):
    x = brightness * slice_of()
    expected = x * np.exp(knob * log_gain(x / scale_of(x), UNIT))
    np.testing.assert_allclose(apply(x, knob), expected, rtol=1e-12)


class TestTheScale:
    def test_it_is_a_percentile_of_the_foreground(self):
        x = slice_of()
        assert bright(torch.from_numpy(x)[None]).item() == scale_of(x)

    def test_neither_background_nor_hot_pixels_move_it(self):
        x = torch.from_numpy(slice_of((60, 60)))[None]
        padded = torch.zeros(1, 64, 64, dtype=torch.float64)
        padded[:, 2:62, 2:62] = x
        assert torch.equal(bright(padded), bright(x))
        hot = x.clone()
        hot[0, 30, 30:33] = 20
        torch.testing.assert_close(bright(hot), bright(x), rtol=0.01, atol=0)

    def test_of_large_slices_samples_are_enough(self):
        x = slice_of((300, 320))
        assert bright(torch.from_numpy(x)[None]).item() == pytest.approx(scale_of(x), rel=0.01)

    def test_every_slice_has_one(self):
        x = torch.zeros(2, 200, 200)
        x[0, 101, 101] = 7  # between the samples; the second slice is empty
        assert bright(x).tolist() == [7, 1]


class TestLaws:
    def test_one_brightness_becomes_one_brightness(self):
        x = slice_of()
        grey = np.random.default_rng(1).choice(np.linspace(0.2, 1, 7), x.shape)
        y = apply(grey, 1.0)
        for value in np.unique(grey):
            assert np.unique(y[grey == value]).size == 1

    @pytest.mark.parametrize("knob", [0.2, 0.7, 1.5])
    def test_the_log_gain_runs_over_the_knob_around_0(self, knob):
        x = np.linspace(0, 1.2, 40 * 50).reshape(40, 50)
        gain = np.log(apply(x, knob)[x > 0] / x[x > 0])
        assert gain.max() == pytest.approx(knob / 2, rel=1e-4)
        assert gain.min() == pytest.approx(-knob / 2, rel=1e-4)

    def test_the_background_keeps_its_noise(self):
        x = slice_of()
        low = x < scale_of(x) / 30
        assert low.sum() > 900
        for unit in (UNIT, (0.5, -0.5, 0, 0), (-0.5, 0.5, 0, 0)):
            gain = np.log(apply(x, 1.5, unit)[low] / x[low])
            assert np.abs(gain).max() < 1.5 / 40

    def test_tissues_can_change_places(self):
        x = np.repeat([0.5, 0.75, 1.0], 100).reshape(30, 10)
        y = apply(x, 0.5)[[0, 10, 20], 0]
        assert list(np.argsort(y)) == [1, 0, 2]

    def test_noise_of_tissue_is_amplified_within_the_bound(self):
        x = np.linspace(0, 1.2, 400 * 500).reshape(400, 500)
        for unit in (UNIT, (0, 0, -0.5, 0.5), (0, 0, 0.5, -0.5), (-0.5, 0.5, 0.5, 0.5)):
            slope = np.diff(apply(x, 1.0, unit).ravel()) / np.diff(x.ravel())
            assert np.abs(slope).max() < np.exp(0.5) * (1 + 5.3)

    def test_phase_stays(self):
        x = slice_of()
        phase = np.linspace(-3, 3, x.size).reshape(x.shape)
        k = KSpace(to_kspace(to_kspace(torch.from_numpy(x * np.exp(1j * phase))[None], PE), RO))
        y = ART.corrupt(k, params_of(1.0)).samples
        image = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(y[0].numpy()), norm="ortho"))
        np.testing.assert_allclose(image * np.exp(-1j * phase), apply(x, 1.0), atol=1e-12)

    def test_all_coils_get_the_gain_of_their_magnitude(self):
        x = slice_of((31, 24))
        u = np.linspace(-1, 1, 24)
        gains = np.stack([np.exp(-((u - c) ** 2) + 1j * c * u) for c in range(3)])[:, None]
        coils = torch.from_numpy(x * gains)[None]
        k = KSpace(to_kspace(to_kspace(coils, PE), RO))
        combined = coils.abs().square().sum(dim=1).sqrt()
        y = ART.apply(combined, params_of(1.0))
        torch.testing.assert_close(ART.apply(k, params_of(1.0)), y)
        corrupted = ART.corrupt(k, params_of(1.0)).samples
        ratio = (y / combined)[:, None]
        torch.testing.assert_close(corrupted, to_kspace(to_kspace(coils * ratio, PE), RO))

    def test_a_vanishing_knob_changes_nothing(self):
        x = slice_of()
        np.testing.assert_allclose(apply(x, 1e-9), x, rtol=1e-8)

    def test_the_damage_of_every_pixel_grows(self):
        x = slice_of()
        damage = [np.abs(apply(x, knob) - x) for knob in (0.01, *ART.knob.physical, ART.knob.limit)]
        assert all((more >= less).all() for less, more in pairwise(damage))

    def test_what_is_outside_the_shown_pixels_does_not_count(self):
        x = torch.from_numpy(slice_of((20, 20)))[None]
        y = ART.apply(x, params_of(1.0), Geometry(encoded=(40, 30)))
        assert torch.equal(y, ART.apply(x, params_of(1.0)))


def test_slices_of_a_scan_get_one_curve():
    drawn = ART.sample(knob=1, keys=["a", "b", "c"], scans=["s", "s", "t"], seed=0).draws
    one, two, three = drawn["unit_log_gain"]
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


@pytest.mark.parametrize("knob", [0.3, 1.4])
@pytest.mark.parametrize(
    "seen", [torch.clone, lambda x: x * torch.exp(1j * x)], ids=["real", "phase"]
)
def test_the_derivatives_are_right(knob, seen):
    assert gradients_hold(ART, seen(image_of((5, 6))), knob)

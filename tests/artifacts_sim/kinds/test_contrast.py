"""The power law of the display: its formula, its ends, and TorchIO's and MONAI's way."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import KSpace, Params
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace

TOE = 1 / 1024
SIGNS = {"darker": 1.0, "brighter": -1.0}
every_sign = pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)


def params_of(knob, sign, batch=1):
    return Params("contrast", {}, knob, {"sign": np.full(batch, sign)})


def apply(x, knob, sign):
    batch = torch.as_tensor(x)[None]
    y = artifacts_sim.get("contrast").apply(batch, params_of(knob, sign))
    return y[0].double().numpy()


def texture(size=(30, 41), top=3.7, seed=0):
    x = np.random.default_rng(seed).uniform(2 * TOE, 1, size)
    x[3, 4] = 1
    return (top * x).astype(np.float32)


class TestTheCurve:
    @every_sign
    @pytest.mark.parametrize("knob", [0.05, 0.3, 0.7, 1.0])
    def test_it_is_a_power_of_the_share_of_the_maximum(self, knob, sign):
        x, g = texture(), np.exp(sign * knob)
        top = np.float64(x.max())
        rounding = 2e-6 * max(1, g)  # that of a logarithm, times the exponent
        np.testing.assert_allclose(apply(x, knob, sign), top * (x / top) ** g, rtol=rounding)

    @every_sign
    def test_the_toe_is_a_straight_line_that_meets_the_power(self, sign):
        g = np.exp(sign * 0.7)
        x = np.linspace(0, 2 * TOE, 101, dtype=np.float32)
        y = apply(np.append(x, np.float32(1))[None], 0.7, sign)[0, :-1]
        expected = np.where(x < TOE, x * TOE ** (g - 1), x**g)
        np.testing.assert_allclose(y, expected, rtol=2e-6)
        assert (np.diff(y) > 0).all()

    @every_sign
    def test_nothing_and_the_maximum_stay(self, sign):
        x = texture()
        x[0] = 0
        y = apply(x, 0.7, sign)
        assert (y[0] == 0).all()
        assert y[3, 4] == y.max() == x.max()

    def test_the_exponent_above_1_darkens(self):
        x = texture()
        between = x < x.max()
        assert (apply(x, 0.3, 1.0) < x)[between].all()
        assert (apply(x, 0.3, -1.0) > x)[between].all()

    def test_the_opposite_exponent_undoes_it(self):
        x = texture(top=1.0)
        x = np.maximum(x, 0.2)  # the darkened image stays above the toe
        there = apply(x, 0.7, 1.0).astype(np.float32)
        np.testing.assert_allclose(apply(there, 0.7, -1.0), x, rtol=5e-6)

    @every_sign
    def test_a_vanishing_knob_changes_nothing(self, sign):
        x = texture()
        np.testing.assert_allclose(apply(x, 1e-6, sign), x, rtol=2e-5)

    def test_slices_have_their_own_maximum_and_sign(self):
        x = torch.from_numpy(np.stack([texture(top=1), texture(top=50, seed=1)]))
        params = Params("contrast", {}, 0.5, {"sign": np.array([1.0, -1.0])})
        y = artifacts_sim.get("contrast").apply(x, params)
        for i, sign in enumerate((1.0, -1.0)):
            assert np.array_equal(y[i].double().numpy(), apply(x[i].numpy(), 0.5, sign))


class TestItActsOnWhatIsShown:
    def test_phase_is_irrelevant(self):
        x = torch.from_numpy(texture())[None]
        z = torch.polar(x, torch.linspace(-3, 3, x.numel()).view(x.shape))
        art, params = artifacts_sim.get("contrast"), params_of(0.5, -1.0)
        # hypot and the root of squares, which combines coils, round apart
        torch.testing.assert_close(art.apply(z, params), art.apply(z.abs(), params))

    def test_coils_are_combined_first(self):
        coils = torch.stack([torch.from_numpy(texture(seed=s)) for s in range(3)])[None]
        k = KSpace(to_kspace(to_kspace(coils.to(torch.complex64), PE), RO))
        art, params = artifacts_sim.get("contrast"), params_of(0.5, -1.0)
        combined = coils.square().sum(dim=1).sqrt()
        torch.testing.assert_close(art.apply(k, params), art.apply(combined, params))

    def test_rounding_errors_of_an_empty_background_stay_invisible(self):
        """k-space of an image gives its zeros back as some 1e-8 of its maximum."""
        x = torch.zeros(1, 32, 32)
        x[:, 8:24, 8:24] = torch.from_numpy(texture((16, 16), top=1.0))
        k = KSpace(to_kspace(to_kspace(x.to(torch.complex64), PE), RO))
        y = artifacts_sim.get("contrast").apply(k, params_of(0.7, -1.0))
        assert y[x == 0].max() < 1e-5 * y.max()


def test_both_directions_are_drawn():
    keys = [str(i) for i in range(200)]
    sign = artifacts_sim.get("contrast").sample(knob=1, keys=keys, seed=0).draws["sign"]
    assert set(sign.tolist()) == {-1, 1}
    assert sign.mean() == pytest.approx(0, abs=0.3)


class TestReferences:
    @every_sign
    @pytest.mark.parametrize("knob", [0.1, 0.3, 0.7])
    def test_torchio(self, knob, sign):
        tio = pytest.importorskip("torchio", reason="needs TorchIO")
        x = texture(top=1.0)
        image = tio.ScalarImage(tensor=torch.from_numpy(x)[None, ..., None])
        expected = tio.Gamma(float(np.exp(sign * knob)))(image).numpy()[0, ..., 0]
        np.testing.assert_allclose(apply(x, knob, sign), expected, rtol=2e-6)

    @every_sign
    @pytest.mark.parametrize("knob", [0.1, 0.3, 0.7])
    def test_monai(self, knob, sign):
        """It stretches from the minimum, here 0, and adds 1e-7 to the range."""
        monai = pytest.importorskip("monai.transforms", reason="needs MONAI")
        x = texture(top=1.0)
        x[0] = 0
        adjust = monai.AdjustContrast(float(np.exp(sign * knob)))
        expected = adjust(torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_allclose(apply(x, knob, sign), expected, rtol=2e-6)

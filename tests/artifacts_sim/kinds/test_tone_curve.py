"""The tone curve: numerical integration, its ends, its order and its inverse."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import KSpace, Params
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace
from tests.support.gradients import gradients_hold, image_of

CURVES = {
    "as drawn": (-0.1, 0.5, -0.5, 0.2, -0.3),
    "darker": (-0.5, -0.25, 0.0, 0.25, 0.5),
    "brighter": (0.5, 0.25, 0.0, -0.25, -0.5),
    "with straight pieces": (-0.5, -0.5, 0.5, 0.5, 0.0),
}
every_curve = pytest.mark.parametrize("unit", CURVES.values(), ids=CURVES)
ART = artifacts_sim.get("tone_curve")


def apply(x, knob, unit):
    batch = torch.as_tensor(np.asarray(x, dtype=np.float64))[None]
    params = Params("tone_curve", {}, knob, {"unit_log_slope": np.array([unit])})
    return ART.apply(batch, params)[0].numpy()


def integrated(t, knob, unit, steps=200_000):
    """The ratio of the integrals, by the midpoint rule."""
    mid = (np.arange(steps) + 0.5) / steps
    slope = np.exp(knob * np.interp(mid, np.linspace(0, 1, len(unit)), unit))
    whole = np.concatenate([[0], slope.cumsum()])
    return np.interp(t, np.linspace(0, 1, steps + 1), whole / whole[-1])


def ramp(top=1.0, size=(40, 50)):
    return np.linspace(0, top, size[0] * size[1]).reshape(size)


@every_curve
@pytest.mark.parametrize("knob", [0.01, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("top", [1.0, 3.7])
def test_it_is_the_integral_of_its_slope(unit, knob, top):
    x = ramp(top)
    np.testing.assert_allclose(
        apply(x, knob, unit), top * integrated(x / top, knob, unit), atol=1e-9
    )


@every_curve
def test_a_slice_in_single_precision_gets_the_same_curve(unit):
    x = torch.from_numpy(ramp(2.0)).float()[None]
    params = Params("tone_curve", {}, 3.0, {"unit_log_slope": np.array([unit])})
    y = ART.apply(x, params)
    assert y.dtype == torch.float32
    expected = 2 * integrated(x[0].double().numpy() / 2, 3.0, unit)
    np.testing.assert_allclose(y[0].numpy(), expected, atol=1e-6)


@every_curve
@pytest.mark.parametrize("knob", [1e-6, 0.5, 3.0])
class TestLaws:
    def test_nothing_and_the_maximum_stay(self, unit, knob):
        y = apply(ramp(3.7), knob, unit)
        assert y[0, 0] == 0
        assert y[-1, -1] == y.max() == 3.7

    def test_the_order_of_grey_values_is_kept(self, unit, knob):
        assert (np.diff(apply(ramp(3.7), knob, unit).ravel()) > 0).all()

    def test_the_slope_runs_over_the_knob(self, unit, knob):
        y = apply(ramp(size=(300, 400)), knob, unit).ravel()
        slope = np.diff(y) * (y.size - 1)
        assert np.log(slope.max() / slope.min()) == pytest.approx(knob, rel=1e-3, abs=1e-8)

    def test_the_slope_has_no_step(self, unit, knob):
        y = apply(ramp(size=(300, 400)), knob, unit).ravel()
        log_slope = np.log(np.diff(y))
        assert np.abs(np.diff(log_slope)).max() < 2 * knob * 4 / y.size + 1e-8

    def test_an_inverse_exists(self, unit, knob):
        x = ramp()
        there = apply(x, knob, unit).ravel()
        back = np.interp(
            there,
            integrated(ramp(size=(500, 500)).ravel(), knob, unit),
            ramp(size=(500, 500)).ravel(),
        )
        np.testing.assert_allclose(back, x.ravel(), atol=1e-6)


@every_curve
def test_a_vanishing_knob_changes_nothing(unit):
    x = ramp()
    np.testing.assert_allclose(apply(x, 1e-7, unit), x, atol=1e-7)


def test_above_the_clean_maximum_it_goes_on_with_its_last_slope():
    """Where noise of the same chain made a pixel brighter than any was."""
    unit, knob = CURVES["as drawn"], 1.5
    x = torch.full((1, 60, 60), 0.98, dtype=torch.float64)
    x[0, 0, 0] = 1
    noise = artifacts_sim.get("rician")
    noisy = noise.sample(knob=0.05, keys=["a"], seed=0)
    seen = noise.apply(x, noisy)
    curve = Params("tone_curve", {}, knob, {"unit_log_slope": np.array([unit])})
    y = artifacts_sim.acquisition.pipeline.render(x, [(ART, curve), (noise, noisy)])
    above = (seen > 1).numpy()
    assert above.sum() > 500
    end = (1 - integrated(1 - 1e-4, knob, unit)) / 1e-4
    expected = 1 + end * (seen.numpy()[above] - 1)
    np.testing.assert_allclose(y.numpy()[above], expected, rtol=1e-4)
    assert (y.numpy()[~above] <= 1).all()


def test_the_damage_grows_on_every_curve():
    keys = [str(i) for i in range(300)]
    x = torch.from_numpy(ramp()).expand(len(keys), -1, -1)
    damage = [
        (ART.apply(x, ART.sample(knob=knob, keys=keys, seed=0)) - x).square().mean(dim=(1, 2))
        for knob in (0.01, *ART.knob.physical, ART.knob.limit)
    ]
    more = torch.stack(damage).diff(dim=0) > 0
    assert more.double().mean() > 0.99
    assert (torch.stack(damage).mean(dim=1).diff() > 0).all()


class TestTheDraws:
    def test_slices_of_a_scan_get_one_curve(self):
        params = ART.sample(knob=1, keys=["a", "b", "c"], scans=["s", "s", "t"], seed=0)
        drawn = params.draws["unit_log_slope"]
        assert np.array_equal(drawn[0], drawn[1])
        assert not np.array_equal(drawn[0], drawn[2])

    def test_the_range_is_1_and_the_middle_0(self):
        keys = [str(i) for i in range(500)]
        drawn = ART.sample(knob=1, keys=keys, seed=0).draws["unit_log_slope"]
        np.testing.assert_allclose(drawn.min(axis=1), -0.5)
        np.testing.assert_allclose(drawn.max(axis=1), 0.5)
        assert np.abs(drawn.mean(axis=0)).max() < 0.08


def test_coils_are_combined_first():
    coils = torch.stack([torch.from_numpy(ramp() ** (s + 1)) for s in range(3)])[None]
    k = KSpace(to_kspace(to_kspace(coils.to(torch.complex128), PE), RO))
    params = ART.sample(knob=1, keys=["a"], seed=0)
    combined = coils.square().sum(dim=1).sqrt()
    torch.testing.assert_close(ART.apply(k, params), ART.apply(combined, params))


@pytest.mark.parametrize("knob", [0.3, 2.0])
def test_the_derivatives_are_right(knob):
    assert gradients_hold(ART, image_of((5, 6)), knob)


def test_the_derivative_at_the_maximum_is_1():
    x = image_of((4, 5), batch=1).requires_grad_()
    ART.apply(x, ART.sample(knob=1, keys=["a"], seed=0)).amax().backward()
    expected = (x == x.amax()).double()
    torch.testing.assert_close(x.grad, expected.detach())

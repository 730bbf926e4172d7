"""Noncentral chi noise against the law, its limits and Rician noise."""

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import gammaln

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Params
from tests.support.artifacts import Z_LIMIT
from tests.support.gradients import gradients_hold, image_of

S = 0.05  # of a maximum of 1
RICIAN = artifacts_sim.get("rician")


def chi(coils=4):
    return artifacts_sim.get("noncentral_chi", coils=coils)


def noisy(snr, coils, geometry=None, seed=0):
    """200 x 200 noisy pixels of one signal, in units of sigma; another pixel is the maximum."""
    x = torch.full((1, 200, 201), snr * S, dtype=torch.float64)
    x[0, 0, 0] = 1
    art = chi(coils)
    y = art.apply(x, art.sample(knob=S, keys=["slice"], seed=seed), geometry)
    return y[0, :, 1:].numpy() / S


@pytest.mark.parametrize("coils", [1, 2, 4, 8, 32])
@pytest.mark.parametrize("snr", [0, 1, 5])
class TestTheLaw:
    def test_second_moment(self, snr, coils):
        """The mean square is nu^2 + 2 L s^2; its variance that of a noncentral chi square."""
        square = noisy(snr, coils) ** 2
        spread = math.sqrt(4 * coils + 4 * snr**2)
        assert abs(square.mean() - snr**2 - 2 * coils) * math.sqrt(square.size) / spread < Z_LIMIT

    def test_mean(self, snr, coils):
        y = noisy(snr, coils)
        if snr:  # twice the integral of the law
            law = stats.ncx2(2 * coils, snr**2)
            mean = law.expect(np.sqrt, epsabs=1e-9, epsrel=1e-9)
        else:
            mean = math.sqrt(2) * math.exp(gammaln(coils + 0.5) - gammaln(coils))
        spread = math.sqrt(snr**2 + 2 * coils - mean**2)
        assert abs(y.mean() - mean) * math.sqrt(y.size) / spread < Z_LIMIT

    def test_distribution(self, snr, coils):
        law = stats.ncx2(2 * coils, snr**2) if snr else stats.chi2(2 * coils)
        assert stats.kstest(noisy(snr, coils).ravel() ** 2, law.cdf).pvalue > 1e-3


def test_noise_is_white():
    y = noisy(0.5, 4)
    standard = (y - y.mean()) / y.std()
    for along in ((standard[1:], standard[:-1]), (standard[:, 1:], standard[:, :-1])):
        correlation = (along[0] * along[1]).mean()
        assert abs(correlation) * math.sqrt(along[0].size) < Z_LIMIT


def test_one_coil_is_rician_noise_bit_for_bit():
    x = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0))
    art = chi(1)
    params = art.sample(knob=0.1, keys=["a", "b", "c"], seed=0)
    as_rician = Params("rician", {}, 0.1, {"field_seed": params.draws["field_seed"]})
    assert torch.equal(art.apply(x, params), RICIAN.apply(x, as_rician))
    k = KSpace(torch.complex(x, x.flip(1)))
    assert torch.equal(art.corrupt(k, params).samples, RICIAN.corrupt(k, as_rician).samples)


def test_several_coils_add_power_to_the_same_rician_noise():
    x = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0))
    params = chi(4).sample(knob=0.1, keys=["a", "b", "c"], seed=0)
    as_rician = Params("rician", {}, 0.1, {"field_seed": params.draws["field_seed"]})
    assert (chi(4).apply(x, params) > RICIAN.apply(x, as_rician)).all()


class TestWhatIsNotMeasured:
    @pytest.mark.parametrize("coils", [1, 4])
    def test_lines(self, coils):
        """The other coils lack the lines that the measured one lacks."""
        geometry = Geometry(acquired=range(50, 151))
        square = noisy(0, coils, geometry) ** 2
        share = 101 / 201
        effective = 101 * 200 * coils  # independent numbers
        assert square.mean() == pytest.approx(2 * coils * share, rel=Z_LIMIT / math.sqrt(effective))

    def test_samples_that_a_partner_cut_off(self):
        x = torch.zeros(1, 200, 201, dtype=torch.float64)
        x[0, 100, 100] = 1
        steps = [
            (art, art.sample(knob=knob, keys=["a"], seed=0))
            for art, knob in ((artifacts_sim.get("gibbs"), 0.5), (chi(4), S))
        ]
        y = artifacts_sim.acquisition.pipeline.render(x, steps)
        far = y[0, :40, :40].numpy() / S
        assert (far**2).mean() == pytest.approx(8 * (101 / 200) * (101 / 201), rel=0.1)


class TestDataOfSeveralCoils:
    @staticmethod
    def background(coils, given):
        """The mean square of 200 x 200 pixels of data of so many coils, in units of sigma."""
        images = torch.zeros(1, given, 200, 201, dtype=torch.complex128)
        images[0, 0, 100, 100] = 1
        k = KSpace(
            torch.fft.fftshift(
                torch.fft.fft2(torch.fft.ifftshift(images, dim=(2, 3)), norm="ortho"), dim=(2, 3)
            )
        )
        art = chi(coils)
        y = art.apply(k, art.sample(knob=S, keys=["a"], seed=0))
        return float((y[0, :, :100] / S).square().mean())

    @pytest.mark.parametrize(
        ("coils", "given", "counted"), [(4, 2, 4), (4, 4, 4), (2, 3, 3), (4, 1, 4)]
    )
    def test_their_own_noise_counts(self, coils, given, counted):
        spread = Z_LIMIT / math.sqrt(20_000 * counted)
        assert self.background(coils, given) == pytest.approx(2 * counted, rel=spread)


class TestSeverity:
    def test_a_vanishing_knob_changes_nothing(self):
        x = torch.rand(1, 40, 30, dtype=torch.float64)
        y = chi().apply(x, chi().sample(knob=1e-9, keys=["a"], seed=0))
        torch.testing.assert_close(y, x, rtol=0, atol=1e-8)

    @pytest.mark.parametrize("coils", [2, 4, 8])
    def test_the_damage_grows_with_the_knob_and_with_the_coils(self, coils):
        x = image_of((64, 64), batch=1)
        damage = [
            float((art.apply(x, art.sample(knob=knob, keys=["a"], seed=0)) - x).square().mean())
            for art, knob in (
                *((chi(coils), knob) for knob in (0.001, *chi().knob.physical, 0.5)),
                (chi(2 * coils), 0.5),
            )
        ]
        assert damage == sorted(damage)

    def test_the_levels_are_those_of_rician_noise(self):
        assert chi().knob.physical == RICIAN.knob.physical
        assert chi().knob.limit == RICIAN.knob.limit


@pytest.mark.parametrize("coils", [1, 3])
@pytest.mark.parametrize(
    "seen", [torch.clone, lambda x: x * torch.exp(1j * x)], ids=["real", "phase"]
)
def test_the_derivatives_are_right(coils, seen):
    assert gradients_hold(chi(coils), seen(image_of((5, 6))), 0.1)


def test_gradients_do_not_change_the_pixels():
    x = image_of((20, 30))
    params = chi().sample(knob=0.1, keys=["a", "b"], seed=0)
    recorded = chi().apply(x.clone().requires_grad_(), params)
    torch.testing.assert_close(recorded.detach(), chi().apply(x, params), rtol=0, atol=1e-7)


def test_an_empty_slice_has_finite_gradients():
    x = torch.zeros(1, 6, 5, dtype=torch.float64, requires_grad=True)
    chi().apply(x, chi().sample(knob=0.1, keys=["a"], seed=0)).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("coils", [0, -1, 2.5, True, "4"])
def test_coils_are_counted(coils):
    with pytest.raises(ArtifactError, match="the option coils is not a whole number from 1"):
        chi(coils)


def test_its_record_has_its_coils():
    assert asdict(chi(7)) == {"coils": 7}

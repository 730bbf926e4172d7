"""Zippers: one frequency in k-space, one noisy row in the image, and nothing else."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace

KNOB = 0.3


def sampled(knob=KNOB, slices=1, seed=0, **options):
    art = artifacts_sim.get("zipper", **options)
    return art, art.sample(knob=knob, keys=[f"slice-{i}" for i in range(slices)], seed=seed)


def row_of(params, height):
    return height // 2 + round(float(params.draws["place_of_half_fov"][0, 0]) * height / 2)


def images(size, phase=False):
    """A slice that is empty but for its first column, of maximum 2."""
    x = torch.zeros(1, *size)
    x[:, :, 0] = torch.linspace(1, 2, size[0])
    return torch.polar(x, torch.linspace(-2, 3, x.numel()).view_as(x)) if phase else x


def added(k, art, params, **geometry):
    return (art.corrupt(KSpace(k, Geometry(**geometry)), params).samples - k).numpy()


def flat(height, width, coils=1):
    """k-space of a root sum of squares that is 1 everywhere."""
    k = torch.zeros(1, coils, height, width, dtype=torch.complex64)
    k[:, :, height // 2, width // 2] = math.sqrt(height * width / coils)
    return k


class TestInTheImage:
    @pytest.mark.parametrize("phase", [False, True], ids=["real", "complex"])
    @pytest.mark.parametrize("size", [(40, 64), (41, 63)], ids=str)
    def test_one_row_is_changed(self, size, phase):
        x = images(size, phase)
        art, params = sampled()
        y = art.apply(x, params)
        changed = (y != x.abs())[0].any(dim=1).nonzero().flatten().tolist()
        assert changed == [row_of(params, size[0])]

    @pytest.mark.parametrize("phase", [False, True], ids=["real", "complex"])
    @pytest.mark.parametrize("knob", [0.05, 0.3, 1.0])
    def test_the_knob_is_its_root_mean_square_over_the_maximum(self, phase, knob):
        x = images((40, 512), phase)
        x[:, :, 0] /= 1e4  # leaves the row next to empty
        x[:, 0, 0] *= 1e4
        art, params = sampled(knob)
        row = art.apply(x, params)[0, row_of(params, 40)]
        rms = float(row.square().mean().sqrt() / x.abs().max())
        assert rms == pytest.approx(knob, rel=2e-3)

    def test_it_looks_like_noise(self):
        x = torch.zeros(1, 20, 4096)
        x[0, 0, 0] = 1
        art, params = sampled()
        row = art.apply(x, params)[0, row_of(params, 20)].numpy()
        assert stats.kstest(row, stats.rayleigh(scale=KNOB / math.sqrt(2)).cdf).pvalue > 1e-3
        standard = (row - row.mean()) / row.std()
        assert abs((standard[1:] * standard[:-1]).mean()) * math.sqrt(4096) < 4.5

    def test_places_are_off_the_centre_and_within_the_inner_half(self):
        _, params = sampled(slices=500)
        place = params.draws["place_of_half_fov"]
        assert np.abs(place).min() >= 0.05
        assert np.abs(place).max() <= 0.45
        assert stats.kstest(np.abs(place[:, 0]), stats.uniform(0.05, 0.4).cdf).pvalue > 1e-3

    def test_a_readout_that_is_encoded_twice_as_wide_still_shows_it(self):
        x = torch.ones(20, 16, 24)
        art, params = sampled(slices=20)
        y = art.apply(x, params, Geometry(encoded=(32, 24)))
        assert (y != x).any(dim=2).sum(dim=1).tolist() == 20 * [1]


class TestInKSpace:
    def test_every_line_has_one_frequency_of_one_amplitude(self):
        """A e^{-2 pi i x0 k_RO / N_RO} e^{i phi} with A = knob max sqrt(1 / N_RO)."""
        art, params = sampled()
        d = added(flat(30, 400), art, params)[0, 0]
        np.testing.assert_allclose(np.abs(d), KNOB / math.sqrt(30), rtol=1e-4)
        x0 = row_of(params, 30) - 15
        turn = np.exp(-2j * np.pi * x0 / 30)
        np.testing.assert_allclose(d[1:] / d[:-1], np.full((29, 400), turn), rtol=0, atol=1e-3)

    def test_the_phases_of_lines_are_uniform_and_independent(self):
        art, params = sampled()
        phase = np.angle(added(flat(8, 5000), art, params)[0, 0, 4])
        assert stats.kstest(phase, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
        follows = np.exp(1j * np.diff(phase)).mean()
        assert abs(follows) * math.sqrt(5000) < 4.5

    def test_lines_that_were_never_acquired_stay_empty(self):
        acquired = range(14, 386)
        art, params = sampled()
        d = added(flat(8, 400), art, params, acquired=acquired)[0, 0]
        missing = np.setdiff1d(np.arange(400), acquired)
        assert not d[:, missing].any()
        rms = math.sqrt((np.abs(d) ** 2).sum() / 400)  # of the one row, by Parseval
        assert rms == pytest.approx(KNOB, rel=1e-4)

    def test_an_image_of_these_lines_gets_the_same(self):
        acquired = range(4, 27)
        k = torch.zeros(1, 20, 30, dtype=torch.complex64)
        k[..., 4:27] = torch.from_numpy(
            (np.random.default_rng(0).normal(size=(1, 20, 23, 2)) @ [1, 1j]).astype(np.complex64)
        )
        shifted = torch.fft.ifftshift(k, dim=(1, 2))
        z = torch.fft.fftshift(torch.fft.ifft2(shifted, norm="ortho"), dim=(1, 2))
        art, params = sampled(1.0)
        from_image = art.apply(z, params, Geometry(acquired=acquired))
        from_kspace = art.apply(KSpace(k, Geometry(acquired=acquired)), params)
        torch.testing.assert_close(from_image, from_kspace, rtol=0, atol=1e-5)

    def test_it_scales_with_the_knob(self):
        small, large = (added(flat(8, 60), *sampled(knob)) for knob in (0.1, 1.0))
        np.testing.assert_allclose(large, 10 * small, atol=1e-4)

    def test_coils_receive_the_same_and_combine_to_the_knob(self):
        art, params = sampled()
        d = added(flat(8, 60, coils=4), art, params)[0]
        np.testing.assert_allclose(d, np.broadcast_to(d[:1], d.shape), atol=1e-6)
        rms = math.sqrt((np.abs(d) ** 2).sum() / 60)
        assert rms == pytest.approx(KNOB, rel=1e-4)


class TestOptions:
    @pytest.mark.parametrize(("zippers", "width"), [(1, 1), (1, 4), (3, 1), (2, 3)])
    def test_rows_per_zipper(self, zippers, width):
        art, params = sampled(slices=40, zippers=zippers, width_px=width)
        changed = (art.apply(torch.ones(40, 320, 32), params) != 1).any(dim=2)
        runs = (changed[:, 1:] & ~changed[:, :-1]).sum(dim=1)
        assert changed.sum(dim=1).max() == zippers * width
        assert runs.max() == zippers
        assert (changed.sum(dim=1) <= zippers * width).all()

    def test_a_shared_row_gets_the_sum(self):
        """Of two independent zippers in one row, the powers add."""
        x = torch.zeros(50, 1, 256)
        x[:, 0, 0] = 1
        art, params = sampled(1.0, slices=50, zippers=2)
        power = art.apply(x, params)[:, 0, 1:].square().mean(dim=1)
        assert float(power.mean()) == pytest.approx(2, abs=4.5 * float(power.std()) / math.sqrt(50))
        assert float(power.std()) < 0.5

    @pytest.mark.parametrize("option", ["zippers", "width_px"])
    def test_bad_options_are_refused(self, option):
        with pytest.raises(
            ArtifactError, match=f"{option} is not a whole number from 1 to \\d+; received 0"
        ):
            artifacts_sim.get("zipper", **{option: 0})

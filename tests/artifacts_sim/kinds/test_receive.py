"""Receive shading against its law, Biot and Savart's integral, and what a polynomial cannot do."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace
from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from tests.artifacts_sim.kinds.test_coils import by_wires
from tests.support.artifacts import apply, object_in, sampled


def ellipse(size, scale=0.8):
    u, v = ((np.arange(n) + 0.5) * 2 / n - 1 for n in size)
    return (u[:, None] ** 2 + v**2) < scale**2


def gain(x, knob, **kwargs):
    y, draws = sampled("receive", x, knob, **kwargs)
    return y / x, draws


class TestReceive:
    @pytest.mark.parametrize("knob", [0.3, 1.0, 3.0])
    @pytest.mark.parametrize("size", [(48, 40), (101, 96)], ids=str)
    def test_over_the_foreground_the_gain_runs_evenly_about_one(self, size, knob):
        inside = ellipse(size)
        x = np.where(inside, 0.7, 1e-3)
        for seed in range(4):
            found, _ = gain(x, knob, seed=seed)
            log = np.log(found)
            assert log[inside].max() == pytest.approx(knob / 2, rel=1e-4)
            assert log[inside].min() == pytest.approx(-knob / 2, rel=1e-4)
            assert np.abs(log).max() <= knob / 2 * (1 + 1e-4)

    @pytest.mark.parametrize("key", ["a", "b"])
    def test_against_biot_and_savart(self, key):
        """The array's own sensitivity and a uniform one, mixed."""
        size, knob = (30, 36), 1.4
        inside = ellipse(size)
        x = np.where(inside, 0.7, 1e-3)
        found, draws = gain(x, knob, key=key)
        fields = by_wires(draws["turn_rad"], draws["arc_rad"], 8, size, size)
        rss = np.sqrt((np.abs(fields) ** 2).sum(axis=0))
        low, high = rss[inside].min(), rss[inside].max()
        t = np.clip((rss - low) / (high - low), 0, 1)
        expected = np.exp(-knob / 2) * (1 - t) + np.exp(knob / 2) * t
        np.testing.assert_allclose(found, expected, rtol=5e-4)

    def test_at_the_array_s_own_range_it_is_the_array_alone(self):
        x = np.ones((40, 40))
        draws = {"turn_rad": 0.4, "arc_rad": 2 * np.pi}
        fields = by_wires(0.4, 2 * np.pi, 8, (40, 40), (1, 1))
        rss = np.sqrt((np.abs(fields) ** 2).sum(axis=0))
        own = np.log(rss.max() / rss.min())
        found = apply("receive", x, own, **draws) / x
        np.testing.assert_allclose(found, rss / np.sqrt(rss.max() * rss.min()), rtol=5e-4)

    @pytest.mark.parametrize("turn", [0.0, 1.1, 3.0, 4.9])
    def test_it_is_brightest_next_to_a_pad(self, turn):
        x = np.where(ellipse((60, 60)), 1.0, 1e-3)
        found = apply("receive", x, 2.0, turn_rad=turn, arc_rad=np.pi / 2) / x
        u = np.arange(60) - 29.5
        towards = u[:, None] * np.cos(turn) + u * np.sin(turn)
        inside = ellipse((60, 60))
        assert found[inside & (towards > 15)].min() > found[inside & (towards < 0)].max()

    def test_away_from_one_loop_it_falls_as_its_field_on_the_axis(self):
        x = np.ones((61, 61))
        art = artifacts_sim.get("receive", coils=1)
        found = apply(art, x, 2.0, turn_rad=0.0, arc_rad=2 * np.pi)[30:55, 30]
        distance = 1.2 - ((np.arange(30, 55) + 0.5) * 2 / 61 - 1)
        field = (1 + (distance / 0.4) ** 2) ** -1.5
        slope, offset = np.polyfit(field, found, 1)
        np.testing.assert_allclose(slope * field + offset, found, rtol=1e-3)
        assert slope > 0

    def test_no_cubic_has_its_shape(self):
        inside = ellipse((50, 50))
        x = np.where(inside, 1.0, 1e-3)
        u = (np.arange(50) + 0.5) / 25 - 1
        powers = [u[:, None] ** a * u**b for a in range(4) for b in range(4 - a)]
        cubic = np.stack([one[inside] for one in powers], axis=1)
        left = []
        for name in ("receive", "bias"):
            log = np.log(sampled(name, x, 2.0)[0] / x)[inside]
            rest = log - cubic @ np.linalg.lstsq(cubic, log, rcond=None)[0]
            left.append(rest.std() / log.std())
        assert left[0] > 0.05
        assert left[1] < 1e-3

    def test_the_background_is_irrelevant(self):
        x = object_in((60, 60))
        faint = np.where(x == 0, 0.01, x)
        plain, lifted = sampled("receive", x, 1.0)[0], sampled("receive", faint, 1.0)[0]
        np.testing.assert_allclose(plain[x > 0], lifted[x > 0], rtol=1e-4)

    def test_the_matrix_is_irrelevant(self):
        x = np.where(ellipse((40, 40)), 1.0, 1e-3)
        fine = np.kron(x, np.ones((3, 3)))
        coarse, dense = gain(x, 1.5)[0], gain(fine, 1.5)[0]
        np.testing.assert_allclose(coarse, dense[1::3, 1::3], rtol=0.08)

    def test_all_measured_coils_are_shaded_alike(self):
        rng = np.random.default_rng(0)
        k = torch.from_numpy(rng.normal(size=(1, 3, 24, 20, 2))).float()
        k = KSpace(torch.view_as_complex(k), Geometry(crop=(16, 20)))
        art = artifacts_sim.get("receive")
        params = art.sample(knob=1.0, keys=["a"], seed=0)
        before, after = (
            to_image(to_image(one.samples, RO), PE)[0] for one in (k, art.corrupt(k, params))
        )
        factor = after / before
        assert float(factor.imag.abs().max()) < 1e-4
        torch.testing.assert_close(factor, factor[:1].expand(3, -1, -1), rtol=1e-4, atol=1e-4)

    def test_slices_of_a_scan_have_one_array(self):
        art = artifacts_sim.get("receive")
        draws = art.sample(knob=1.0, keys=["a", "b", "c"], scans=["1", "1", "2"], seed=0).draws
        for values in draws.values():
            assert values[0] == values[1] != values[2]

    def test_arcs_run_from_a_quarter_to_a_full_turn(self):
        art = artifacts_sim.get("receive")
        draws = art.sample(knob=1.0, keys=[str(i) for i in range(2000)], seed=0).draws
        share = draws["arc_rad"] / (2 * np.pi)
        assert 0.25 <= share.min() < 0.26
        assert 0.99 < share.max() < 1
        assert np.cos(draws["turn_rad"]).mean() == pytest.approx(0, abs=4.5 / np.sqrt(4000))

    def test_a_number_of_coils_below_one_is_refused(self):
        with pytest.raises(artifacts_sim.ArtifactError, match=r"coils is not a whole number from"):
            artifacts_sim.get("receive", coils=0)


def test_shading_moves_with_k_space():
    x = torch.rand(1, 20, 24, generator=torch.Generator().manual_seed(0)).to(torch.complex64)
    art = artifacts_sim.get("receive")
    params = art.sample(knob=1.0, keys=["a"], seed=0)
    k = KSpace(to_kspace(to_kspace(x, RO), PE))
    torch.testing.assert_close(art.apply(k, params), art.apply(x, params), rtol=0, atol=1e-5)

"""Metal: the dipole's field, the void about it and the signal that is displaced by it."""

import math
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, Params
from artifacts_sim.kinds.foreground import foreground, middle_and_spread, place_within
from tests.support.overlap import outline, spread

RO, PE, THROUGH = range(3)
SPIN_ECHO = artifacts_sim.get("metal", te_ms=0.0)
NO_SHIFT = artifacts_sim.get("metal", readout_hz_per_mm=1e12)
POLE_HZ = 42.577e6 * 1.5 * 182e-6 * 2 / 3


def apply(art, x, radius, axis=THROUGH, quantile=(0.5, 0.5), way=1.0, pixel_mm=(1.0, 1.0)):
    draws = {
        "quantile": np.array([quantile]),
        "b0_axis": np.array([axis]),
        "direction": np.array([way]),
    }
    x = torch.as_tensor(x, dtype=torch.float64)[None]
    params = Params("metal", asdict(art), radius, draws)
    return art.apply(x, params, Geometry(pixel_mm=pixel_mm))[0].numpy()


def reference(art, x, radius, axis, way, pixel_mm):
    """A sphere in the middle of a block that is all foreground; NumPy in float64."""
    equator = 42.577e6 * art.field_t * art.dchi_ppm * 1e-6 / 3

    def polar(rows, columns, extent):
        """Of squares as they are on average over a pixel, or its edge."""
        ro2 = ((rows - x.shape[0] / 2)[:, None] * pixel_mm[0]) ** 2 + extent**2 / 12
        pe2 = ((columns - x.shape[1] / 2)[None] * pixel_mm[1]) ** 2 + pixel_mm[1] ** 2 / 12
        r2 = ro2 + pe2
        return np.sqrt(r2), {RO: ro2, PE: pe2, THROUGH: 0 * r2}[axis] / r2

    rows, columns = np.arange(x.shape[0]) + 0.5, np.arange(x.shape[1]) + 0.5
    r, cos2 = polar(rows, columns, pixel_mm[0])
    gradient = 3 * equator * radius**3 / r**4 * np.sqrt(5 * cos2**2 - 2 * cos2 + 1)
    phase = math.pi * art.te_ms * 1e-3 * art.voxel_mm * gradient
    left = x * np.exp(-(phase**2) / 6 - (radius / r) ** 8)
    r, cos2 = polar(np.arange(x.shape[0] + 1), columns, 0)
    hz = equator * (radius / np.maximum(r, radius)) ** 3 * (3 * cos2 - 1)
    shift = way * hz / art.readout_hz_per_mm / pixel_mm[0]
    return np.stack(list(map(spread, left.T, shift.T)), axis=1)


def bars(n=161, every=10):
    """Rows of signal, one of them through the middle."""
    x = np.zeros((n, n))
    x[n // 2 % every :: every] = 1.0
    return x


def shift_at(y, rows, columns, every=10):
    """How far the signal of a bar's pixel lies from where it was, so far from the middle."""
    first = y.shape[0] // 2 + rows - every // 2
    window = y[first : first + every, y.shape[1] // 2 + columns]
    return (window * np.arange(every)).sum() / window.sum() - every // 2


def shift_along(y, r):
    """The mean of both sides: only what crosses a pixel's edge tells, r + 1/2 or r - 1/2 away."""
    return (shift_at(y, r, 0) + shift_at(y, -r, 0)) / 2


def smooth_disc(n):
    u = (np.arange(n) + 0.5) / n - 0.5
    r = np.hypot(u[:, None] / 0.4, u[None] / 0.35)
    return (1 + 0.3 * np.cos(9 * u[:, None] + 4 * u)) / (1 + np.exp((r - 1) / 0.03))


class TestAgainstAReference:
    @pytest.mark.parametrize("axis", [RO, PE, THROUGH])
    @pytest.mark.parametrize("way", [-1.0, 1.0])
    @pytest.mark.parametrize(
        "art",
        [
            artifacts_sim.get("metal"),
            SPIN_ECHO,
            artifacts_sim.get("metal", field_t=3.0, dchi_ppm=3520.0),
            artifacts_sim.get("metal", te_ms=1.0, voxel_mm=0.7, readout_hz_per_mm=100.0),
        ],
        ids=["titanium", "spin echo", "steel", "short echo"],
    )
    def test_void_and_displacement(self, art, axis, way):
        x = np.random.default_rng(0).uniform(0.6, 1, (48, 40))
        for radius in (0.3, 1.0, 4.0):
            y = apply(art, x, radius, axis, way=way, pixel_mm=(0.9, 1.2))
            expected = reference(art, x, radius, axis, way, (0.9, 1.2))
            np.testing.assert_allclose(y, expected, atol=1e-5 * expected.max())


class TestDisplacement:
    def test_it_falls_with_the_cube_of_the_distance(self):
        y = apply(SPIN_ECHO, bars(), 2.0, RO)
        measured = [shift_along(y, r) for r in (20, 40)]
        expected = [POLE_HZ / 250 * (2 / r) ** 3 for r in (20, 40)]
        np.testing.assert_allclose(measured, expected, rtol=0.01)
        assert measured[0] / measured[1] == pytest.approx(8, rel=0.01)

    @pytest.mark.parametrize("way", [1.0, -1.0])
    def test_along_b0_it_is_twice_that_across_and_of_the_other_sign(self, way):
        y = apply(SPIN_ECHO, bars(), 2.0, RO, way=way)
        along, across = shift_along(y, 30), shift_at(y, 0, 30)
        assert along / across == pytest.approx(-2, rel=0.01)
        assert along * way > 0
        y = apply(SPIN_ECHO, bars(), 2.0, PE, way=way)
        assert shift_at(y, 0, 30) == pytest.approx(along, rel=0.01)
        assert shift_along(y, 30) == pytest.approx(across, rel=0.01)

    def test_with_b0_through_the_plane_it_is_the_same_all_round(self):
        y = apply(SPIN_ECHO, bars(), 2.0, THROUGH)
        shifts = [shift_along(y, 30), shift_at(y, 0, 30), shift_at(y, 0, -30)]
        np.testing.assert_allclose(shifts, -POLE_HZ / 500 * (2 / 30) ** 3, rtol=0.01)

    def test_in_mm_it_does_not_depend_on_the_matrix(self):
        fine = apply(SPIN_ECHO, bars(), 2.0, RO, pixel_mm=(0.5, 0.5))
        coarse = apply(SPIN_ECHO, bars(), 2.0, RO)
        assert shift_along(fine, 40) * 0.5 == pytest.approx(shift_along(coarse, 20), rel=0.01)

    def test_signal_piles_up_and_is_kept_outside_of_the_metal(self):
        x = np.ones((161, 161))
        y = apply(SPIN_ECHO, x, 4.0, RO)
        assert y.max() > 1.5
        r = np.hypot(*(np.indices(x.shape) - 80))
        left = np.exp(-((4 / np.sqrt(r**2 + 1 / 6)) ** 8))
        at_edges = slice(78, 83)  # there the field is next to nothing at the line's ends
        np.testing.assert_allclose(y[:, at_edges].sum(0), left[:, at_edges].sum(0), rtol=1e-3)


class TestVoid:
    @pytest.mark.parametrize("radius", [1.0, 2.0, 4.0])
    def test_it_is_as_wide_as_dephasing_says(self, radius):
        y = apply(NO_SHIFT, np.ones((201, 201)), radius, pixel_mm=(0.25, 0.25))
        gradient = 3 * POLE_HZ / 2 * radius**3  # Hz / mm at 1 mm
        eighth = (math.pi * 5e-3 * 2 * gradient) ** 2 / 6 + radius**8
        half_at = (eighth / math.log(2)) ** 0.125
        assert (y < 0.5).sum() == pytest.approx(math.pi * half_at**2 * 16, rel=0.02)

    @pytest.mark.parametrize("axis", [RO, PE, THROUGH])
    def test_what_dephases_is_the_gradient_of_the_dipole(self, axis):
        """By differences of df in three dimensions, where the metal's own void is over."""
        pixel, radius = 0.25, 1.0
        y = apply(NO_SHIFT, np.ones((81, 81)), radius, axis, pixel_mm=(pixel, pixel))
        away = pixel * (np.arange(81) - 40)
        place = np.stack(np.meshgrid(away, away, [-0.01, 0, 0.01], indexing="ij"))
        r = np.sqrt((place**2).sum(axis=0)).clip(1e-3)
        df = POLE_HZ / 2 * (radius / r) ** 3 * (3 * (place[axis] / r) ** 2 - 1)
        slopes = np.gradient(df, away, away, [-0.01, 0, 0.01])
        phase = math.pi * 5e-3 * 2 * np.sqrt(sum(slope**2 for slope in slopes))[..., 1]
        r = r[..., 1]
        far = (r > 3) & (np.abs(place[:2, ..., 1]).max(axis=0) < 9.5)
        expected = np.exp(-(phase**2) / 6 - (radius / r) ** 8)
        np.testing.assert_allclose(y[far], expected[far], atol=0.02)
        assert expected[far].min() < 0.5

    @pytest.mark.parametrize("axis", [RO, PE, THROUGH])
    def test_it_grows_with_the_radius(self, axis):
        x = np.ones((160, 160))
        sizes = [(apply(NO_SHIFT, x, a, axis) < 0.5).sum() for a in (0.5, 1, 2, 4, 8, 14, 20)]
        assert all(more > less for less, more in pairwise(sizes))

    @pytest.mark.parametrize(
        ("less", "more"),
        [
            ({"te_ms": 2.0}, {"te_ms": 20.0}),
            ({"field_t": 1.5}, {"field_t": 3.0}),
            ({"dchi_ppm": 182.0}, {"dchi_ppm": 3520.0}),
            ({"voxel_mm": 1.0}, {"voxel_mm": 4.0}),
        ],
    )
    def test_it_grows_with_what_dephases(self, less, more):
        sizes = [
            (apply(artifacts_sim.get("metal", **one), np.ones((99, 99)), 2.0) < 0.5).sum()
            for one in (less, more)
        ]
        assert sizes[1] > 1.2 * sizes[0]

    def test_with_a_spin_echo_it_is_the_metals_own(self):
        art = artifacts_sim.get("metal", te_ms=0.0, readout_hz_per_mm=1e12)
        y = apply(art, np.ones((101, 101)), 10.0)
        r = np.hypot(*(np.indices(y.shape) - 50))
        assert y[r < 7].max() < 1e-3
        assert y[r > 20].min() > 0.99


class TestLimits:
    @pytest.mark.parametrize("axis", [RO, PE, THROUGH])
    def test_far_away_nothing_changes(self, axis):
        x = smooth_disc(256)
        y = apply(artifacts_sim.get("metal"), x, 1.0, axis)
        r = np.hypot(*(np.indices(x.shape) + 0.5 - 128))
        np.testing.assert_allclose(y[r > 30], x[r > 30], atol=1e-3)

    @pytest.mark.parametrize("art", [artifacts_sim.get("metal"), SPIN_ECHO])
    @pytest.mark.parametrize("size", [40, 41])
    def test_a_vanishing_sphere_changes_nothing(self, art, size):
        """Even where it lies in the middle of a pixel."""
        x = np.ones((size, size))
        np.testing.assert_allclose(apply(art, x, 1e-3), x, atol=1e-5)

    @pytest.mark.parametrize("axis", [RO, PE, THROUGH])
    @pytest.mark.parametrize("art", [artifacts_sim.get("metal"), SPIN_ECHO])
    def test_the_matrix_does_not_matter(self, art, axis):
        fine, coarse = (
            apply(art, smooth_disc(n), 4.0, axis, (0.35, 0.6), pixel_mm=(240 / n, 240 / n))
            for n in (256, 128)
        )
        pooled = fine.reshape(128, 2, 128, 2).mean(axis=(1, 3))
        assert np.linalg.norm(coarse - pooled) < 0.05 * np.linalg.norm(pooled)


class TestPlace:
    @pytest.mark.parametrize("size", [(64, 50), (128, 100), (640, 500)])
    def test_it_lies_at_the_quantiles_whatever_the_matrix(self, size):
        block = np.zeros(size)
        rows, columns = (slice(n // 4, n // 2) for n in size)
        block[rows, columns] = 1
        inside = foreground(torch.from_numpy(block)[None])
        place = place_within(inside, torch.tensor([[0.25, 0.8]], dtype=torch.float64))[0].numpy()
        starts = np.array([rows.start, columns.start])
        lengths = np.array([rows.stop, columns.stop]) - starts
        np.testing.assert_allclose((place - starts) / lengths, [0.25, 0.8])

    def test_it_is_always_foreground(self):
        x = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (1, 30, 40)) ** 6)
        inside = foreground(x)
        assert 0.05 < inside.double().mean() < 0.6
        for quantile in torch.rand(200, 1, 2, dtype=torch.float64):
            row, column = place_within(inside, quantile)[0].long().tolist()
            assert inside[0, row, column]

    def test_middle_and_spread_are_those_of_the_places(self):
        x = np.random.default_rng(1).uniform(0, 1, (30, 40)) ** 4
        inside, middle, deviation = outline(x)
        found = foreground(torch.from_numpy(x)[None])
        assert np.array_equal(found[0].numpy() == 1, inside)
        for one, expected in zip(middle_and_spread(found), (middle, deviation), strict=True):
            np.testing.assert_allclose(one[0].numpy(), expected)

    def test_an_empty_slice_is_all_foreground(self):
        assert foreground(torch.zeros(2, 3, 4)).all()

    def test_the_slices_of_a_scan_share_it(self):
        art = artifacts_sim.get("metal")
        params = art.sample(knob=1, keys=["a", "b", "c"], scans=["p", "p", "q"], seed=0)
        for array in params.draws.values():
            assert np.array_equal(array[0], array[1])
        assert not np.array_equal(params.draws["quantile"][0], params.draws["quantile"][2])

    def test_every_axis_and_both_ways_are_drawn(self):
        keys = [str(i) for i in range(200)]
        draws = artifacts_sim.get("metal").sample(knob=1, keys=keys, seed=0).draws
        assert set(draws["b0_axis"].tolist()) == {RO, PE, THROUGH}
        assert set(draws["direction"].tolist()) == {-1, 1}
        assert 0.1 <= draws["quantile"].min() < 0.15 < 0.85 < draws["quantile"].max() < 0.9


class TestGradients:
    @pytest.mark.parametrize("axis", [RO, PE, THROUGH])
    def test_they_are_those_of_the_numbers(self, axis):
        art = artifacts_sim.get("metal", te_ms=1.0)
        x = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 1, (1, 13, 6)))
        draws = {
            "quantile": np.array([[0.47, 0.39]]),
            "b0_axis": np.array([axis]),
            "direction": np.array([1.0]),
        }
        params = Params("metal", asdict(art), 1.0, draws)

        def damage(pixels, knob):
            return art.apply(pixels, params.with_knob(knob), Geometry(pixel_mm=(1.0, 1.0)))

        knob = torch.tensor([0.73], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda k: damage(x, k), (knob,))
        assert damage(x, knob.detach()).equal(damage(x, knob).detach())

    def test_they_are_finite_at_radius_0(self):
        art = artifacts_sim.get("metal")
        x = torch.ones(1, 9, 9, dtype=torch.float64)
        knob = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        y = art.apply(x, art.sample(knob=knob, keys=["a"], seed=0))
        torch.testing.assert_close(y.detach(), x)
        (slope,) = torch.autograd.grad(y.norm(), knob)
        assert slope.isfinite().all()


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "law"),
        [
            ({"dchi_ppm": 0.0}, r"from 0.001 to 1e\+06"),
            ({"field_t": -1.5}, "from 0.001 to 30"),
            ({"readout_hz_per_mm": 0.0}, r"from 1 to 1e\+12"),
            ({"voxel_mm": 0.0}, "from 0.001 to 100"),
            ({"te_ms": -1.0}, "from 0 to 1000"),
        ],
    )
    def test_impossible_ones_are_refused(self, option, law):
        (name,) = option
        with pytest.raises(ArtifactError, match=rf"option {name} is not a number {law}; received"):
            artifacts_sim.get("metal", **option)

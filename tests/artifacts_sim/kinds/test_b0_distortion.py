"""Distortion by an uneven field: how far, which way, and what becomes of the intensity."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, Params
from artifacts_sim.kinds.b0_distortion import epi_displacement_mm
from tests.support.artifacts import object_in
from tests.support.overlap import outline, spread

ART = artifacts_sim.get("b0_distortion")
POWERS = [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0)]


def drawn(knob, seed=0, batch=1, **changed):
    params = ART.sample(knob=knob, keys=[f"slice-{i}" for i in range(batch)], seed=seed)
    draws = {**params.draws, **{name: np.asarray(value) for name, value in changed.items()}}
    return Params(params.name, params.options, params.knob, draws)


def apply(x, params, geometry=None):
    return ART.apply(torch.as_tensor(x, dtype=torch.float64)[None], params, geometry)[0].numpy()


def shifts(x, params, pixel_mm):
    """The displacement of every column's edge, (RO, PE + 1), in pixels; NumPy in float64."""
    draws = {name: array[0] for name, array in params.draws.items()}
    inside, middle, deviation = outline(x)
    rows, edges = np.arange(x.shape[0]) + 0.5, np.arange(x.shape[1] + 1)
    u = ((rows - middle[0]) / deviation[0] / 2)[:, None]
    v = ((edges - middle[1]) / deviation[1] / 2)[None]
    f = sum(c * u**a * v**b for c, (a, b) in zip(draws["coefficient"], POWERS, strict=True))
    square = (u - draws["lobe_place"][0]) ** 2 + (v - draws["lobe_place"][1]) ** 2
    f = f + draws["lobe_height"] * np.exp(-square / draws["lobe_width"] ** 2 / 2)
    peak = np.abs((f[:, 1:] + f[:, :-1]) / 2)[inside].max()
    return draws["direction"] * params.knob / pixel_mm * np.clip(f / peak, -1, 1)


def comb(size=(60, 120), every=12):
    """Single columns of signal."""
    x = np.zeros(size)
    x[5:-5, every + 5 : -every : every] = 1.0
    return x


def centroids(y, every=12):
    """Where the signal of each column of a comb lies along PE, (RO, columns)."""
    first = every + 5
    count = (y.shape[1] - every - first + every - 1) // every
    start = first - every // 2
    windows = y[5:-5, start : start + count * every].reshape(-1, count, every)
    return (windows * np.arange(every)).sum(axis=2) / windows.sum(axis=2) - every // 2


class TestPhysics:
    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("knob", [0.4, 3.0, 15.0])
    def test_every_line_is_spread_between_its_displaced_edges(self, knob, seed):
        x, params = object_in((36, 44), seed), drawn(knob, seed)
        y = apply(x, params, Geometry(pixel_mm=(2.0, 1.5)))
        expected = np.stack(list(map(spread, x, shifts(x, params, 1.5))))
        np.testing.assert_allclose(y, expected, atol=1e-5 * expected.max())

    @pytest.mark.parametrize("seed", range(4))
    def test_the_knob_is_the_largest_displacement_of_the_foreground(self, seed):
        y = apply(comb(), drawn(4.0, seed), Geometry(pixel_mm=(1.0, 1.25)))
        assert np.abs(centroids(y)).max() * 1.25 == pytest.approx(4.0, rel=0.02)

    def test_the_blips_direction_turns_the_displacement_round(self):
        up, down = (centroids(apply(comb(), drawn(4.0, direction=[way]))) for way in (1.0, -1.0))
        np.testing.assert_allclose(up, -down, atol=0.05)  # the other edge of each pixel leads
        assert np.abs(up).max() > 1

    @pytest.mark.parametrize("knob", [2.0, 20.0])
    def test_signal_is_conserved_line_by_line(self, knob):
        x = np.pad(object_in((50, 60)), 20)
        for seed in range(5):
            y = apply(x, drawn(knob, seed))
            np.testing.assert_allclose(y.sum(axis=1), x.sum(axis=1), rtol=1e-5)

    def test_the_direction_is_phase_encodes(self):
        x = object_in((40, 50))
        along_h = apply(x.T.copy(), drawn(3.0), Geometry(phase_axis="H"))
        np.testing.assert_array_equal(along_h.T, apply(x, drawn(3.0)))

    def test_the_matrix_does_not_matter(self):
        """The same object on pixels of half the size is displaced by as many mm."""

        def seen(n):
            u = (np.arange(n) + 0.5) / n - 0.5
            r = np.hypot(u[:, None] / 0.36, (u[None] - 0.03) / 0.3)
            return (1 + 0.5 * np.cos(9 * u[:, None] + 4 * u)) / (1 + np.exp((r - 1) / 0.03))

        for seed in range(4):
            fine, coarse = (apply(seen(n), drawn(7.0, seed)) for n in (256, 128))
            pooled = fine.reshape(128, 2, 128, 2).mean(axis=(1, 3))
            assert np.linalg.norm(coarse - pooled) < 0.02 * np.linalg.norm(pooled)

    def test_a_vanishing_knob_changes_nothing(self):
        x = object_in((30, 40))
        np.testing.assert_allclose(apply(x, drawn(1e-6)), x, atol=1e-5)

    def test_the_slices_of_a_scan_share_the_field(self):
        params = ART.sample(knob=1, keys=["a", "b", "c"], scans=["p", "p", "q"], seed=0)
        for array in params.draws.values():
            assert np.array_equal(array[0], array[1])
            assert array.ndim == 1 or not np.array_equal(array[0], array[2])


class TestGradients:
    def test_they_are_those_of_the_numbers(self):
        x = torch.from_numpy(object_in((7, 12)) + 0.01)[None]
        params = drawn(1.0)

        def damage(pixels, knob):
            return ART.apply(pixels, params.with_knob(knob), Geometry(pixel_mm=(1.0, 1.0)))

        knob = torch.tensor([1.37], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda k: damage(x, k), (knob,))
        assert damage(x, knob.detach()).equal(damage(x, knob).detach())

    def test_they_are_finite_at_knob_0(self):
        x = torch.from_numpy(object_in((9, 12)))[None]
        knob = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(ART.apply(x, drawn(0.0).with_knob(knob)).norm(), knob)
        assert slope.isfinite().all()


class TestTheProtocol:
    def test_the_displacement_follows_offset_and_echo_spacing(self):
        mm = epi_displacement_mm(offset_hz=100, echo_spacing_ms=0.5, fov_mm=240)
        assert mm == pytest.approx(12.0)
        per_px = 1 / (96 * 0.5e-3)  # Hz; 96 lines of 2.5 mm
        assert mm == pytest.approx(100 / per_px * 2.5)
        halved = epi_displacement_mm(
            offset_hz=-100, echo_spacing_ms=0.5, fov_mm=240, acceleration=2
        )
        assert halved == pytest.approx(-6.0)

    @pytest.mark.parametrize("wrong", [{"fov_mm": 0}, {"offset_hz": np.nan}, {"acceleration": -1}])
    def test_impossible_protocols_are_refused(self, wrong):
        protocol = {"offset_hz": 100, "echo_spacing_ms": 0.5, "fov_mm": 240} | wrong
        with pytest.raises(ArtifactError, match=r"finite.* received offset_hz="):
            epi_displacement_mm(**protocol)

    def test_both_directions_are_drawn(self):
        params = ART.sample(knob=1, keys=[str(i) for i in range(200)], seed=0)
        assert set(params.draws["direction"].tolist()) == {-1, 1}
        assert params.draws["direction"].mean() == pytest.approx(0, abs=0.3)
        assert asdict(ART) == {}

"""Elastic deformation: the spline's displacement, its unit and limits, and TorchIO's way."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter, map_coordinates

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, Params

SIZES = [(48, 60), (45, 37)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
PIXEL_MM = (1.5, 1.25)


def unit_draws(free=3, seed=0):
    """Displacements of the free control points in units of the knob: (2, free, free)."""
    return np.random.default_rng(seed).uniform(-1, 1, (2, free, free))


def apply(x, knob, unit, pixel_mm=PIXEL_MM, **options):
    art = artifacts_sim.get("elastic", **options)
    params = Params(art.name, asdict(art), knob, {"unit_displacement": unit[None]})
    y = art.apply(torch.as_tensor(x)[None], params, Geometry(pixel_mm=pixel_mm))
    return y[0].double().numpy()


def displacement_px(size, knob, unit, **kwargs):
    """Read off two ramps, (2, H, W), where the edge is not reached; and the mask of these."""
    ramps = np.stack(np.mgrid[: size[0], : size[1]]).astype(np.float32)
    sources = np.stack([apply(ramp, knob, unit, **kwargs) for ramp in ramps])
    ends = np.array(size)[:, None, None] - 1
    inside = ((sources > 0) & (sources < ends)).all(axis=0)
    return sources - ramps, inside


def bump(t):
    """The uniform cubic B-spline about 0, of SciPy."""
    return np.nan_to_num(BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)(t))


def spline_field(size, unit, control_points):
    """The dense field in units of the knob, by its definition: (2, H, W)."""
    lattice = np.arange(2, control_points - 2) - 1
    ro, pe = (
        bump((np.arange(n)[:, None] + 0.5) / n * (control_points - 3) - lattice) for n in size
    )
    return np.einsum("rk,akl,cl->arc", ro, unit, pe)


def smooth_object(size, seed=0):
    """Texture with an empty margin of a fifth, maximum 1: (H, W) float32."""
    (H, W), x = size, np.zeros(size)
    inside = x[H // 5 : -(H // 5), W // 5 : -(W // 5)]
    inside[...] = np.random.default_rng(seed).uniform(0.2, 1, inside.shape)
    x = gaussian_filter(x, 1.0)
    return (x / x.max()).astype(np.float32)


class TestTheField:
    @every_size
    @pytest.mark.parametrize("control_points", [5, 7, 8, 12])
    def test_it_is_a_cubic_spline_of_the_control_points(self, size, control_points):
        unit, knob = unit_draws(control_points - 4), 1.7
        x = smooth_object(size)
        y = apply(x, knob, unit, control_points=control_points)
        field = spline_field(size, unit, control_points) * knob
        sources = np.mgrid[: size[0], : size[1]] + field / np.array(PIXEL_MM)[:, None, None]
        expected = map_coordinates(x.astype(np.float64), sources, order=1, mode="nearest")
        np.testing.assert_allclose(y, expected, atol=2e-5)

    def test_a_lone_control_point_moves_its_own_place_most(self):
        unit = np.zeros((2, 3, 3))
        unit[0, 1, 1] = 1  # the middle one, along RO
        d, inside = displacement_px((81, 81), 3.0, unit, pixel_mm=(1.0, 1.0))
        assert inside[40, 40]
        assert d[0, 40, 40] == pytest.approx(3 * (2 / 3) ** 2, rel=1e-3)
        assert np.abs(d[0][inside]).max() == pytest.approx(d[0, 40, 40], rel=1e-4)
        assert np.abs(d[1][inside]).max() < 1e-4

    def test_the_knob_is_in_mm(self):
        unit, size = unit_draws(), (60, 60)
        fine, seen = displacement_px(size, 3.0, unit, pixel_mm=(0.5, 2.0))
        coarse, also = displacement_px(size, 3.0, unit, pixel_mm=(1.0, 1.0))
        seen &= also
        np.testing.assert_allclose(fine[0][seen], 2 * coarse[0][seen], atol=5e-5)
        np.testing.assert_allclose(fine[1][seen], coarse[1][seen] / 2, atol=5e-5)

    def test_the_draws_stay_within_the_knob_and_differ_by_axis(self):
        art = artifacts_sim.get("elastic", control_points=9)
        unit = art.sample(knob=1, keys=list("abcd"), seed=0).draws["unit_displacement"]
        assert unit.shape == (4, 2, 5, 5)
        assert np.abs(unit).max() <= 1
        assert np.abs(unit).mean() == pytest.approx(0.5, abs=0.1)
        assert len(np.unique(unit)) == unit.size

    def test_a_precision_lowered_for_matrix_products_changes_nothing(self):
        x, unit = smooth_object((48, 60)), unit_draws()
        before = torch.get_float32_matmul_precision()
        y = apply(x, 3.0, unit)
        try:
            torch.set_float32_matmul_precision("medium")
            assert np.array_equal(apply(x, 3.0, unit), y)
        finally:
            torch.set_float32_matmul_precision(before)


class TestItsLimits:
    def test_a_vanishing_knob_changes_nothing(self):
        x = smooth_object((48, 60))
        np.testing.assert_allclose(apply(x, 1e-5, unit_draws()), x, atol=1e-5)

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("size", [(80, 80), (40, 90)], ids=str)
    def test_tissue_never_folds(self, size, seed):
        """At the largest knob, all control points at either end of their range.

        The field of view, 80 or 40 x 90 mm, is so small that the knob alone would fold it.
        """
        unit = np.sign(unit_draws(seed=seed))
        limit = artifacts_sim.get("elastic").knob.limit
        d, inside = displacement_px(size, limit, unit, pixel_mm=(1.0, 1.0))
        down, across = np.gradient(d, axis=(1, 2))
        area = (1 + down[0]) * (1 + across[1]) - down[1] * across[0]
        whole = inside & np.roll(inside, 1, 0) & np.roll(inside, -1, 0)
        whole &= np.roll(inside, 1, 1) & np.roll(inside, -1, 1)
        assert whole.mean() > 0.3
        assert area[whole].min() > 0

    def test_a_grid_of_locked_points_only_is_refused(self):
        with pytest.raises(
            ArtifactError, match=r"control_points is not a whole number from 5 to 100; .* 4"
        ):
            artifacts_sim.get("elastic", control_points=4)

    def test_what_lies_beyond_the_edge_is_the_edge(self):
        x = np.full((30, 30), 0.7, np.float32)
        np.testing.assert_allclose(apply(x, 10.0, unit_draws()), 0.7, rtol=1e-6)


def test_real_and_imaginary_part_are_deformed_alike():
    re, im = smooth_object((48, 60), 1), smooth_object((48, 60), 2)
    unit = unit_draws()
    expected = np.hypot(apply(re, 4.0, unit), apply(im, 4.0, unit))
    np.testing.assert_allclose(apply(re + 1j * im, 4.0, unit), expected, atol=1e-6)


def test_torchio():
    """Its grid of control points reaches 1/8 pixel beyond the edges; here it is laid upon them."""
    tio = pytest.importorskip("torchio", reason="needs TorchIO")
    from torchio.transforms.augmentation.spatial import random_elastic_deformation as reference

    class EdgeToEdge(reference.ElasticDeformation):
        def get_bspline_transform(self, image):
            spline = super().get_bspline_transform(image)
            parameters = spline.GetParameters()
            size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
            spline.SetTransformDomainOrigin((-spacing / 2).tolist())
            spline.SetTransformDomainPhysicalDimensions((size * spacing).tolist())
            spline.SetParameters(parameters)
            return spline

    for size in SIZES:
        x, unit, knob = smooth_object(size), unit_draws(), 4.0
        points = np.zeros((7, 7, 4, 3))  # the same in all four layers across the slice
        points[2:-2, 2:-2, :, :2] = knob * np.moveaxis(unit, 0, -1)[:, :, None]
        affine = np.diag([-PIXEL_MM[0], -PIXEL_MM[1], 1, 1])  # so that its axes are the image's
        image = tio.ScalarImage(tensor=torch.from_numpy(x)[None, ..., None], affine=affine)
        expected = EdgeToEdge(points, (knob, knob, 0.0))(image).numpy()[0, ..., 0]
        np.testing.assert_allclose(apply(x, knob, unit), expected, atol=2e-5)

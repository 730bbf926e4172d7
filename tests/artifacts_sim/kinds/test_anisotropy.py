"""Thick slices: plain means where these fit, integrals where they do not, and TorchIO's way."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, Params

AXES = {"RO": 0, "PE": 1}
every_axis = pytest.mark.parametrize("axis", AXES.values(), ids=AXES)


def apply(x, thickness, axis, shift_px=0.0):
    """Slices of this thickness across an axis, their grid shifted."""
    art = artifacts_sim.get("anisotropy")
    draws = {"axis": [axis], "unit_shift": [shift_px / (thickness - 1)]}
    arrays = {name: np.array(value) for name, value in draws.items()}
    params = Params(art.name, {}, thickness - 1, arrays)
    y = art.apply(torch.as_tensor(np.asarray(x))[None], params)
    return y[0].double().numpy()


def texture(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)


def centres(size, thickness, shift_px):
    """All slice centres within [0, N), pixel i from i to i + 1."""
    number = np.arange(-2 * size, 2 * size)
    parity = (round(size / thickness) - 1) / 2  # a centre or a boundary in the middle
    at = size / 2 + shift_px + (number - parity) * thickness
    return at[(at >= 0) & (at < size)]


def integrated(column, thickness, shift_px):
    """Means by differences of the integral, linear interpolation, both of NumPy in float64."""
    size = len(column)
    integral = np.concatenate([[0], np.cumsum(column, dtype=np.float64)])
    at = centres(size, thickness, shift_px)
    ends = np.clip(at[:, None] + np.array([-0.5, 0.5]) * thickness, 0, size)
    low, high = np.interp(ends, np.arange(size + 1), integral).T
    return np.interp(np.arange(size) + 0.5, at, (high - low) / np.diff(ends)[:, 0])


class TestTheMeans:
    @every_axis
    @pytest.mark.parametrize("thickness", [2, 3, 4, 6])
    def test_slices_that_fit_are_plain_means(self, thickness, axis):
        size = (36, 24)
        x = texture(size)
        along = np.moveaxis(x.astype(np.float64), axis, 0)
        means = along.reshape(-1, thickness, along.shape[1]).mean(axis=1)
        middle = (np.arange(len(means)) + 0.5) * thickness
        rows = np.arange(size[axis]) + 0.5
        expected = np.stack([np.interp(rows, middle, column) for column in means.T], axis=1)
        expected = np.moveaxis(expected, 0, axis)
        np.testing.assert_allclose(apply(x, thickness, axis), expected, atol=1e-6)

    @every_axis
    @pytest.mark.parametrize("thickness", [2.0, 2.75, 4.2, 7.9, 16.0])
    @pytest.mark.parametrize("shift_px", [0.0, 0.4, -1.7, 6.0])
    def test_fractions_of_pixels_count_as_such(self, thickness, shift_px, axis):
        x = texture((31, 40))
        along = np.moveaxis(x, axis, 0)
        columns = [integrated(column, thickness, shift_px) for column in along.T]
        expected = np.moveaxis(np.stack(columns, axis=1), 0, axis)
        np.testing.assert_allclose(apply(x, thickness, axis, shift_px), expected, atol=1e-6)

    @every_axis
    @pytest.mark.parametrize("excess", [1e-4, 0.1, 0.6])
    def test_from_one_pixel_to_two_it_is_a_share_of_both(self, excess, axis):
        """So that the damage rises from 0, where drifting slices would jump to that of a blur."""
        x = texture((31, 40))
        twice = apply(x, 2.0, axis, 0.3)
        y = apply(x, 1 + excess, axis, 0.3 * excess)
        np.testing.assert_allclose(y, (1 - excess) * x + excess * twice, atol=1e-6)

    @every_axis
    def test_pixels_are_those_of_before_a_resize(self, axis):
        """Slices of four native pixels are slices of two, where the image has half of them."""
        x, art = texture((30, 40)), artifacts_sim.get("anisotropy")
        draws = {"axis": np.array([axis]), "unit_shift": np.zeros(1)}
        y = art.apply(
            torch.from_numpy(x)[None],
            Params(art.name, {}, 3.0, draws),
            Geometry(native=(60, 80)),
        )
        np.testing.assert_allclose(y[0], apply(x, 2.0, axis), atol=1e-6)

    @every_axis
    def test_a_slice_thicker_than_the_object_is_its_mean(self, axis):
        x = texture((9, 11))
        mean = x.mean(axis=axis, keepdims=True, dtype=np.float64)
        expected = np.broadcast_to(mean, x.shape)
        np.testing.assert_allclose(apply(x, 16.0, axis), expected, atol=1e-6)


class TestWhatIsKept:
    @every_axis
    @pytest.mark.parametrize("thickness", [2.6, 5.0])
    def test_the_other_axis_is_left_alone(self, thickness, axis):
        x = np.moveaxis(np.broadcast_to(texture(30), (40, 30)), 0, axis).copy()
        np.testing.assert_allclose(apply(x, thickness, axis, 0.3), x, atol=1e-6)

    @pytest.mark.parametrize("thickness", [2, 3, 5, 8])
    def test_a_ramp_is_kept_between_the_outermost_slices(self, thickness):
        """The mean of whole steps is the middle one, and interpolation between two is exact."""
        ramp = np.linspace(0.1, 1, 50, dtype=np.float32)
        y = apply(np.tile(ramp, (4, 1)), thickness, AXES["PE"], 1.0)
        at = centres(50, thickness, 1.0)
        whole = (at - thickness / 2 >= 0) & (at + thickness / 2 <= 50)
        place = np.arange(50) + 0.5
        between = (place >= at[whole][0]) & (place <= at[whole][-1])
        assert between.sum() > 30
        np.testing.assert_allclose(y[:, between], np.tile(ramp[between], (4, 1)), atol=1e-6)

    @every_axis
    def test_the_grid_is_centred(self, axis):
        x = texture((26, 33))
        mirrored = np.flip(apply(np.flip(x, axis).copy(), 3.4, axis), axis)
        np.testing.assert_allclose(apply(x, 3.4, axis), mirrored, atol=1e-6)

    def test_slices_as_thin_as_a_pixel_are_the_pixels(self):
        x = texture((30, 30))
        np.testing.assert_allclose(apply(x, 1 + 1e-7, AXES["RO"]), x, atol=1e-4)

    def test_real_and_imaginary_part_are_averaged_alike(self):
        """So that opposite phases within a slice cancel."""
        x = np.tile(np.array([1, -1], np.complex64), (6, 10))
        np.testing.assert_allclose(apply(x, 2.0, AXES["PE"]), 0, atol=1e-6)
        np.testing.assert_allclose(apply(x, 2.0, AXES["RO"]), 1, atol=1e-6)


def test_both_axes_and_all_shifts_are_drawn():
    art = artifacts_sim.get("anisotropy")
    draws = art.sample(knob=1, keys=[str(i) for i in range(200)], seed=0).draws
    assert draws["axis"].mean() == pytest.approx(0.5, abs=0.15)
    assert set(draws["axis"].tolist()) == {0, 1}
    assert -0.5 <= draws["unit_shift"].min() < -0.45
    assert 0.45 < draws["unit_shift"].max() < 0.5


@every_axis
@pytest.mark.parametrize("thickness", [2, 3, 4, 5])
def test_torchio(thickness, axis):
    """It takes the pixel in the middle for the mean, which is no matter where these are equal."""
    tio = pytest.importorskip("torchio", reason="needs TorchIO")
    x = np.repeat(texture((60 // thickness, 20)), thickness, axis=0)
    x = np.ascontiguousarray(np.moveaxis(x, 0, axis))
    image = tio.ScalarImage(tensor=torch.from_numpy(x)[None, ..., None])
    transform = tio.RandomAnisotropy(axes=axis, downsampling=(thickness, thickness))
    expected = transform(image).numpy()[0, ..., 0]
    np.testing.assert_allclose(apply(x, thickness, axis), expected, atol=1e-6)

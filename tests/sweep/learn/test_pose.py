"""The pose of a patient: exact flips, one resampling that agrees with SciPy's, nothing invented."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from artifacts_sim import Names
from sweep.config.augment import AugmentSettings
from sweep.learn.pose import MOST_ASPECT, Pose, drawn_pose

KEYS = [f"s{number}" for number in range(200)]


def pictures(count: int = 3, height: int = 30, width: int = 24) -> torch.Tensor:
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(0)) + 0.1


def pose(count: int = 1, **given: Any) -> Pose:
    """All alike; what is not given does nothing."""
    still = {
        "mirrored": (False, False),
        "angle": 0.0,
        "factor": 1.0,
        "shift": (0.0, 0.0),
        "window": (1.0, 1.0),
        "offset": (0.0, 0.0),
    }
    made = {name: np.array([given.get(name, value)] * count) for name, value in still.items()}
    return Pose(**made)


def drawn(names: list[str] = KEYS, seed: int = 0, **settings: float) -> Pose:
    return drawn_pose(AugmentSettings(**settings), Names(names), seed)


def test_a_mirrored_slice_has_its_very_pixels() -> None:
    images, unknown = pictures(), (None,) * 3
    assert torch.equal(pose(3, mirrored=(False, True))(images, unknown), images.flip(2))
    assert torch.equal(pose(3, mirrored=(True, False))(images, unknown), images.flip(1))
    assert torch.equal(pose(3, mirrored=(True, True))(images, unknown), images.flip(1, 2))
    assert torch.equal(images, pictures()), "what was given is left as it is"


def test_flips_are_along_the_axis_that_is_asked_for_and_as_often() -> None:
    horizontal = drawn(flip_horizontal=0.3).mirrored
    assert not horizontal[:, 0].any()
    assert horizontal[:, 1].mean() == pytest.approx(0.3, abs=0.1)
    assert drawn(flip_vertical=1.0).mirrored.tolist() == [[True, False]] * len(KEYS)


def test_no_angle_no_shift_and_no_change_of_size_is_the_identity() -> None:
    images = pictures()
    assert torch.equal(pose(3)(images, (None,) * 3), images)
    nearly = pose(3, angle=1e-9)(images, (None,) * 3)
    torch.testing.assert_close(nearly, images, atol=1e-5, rtol=0)


def test_a_shift_of_whole_pixels_moves_them_and_leaves_air() -> None:
    images = pictures()
    moved = pose(3, shift=(3 / 30, -2 / 24))(images, (None,) * 3)
    torch.testing.assert_close(moved[:, 3:, :-2], images[:, :-3, 2:], atol=1e-5, rtol=0)
    assert (moved[:, :3] == 0).all()
    assert (moved[:, :, -2:] == 0).all()


def test_a_quarter_turn_is_counter_clockwise() -> None:
    images = pictures(height=24)
    turned = pose(3, angle=math.pi / 2)(images, (None,) * 3)
    torch.testing.assert_close(turned, images.rot90(1, (1, 2)), atol=1e-5, rtol=0)


def test_all_at_once_agree_with_scipy() -> None:
    images = pictures(4)
    own = drawn(KEYS[:4], rotate=25, translate=0.1, scale=0.2, crop=0.5)
    made = own(images, (None,) * 4)
    centre, size = (np.array([30, 24]) - 1) / 2, np.array([30, 24])
    for place, image in enumerate(images.numpy()):
        angle, factor = own.angle[place], own.factor[place]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        back = np.linalg.inv(factor * turn)
        matrix = back @ np.diag(own.window[place])
        start = centre + back @ ((own.offset - own.shift)[place] * size) - matrix @ centre
        expected = ndimage.affine_transform(image, matrix, start, order=1, mode="grid-constant")
        np.testing.assert_allclose(made[place].numpy(), expected, atol=2e-5)


def test_no_rotation_shears_where_pixels_are_not_square() -> None:
    rows, columns = np.mgrid[:64, :64] - 31.5
    circle = ((2.0 * rows) ** 2 + columns**2 < 24**2).astype(np.float32)  # round in mm
    image = torch.from_numpy(circle)[None]
    turned = pose(angle=math.radians(40))(image, [(2.0, 1.0)])
    assert (turned - image).abs().mean() < 0.02
    assert (pose(angle=math.radians(40))(image, [None]) - image).abs().mean() > 0.1


def test_an_object_keeps_its_intensity_and_a_magnitude_its_range() -> None:
    rows, columns = np.mgrid[:64, :64] - 31.5
    disc = torch.from_numpy((rows**2 + columns**2 < 20**2).astype(np.float32)) * 137
    settings: dict[str, float] = {"rotate": 30, "translate": 0.05, "scale": 0.2, "crop": 0.7}
    shown = drawn(KEYS[:20], **settings)(disc.expand(20, 64, 64), (None,) * 20)
    assert shown.amin() >= 0
    assert shown.amax() <= 137 * (1 + 1e-6)
    for one in shown:
        inside = one[one > 0]
        assert float(((inside - 137).abs() < 1e-3).float().mean()) > 0.85, "all but the edge"


def test_a_crop_keeps_the_share_that_is_asked_for_within_the_image() -> None:
    own = drawn(crop=0.4)
    share, aspect = own.window.prod(axis=1), own.window[:, 1] / own.window[:, 0]
    assert 0.4 <= share.min() < 0.43
    assert 0.97 < share.max() <= 1
    assert share.mean() == pytest.approx(0.7, abs=0.05)
    assert 1 / MOST_ASPECT - 1e-9 <= aspect.min() < 0.8 < 1.2 < aspect.max() <= MOST_ASPECT + 1e-9
    assert (own.window <= 1).all()
    assert (np.abs(own.offset) + own.window / 2 <= 0.5 + 1e-12).all()
    images = pictures(len(KEYS)) + 1
    assert own(images, (None,) * len(KEYS)).amin() > 0.5, "nothing beyond the edge is shown"


def test_no_setting_changes_what_another_draws() -> None:
    both, alone = drawn(rotate=10, crop=0.5, flip_vertical=0.5), drawn(rotate=10)
    np.testing.assert_array_equal(both.angle, alone.angle)
    assert np.abs(alone.angle).max() <= math.radians(10)
    assert alone.angle.min() < -0.1 < 0.1 < alone.angle.max()
    np.testing.assert_array_equal(both.window, drawn(crop=0.5).window)

import numpy as np
import pytest

from sweep.inspect.likeness import detail, likeness
from tests.support.pictures import texture

SLICE = texture(1)


@pytest.mark.parametrize("scale", [1e-30, 1e-4, 1.0, 1e30])
def test_a_slice_is_like_itself_in_any_unit(scale):
    assert likeness(detail(SLICE), detail(SLICE * np.float32(scale))) == pytest.approx(1, abs=1e-5)


def test_brightness_and_contrast_do_not_matter():
    other = np.float32(0.4) * SLICE + np.float32(60)
    assert likeness(detail(SLICE), detail(other)) == pytest.approx(1, abs=1e-5)


def test_the_order_does_not_matter():
    one, other = detail(SLICE), detail(texture(2))
    assert likeness(one, other) == pytest.approx(likeness(other, one), abs=1e-6)


@pytest.mark.parametrize("size", [40, 96, 200])
def test_slices_of_any_size_and_shape_can_be_compared(size):
    wide = np.tile(texture(3, size), (1, 2))
    assert likeness(detail(wide), detail(wide[:, ::-1].copy()[:, ::-1])) == pytest.approx(1)


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_a_shift_by_whole_pixels_of_the_small_image_is_undone(pixels):
    image = np.pad(texture(4, 72), 12)  # 96 x 96, dark around: nothing is lost at the border
    moved = np.roll(image, (pixels, -pixels), (0, 1))
    assert likeness(detail(image), detail(moved)) == pytest.approx(1, abs=1e-4)


def test_what_is_shifted_further_or_negative_is_not_alike():
    image = np.pad(texture(4, 72), 12)
    assert likeness(detail(image), detail(np.roll(image, 12, 0))) < 0.5
    assert likeness(detail(image), detail(-image)) < 0.5


def test_a_slice_of_one_value_is_like_nothing():
    flat = detail(np.zeros((10, 10), np.float32))
    assert likeness(flat, flat) == 0

import numpy as np
import pytest

from sweep.inspect.likeness import SIDE, detail
from sweep.inspect.likeness import likeness as likenesses
from tests.support.pictures import texture

SLICE = texture(1)


def likeness(one, other):
    """Of a single pair."""
    (found,) = likenesses(one[None], other[None])
    return float(found)


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


def test_every_pair_is_compared_by_itself_and_at_the_best_shift_of_all():
    """The inverse transform in full, of which only the shifts that count are made."""
    ones = np.stack([detail(texture(seed)) for seed in range(5)])
    others = np.stack([detail(np.roll(texture(seed), 2, 0)) for seed in (0, 1, 3, 3, 9)])
    everywhere = np.fft.irfft2(ones * others.conj(), (SIDE, SIDE))
    near = np.r_[-3:4]
    expected = [one[np.ix_(near, near)].max() for one in everywhere]
    np.testing.assert_allclose(likenesses(ones, others), expected, atol=1e-6)


def test_detail_is_what_a_fine_mean_keeps_and_a_coarse_one_loses():
    image = texture(5, SIDE)
    padded = np.pad(image.astype(float), 4, mode="edge")

    def mean_over(width):
        windows = np.lib.stride_tricks.sliding_window_view(padded, (width, width))
        cut = (9 - width) // 2
        return windows.mean(axis=(2, 3))[cut : cut + SIDE, cut : cut + SIDE]

    expected = mean_over(3) - mean_over(9)
    expected -= expected.mean()
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(np.fft.irfft2(detail(image)), expected, atol=1e-6)

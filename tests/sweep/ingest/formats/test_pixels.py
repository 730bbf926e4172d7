import numpy as np
import pytest
from PIL import Image

from sweep.core.errors import UnusableError, UserError
from sweep.ingest.formats.pixels import (
    check_size,
    fit,
    fit_square,
    fitted_mm,
    native_size,
    one_channel,
    read_grey,
)

GREY8 = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
GREY16 = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300


@pytest.fixture
def read(tmp_path):
    def save_and_read(picture, name="a.png", **options):
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture)
        picture.save(tmp_path / name, **options)
        return read_grey(tmp_path / name, "row 2 (a)")

    return save_and_read


@pytest.mark.parametrize("pixels", [GREY8, GREY16], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_intensities_stay_in_their_own_units(read, pixels, name):
    image = read(pixels, name)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, pixels)


def test_grey_bitmaps_and_jpegs(read):
    np.testing.assert_array_equal(read(GREY8, "a.bmp"), GREY8)
    np.testing.assert_allclose(read(GREY8, "a.jpg", quality=100), GREY8, atol=2)


def test_three_equal_channels_are_grey(read):
    np.testing.assert_array_equal(read(np.stack([GREY8] * 3, axis=-1)), GREY8)


def test_jpeg_may_blur_the_equality_of_the_channels(read):
    nearly = np.stack([GREY8, GREY8 + np.uint8(3), GREY8], axis=-1)
    np.testing.assert_allclose(read(nearly), GREY8 + 1, atol=1e-4)
    np.testing.assert_allclose(read(nearly, "a.jpg", quality=95), GREY8 + 1, atol=6)


def test_a_grey_palette_is_grey(read):
    picture = Image.fromarray(GREY8 // 5).convert("P")
    picture.putpalette([level for level in range(0, 250, 5) for _ in range(3)])
    np.testing.assert_array_equal(read(picture), GREY8)


def test_colour_is_not_grey(read):
    coloured = np.stack([GREY8, GREY8, GREY8 // 2], axis=-1)
    with pytest.raises(
        UserError, match=r"is in colour; received row 2 \(a\) .*118 of 255; save it as grey"
    ):
        read(coloured)


@pytest.mark.parametrize("mode", ["CMYK", "1"])
def test_other_kinds_of_pixel_are_refused(read, mode):
    with pytest.raises(
        UserError, match=f"not grey .*; received row 2 .a. with pixels of kind '{mode}'"
    ):
        read(Image.fromarray(GREY8).convert(mode), "a.tif")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tiffs_of_32_bits_keep_their_values(read, dtype, compression):
    pixels = np.array([[-1, 70000], [3, 16777216]], dtype)
    np.testing.assert_array_equal(read(pixels, "a.tif", compression=compression), pixels)


def test_a_pixel_that_is_not_finite(read):
    pixels = np.array([[1, np.nan], [3, np.inf]], np.float32)
    with pytest.raises(UserError, match=r"NaN or infinite; received row 2 \(a\), 2 of 4 pixels"):
        read(pixels, "a.tif")


def test_a_stack_is_not_one_slice(read):
    pages = [Image.fromarray(GREY8), Image.fromarray(GREY8)]
    with pytest.raises(UserError, match=r"several slices; received row 2 \(a\) with 2"):
        read(pages[0], "a.tif", save_all=True, append_images=pages[1:])


def test_an_image_that_shows_nothing(read):
    with pytest.raises(UserError, match=r"is empty: every pixel .*; received row 2 \(a\) with 7"):
        read(np.full((5, 5), 7, np.uint8))


@pytest.mark.parametrize("share", [0, 0.1, 0.99])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
def test_a_truncated_file(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
    path = tmp_path / name
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        UserError, match=r"readable file of PNG, JPEG, TIFF, BMP; received row 2 \(a\): "
    ):
        read_grey(path, "row 2 (a)")


def random_image(*shape):
    return np.random.default_rng(1).uniform(10, 200, shape).astype(np.float32)


def test_the_same_size_changes_nothing():
    image = random_image(16, 16)
    np.testing.assert_array_equal(fit(image, 16), image)


@pytest.mark.parametrize("size", [5, 16, 23, 61])
def test_a_constant_stays_constant(size):
    np.testing.assert_allclose(fit(np.full((23, 23), 3.5, np.float32), size), 3.5, rtol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_an_integer_reduction_is_the_mean_of_blocks(factor):
    image = random_image(24, 24)
    blocks = image.reshape(24 // factor, factor, 24 // factor, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(fit(image, 24 // factor), blocks, rtol=1e-5)


@pytest.mark.parametrize("size", [5, 7, 13, 40])
def test_no_value_rings_beyond_the_range_of_the_image(size):
    step = np.zeros((20, 20), np.float32)
    step[:, 9:] = 100
    resized = fit(step, size)
    assert resized.min() >= 0
    assert resized.max() <= 100 * (1 + 1e-6)


@pytest.mark.parametrize(("shape", "size"), [((12, 30), 10), ((30, 12), 10), ((12, 30), 30)])
def test_padding_keeps_the_aspect_ratio_in_the_middle(shape, size):
    fitted = fit(np.ones(shape, np.float32), size)
    assert fitted.shape == (size, size)
    rows, columns = (np.flatnonzero(fitted.sum(axis=axis) > 0) for axis in (1, 0))
    assert (len(rows), len(columns)) == tuple(length * size // 30 for length in shape)
    np.testing.assert_array_equal(fitted, fitted[::-1, ::-1])
    assert set(np.unique(fitted)) == {0, 1}


def test_an_odd_margin_gives_its_last_pixel_to_the_end():
    assert fit(np.ones((2, 5), np.float32), 5).sum(axis=1).tolist() == [0, 5, 5, 0, 0]


@pytest.mark.parametrize(
    ("shape", "pixel_mm", "size", "native"),
    [
        ((40, 60), (3.0, 1.0), None, (40, 60)),
        ((40, 60), None, 30, (60, 60)),
        ((40, 60), (2.0, 2.01), 60, (60, 60)),
        ((40, 60), (3.0, 1.0), 60, (40, 120)),
        ((40, 60), (1.0, 3.0), 60, (180, 60)),
    ],
)
def test_the_native_size_is_the_padded_square_in_pixels_of_the_file(shape, pixel_mm, size, native):
    assert native_size(shape, pixel_mm, size) == native
    if size and pixel_mm:
        shown_mm = np.array(fitted_mm(shape, pixel_mm, size)) * size
        np.testing.assert_allclose(shown_mm, np.array(native) * pixel_mm)


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_is_positive(size):
    with pytest.raises(UserError, match=f"at least 1; received {size}"):
        check_size(size)


@pytest.mark.parametrize("size", [None, 1])
def test_no_size_is_a_size(size):
    check_size(size)


def test_channels_may_differ_by_the_same_share_whatever_their_range():
    for white in (255, 4095, 65535):
        unit = white / 255
        passes, fails = (np.array([[[100.0, 100, 100 + off]]]) * unit for off in (8, 9))
        assert one_channel(passes, "a", white).shape == (1, 1)
        with pytest.raises(UnusableError, match=r"is in colour; received a .*by up to 9 of 255"):
            one_channel(fails, "a", white)


@pytest.mark.parametrize("pixel_mm", [None, (2.0, 2.0), (2.0, 2.02), (2.02, 2.0)])
@pytest.mark.parametrize("shape", [(23, 23), (12, 30)])
def test_square_pixels_are_fitted_only(pixel_mm, shape):
    image = random_image(*shape)
    np.testing.assert_array_equal(fit_square(image, pixel_mm, 16), fit(image, 16))


def extents_mm(image, pixel_mm):
    """Length of the bright part down and along."""
    bright = image > image.max() / 2
    return [
        np.count_nonzero(bright.any(axis=1)) * pixel_mm[0],
        np.count_nonzero(bright.any(axis=0)) * pixel_mm[1],
    ]


@pytest.mark.parametrize("pixel_mm", [(3.0, 1.0), (1.0, 3.0), (2.0, 0.7), (1.0, 1.0)])
@pytest.mark.parametrize("size", [60, 120])
def test_lengths_in_mm_stay_and_pixels_become_square(pixel_mm, size):
    image = np.zeros((60, 60), np.float32)
    image[20:40, 12:48] = 100
    fitted = fit_square(image, pixel_mm, size)
    fitted_pixel_mm = fitted_mm(image.shape, pixel_mm, size)
    assert fitted.shape == (size, size)
    assert fitted_pixel_mm[0] == pytest.approx(fitted_pixel_mm[1], rel=0.01)
    before, after = extents_mm(image, pixel_mm), extents_mm(fitted, fitted_pixel_mm)
    # An edge is found to one pixel of the coarser grid.
    np.testing.assert_allclose(after, before, atol=2 * max(*fitted_pixel_mm, *pixel_mm))


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (7, 300)])
@pytest.mark.parametrize("pixel_mm", [(3.0, 1.0), (1.0, 1.7), (0.5, 0.5)])
def test_the_new_field_of_view_is_the_longer_side_of_the_old(shape, pixel_mm):
    rows, columns = fitted_mm(shape, pixel_mm, 32)
    field = max(length * mm for length, mm in zip(shape, pixel_mm, strict=True))
    # The number of pixels is rounded when they are made square: half of one of the shorter side.
    assert max(rows, columns) * 32 == pytest.approx(field, rel=0.5 / min(shape))


def test_the_longer_pixels_are_resampled_and_the_others_kept():
    ramp = np.repeat(np.arange(1.0, 11.0, dtype=np.float32)[:, None], 30, axis=1)
    fitted = fit_square(ramp, (3.0, 1.0), 30)
    np.testing.assert_allclose(fitted, np.repeat(fitted[:, :1], 30, axis=1), rtol=1e-6)
    steps = np.diff(fitted[2:-2, 0])
    np.testing.assert_allclose(steps, 1 / 3, rtol=1e-4)


def test_pixels_of_a_hundred_times_their_width_are_refused():
    with pytest.raises(
        UnusableError, match="more than 100 times as long as wide; received 1 x 101 mm"
    ):
        fitted_mm((4, 4), (1.0, 101.0), 8)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_channel_of_a_picture_is_taken_alone(tmp_path, channel):
    colours = np.random.default_rng(1).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    Image.fromarray(colours[..., 0]).save(tmp_path / "b.png")
    image = read_grey(tmp_path / "a.png", "row 2 (a)", channel)
    np.testing.assert_array_equal(image, colours[..., channel])
    grey = read_grey(tmp_path / "b.png", "row 3 (b)", channel)
    np.testing.assert_array_equal(grey, colours[..., 0])
    with pytest.raises(UnusableError, match="in colour"):
        read_grey(tmp_path / "a.png", "row 2 (a)")

import numpy as np
import pytest

from sweep.ingest.fastmri.reconstruction import reconstruct

WIDTHS = (300, 319, 320, 322, 368, 372, 400, 409)  # as fastMRI has them, odd ones, narrower ones


def reference(kspace, shape):
    """Written apart: double precision, all of both transforms, pixel by pixel about the centre."""
    axes = (-2, -1)
    coils = np.fft.ifft2(np.fft.ifftshift(kspace.astype(complex), axes), norm="ortho")
    combined = np.sqrt((np.abs(np.fft.fftshift(coils, axes)) ** 2).sum(axis=0))
    image = np.zeros(shape)
    for row in range(shape[0]):
        source = row - shape[0] // 2 + combined.shape[0] // 2
        if not 0 <= source < combined.shape[0]:
            continue
        for column in range(shape[1]):
            at = column - shape[1] // 2 + combined.shape[1] // 2
            if 0 <= at < combined.shape[1]:
                image[row, column] = combined[source, at]
    return image


def noise(*shape, scale=1e-6, seed=0):
    rng = np.random.default_rng(seed)
    parts = scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    return parts.astype(np.complex64)


@pytest.mark.parametrize("columns", WIDTHS)
def test_it_equals_the_recipe_of_numpy_in_double_precision(columns):
    kspace = noise(1, 640, columns)
    image, expected = reconstruct(kspace, (320, 320)), reference(kspace, (320, 320))
    assert (image.shape, image.dtype) == ((320, 320), np.float32)
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize("matrix", [(12, 9), (9, 12), (7, 7), (8, 8), (5, 20)])
@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (12, 6), (1, 1)])
def test_crop_and_padding_put_the_centres_together(matrix, shape):
    kspace = noise(3, *matrix)
    expected = reference(kspace, shape)
    np.testing.assert_allclose(reconstruct(kspace, shape), expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -7), (-160, 149), (159, -150)])
def test_a_point_lies_where_its_phase_ramp_says(columns, down, right):
    rows = 640
    turns = down * (np.arange(rows) - rows // 2)[:, None] / rows
    turns = turns + right * (np.arange(columns) - columns // 2) / columns
    kspace = np.exp(-2j * np.pi * turns) / np.sqrt(rows * columns)
    image = reconstruct(kspace[None].astype(np.complex64), (320, 320))
    expected = np.zeros((320, 320))
    expected[160 + down, 160 + right] = 1
    np.testing.assert_allclose(image, expected, atol=1e-5)


def test_dc_alone_is_an_even_image():
    kspace = np.zeros((1, 12, 9), np.complex64)
    kspace[0, 6, 4] = 3j
    expected = np.full((12, 9), 3 / np.sqrt(12 * 9))
    np.testing.assert_allclose(reconstruct(kspace, (12, 9)), expected, rtol=1e-6)


def test_energy_is_kept():
    kspace = noise(4, 20, 15)
    energy = (np.abs(kspace.astype(complex)) ** 2).sum()
    image = reconstruct(kspace, (20, 15)).astype(float)
    assert (image**2).sum() == pytest.approx(energy, rel=1e-5)


def test_coils_add_as_the_root_of_their_squares():
    one = noise(1, 16, 12)
    several = one * np.array([3, 4j, -12], np.complex64)[:, None, None]
    expected = 13 * reconstruct(one, (10, 10))
    np.testing.assert_allclose(reconstruct(several, (10, 10)), expected, rtol=1e-5)


def test_beyond_the_matrix_the_image_is_zero():
    image = reconstruct(noise(1, 16, 10), (16, 14))
    assert (image[:, :2] == 0).all()
    assert (image[:, 12:] == 0).all()
    assert (image[:, 2:12] > 0).all()


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_stays_so_without_a_warning(spoiled):
    kspace = noise(2, 16, 12)
    kspace[1, 3, 4] = spoiled
    assert not np.isfinite(reconstruct(kspace, (8, 8))).all()


def test_the_kspace_is_left_as_it_is():
    kspace = noise(2, 16, 12)
    kspace.setflags(write=False)
    reconstruct(kspace, (8, 8))

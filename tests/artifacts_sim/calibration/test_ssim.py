"""SSIM against its written formula in float64, and the laws it keeps."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from artifacts_sim import ArtifactError
from artifacts_sim.calibration.ssim import foreground, mean_squared_error, mean_ssim, ssim_map

SHAPES = [(1, 1), (1, 9), (3, 4), (11, 11), (64, 40), (97, 130)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
ONE = torch.ones(1)


def pair(shape, batch=2, seed=0):
    """Structure on an empty border, and the same in noise: (B, H, W) each, maximum near 200."""
    rng = np.random.default_rng(seed)
    v, u = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[0]))
    waves = 120 + 80 * np.cos(9 * u + rng.uniform(0, 6, (batch, 1, 1))) * np.cos(7 * v)
    clean = np.where(u**2 + v**2 < 0.8, waves, 0)
    damaged = np.abs(clean * rng.uniform(0.6, 1.4) + rng.normal(0, 15, clean.shape))
    return (torch.from_numpy(image.astype(np.float32)) for image in (clean + 1e-3, damaged))


def written_formula(x, y, data_range):
    """Equation 13 of Wang et al. 2004 for one slice, float64, with scipy's Gaussian of 11 taps."""

    def mean(image):
        return gaussian_filter(image, sigma=1.5, radius=5, mode="reflect")

    x, y = x.double().numpy(), y.double().numpy()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, cxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return ((2 * mx * my + c1) * (2 * cxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


@every_shape
def test_it_is_the_written_formula(shape):
    clean, damaged = pair(shape)
    data_range = clean.amax(dim=(1, 2))
    found = ssim_map(clean, damaged, data_range)
    assert found.dtype == torch.float32
    for one, x, y, top in zip(found, clean, damaged, data_range.tolist(), strict=True):
        # float32 pixels of unit scale: a variance is good to about 1e-8, C2 is 9e-4.
        np.testing.assert_allclose(one, written_formula(x, y, top), rtol=0, atol=5e-5)


def test_in_float64_it_is_the_written_formula_to_the_last_digits():
    clean, damaged = (image.double() for image in pair((70, 50), batch=1))
    found = ssim_map(clean, damaged, clean.amax(dim=(1, 2)))[0]
    expected = written_formula(clean[0], damaged[0], float(clean.max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_bright_flat_slice_in_faint_noise_loses_no_digits():
    noise = torch.randn(1, 48, 48, generator=torch.Generator().manual_seed(0))
    clean = torch.full_like(noise, 0.97)
    damaged = clean + 3e-3 * noise
    found = ssim_map(clean, damaged, ONE)[0]
    np.testing.assert_allclose(found, written_formula(clean[0], damaged[0], 1), rtol=0, atol=1e-6)


@every_shape
def test_identical_slices_have_exactly_one(shape):
    clean, _ = pair(shape)
    assert torch.equal(ssim_map(clean, clean, 200 * torch.ones(2)), torch.ones_like(clean))


@every_shape
def test_it_is_symmetric(shape):
    clean, damaged = pair(shape)
    top = clean.amax(dim=(1, 2))
    assert torch.equal(ssim_map(clean, damaged, top), ssim_map(damaged, clean, top))


@every_shape
def test_it_lies_between_minus_one_and_one(shape):
    clean, damaged = pair(shape)
    for y in (damaged, clean.amax() - clean, 50 * damaged, torch.zeros_like(clean)):
        found = ssim_map(clean, y, clean.amax(dim=(1, 2)))
        assert found.min() >= -1
        assert found.max() <= 1


def test_opposite_structure_of_equal_mean_comes_near_minus_one():
    rows = torch.cos(torch.arange(40) * torch.pi)[None, :, None].expand(1, 40, 40)
    inside = ssim_map(0.5 + 0.5 * rows, 0.5 - 0.5 * rows, ONE)[:, 5:-5, 5:-5]
    assert inside.max() < -0.99


def test_flat_slices_have_the_luminance_term_alone():
    x, y = torch.full((1, 20, 20), 0.8), torch.full((1, 20, 20), 0.5)
    expected = (2 * 0.8 * 0.5 + 1e-4) / (0.8**2 + 0.5**2 + 1e-4)
    torch.testing.assert_close(ssim_map(x, y, ONE), torch.full_like(x, expected))


def test_units_do_not_matter():
    clean, damaged = pair((60, 44))
    mask = foreground(clean)
    far = 2.0**12  # a power of two scales every float without rounding
    assert torch.equal(foreground(far * clean), mask)
    for compare in (mean_ssim, mean_squared_error):
        assert torch.equal(compare(far * clean, far * damaged, mask), compare(clean, damaged, mask))


def test_a_batch_equals_its_slices_one_by_one():
    clean, damaged = pair((33, 50), batch=5)
    mask = foreground(clean)
    for compare in (mean_ssim, mean_squared_error):
        alone = [
            compare(clean[i : i + 1], damaged[i : i + 1], mask[i : i + 1])[0] for i in range(5)
        ]
        # Vectors that span slices sum in another order.
        torch.testing.assert_close(
            compare(clean, damaged, mask), torch.stack(alone), rtol=1e-6, atol=0
        )


def test_foreground_is_above_a_tenth_of_the_99th_percentile():
    # 101 pixels: the 99th percentile is the second largest, 50; the largest does not count.
    slices = torch.zeros(1, 1, 101)
    slices[0, 0, :5] = torch.tensor([900.0, 50.0, 5.1, 5.0, 4.9])
    assert foreground(slices)[0, 0, :5].tolist() == [True, True, True, False, False]
    assert foreground(slices).sum() == 3


def test_a_slice_with_a_single_bright_pixel_has_that_pixel_as_foreground():
    slices = torch.zeros(1, 20, 20)
    slices[0, 4, 5] = 3
    assert foreground(slices).nonzero().tolist() == [[0, 4, 5]]


def test_an_empty_slice_is_refused():
    slices = torch.rand(3, 8, 8)
    slices[1] = 0
    with pytest.raises(ArtifactError, match=r"1 slices without a pixel above 0.*index 1; leave"):
        foreground(slices)


def test_means_are_over_the_mask_alone():
    clean, damaged = pair((30, 30))
    mask = foreground(clean)
    expected = ssim_map(clean, damaged, clean.amax(dim=(1, 2)))[1][mask[1]].double().mean()
    torch.testing.assert_close(mean_ssim(clean, damaged, mask)[1], expected, rtol=1e-7, atol=0)
    background = torch.where(mask, damaged, 1e3)
    assert torch.equal(
        mean_squared_error(clean, background, mask), mean_squared_error(clean, damaged, mask)
    )


def test_squared_error_is_of_the_squared_maximum():
    clean = torch.tensor([[[4.0, 2.0]]])
    found = mean_squared_error(clean, clean + 1, torch.ones(1, 1, 2, dtype=torch.bool))
    assert found.tolist() == [1 / 16]

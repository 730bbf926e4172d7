from itertools import combinations

import numpy as np
import pytest

from sweep.store.digests import perceptual_hash

# Rounding may move a frequency that lies at the median to its other side; the set of those above
# keeps its size, so bits change in pairs.
ONE_EXCHANGED = 2


def band_limited(seed, size):
    """A field of few low frequencies, sampled at the centres of size x size pixels, 0 to 1."""
    amplitudes = np.random.default_rng(seed).normal(size=(8, 8))
    cosines = np.cos(np.pi * np.arange(8)[:, None] * (np.arange(size) + 0.5) / size)
    field = cosines.T @ amplitudes @ cosines
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def differing(one, other):
    return int(np.bitwise_count(perceptual_hash(one) ^ perceptual_hash(other)))


SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("exponent", [-60, -14, 1, 60])
def test_the_unit_changes_no_bit(seed, exponent):
    image = band_limited(seed, 64)
    assert differing(image, image * np.float32(2.0**exponent)) == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("scale", "offset"), [(3.7, 0), (1, 0.5), (0.3, 40), (1e-4, -1e-5)])
def test_scale_and_offset_change_no_bit_but_by_rounding(seed, scale, offset):
    image = band_limited(seed, 64)
    assert differing(image, np.float32(scale) * image + np.float32(offset)) <= ONE_EXCHANGED


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [64, 96, 320, 640])
def test_the_size_of_a_band_limited_image_does_not_matter(seed, size):
    assert differing(band_limited(seed, 32), band_limited(seed, size)) <= ONE_EXCHANGED


def test_a_wide_image_is_hashed_as_it_is_when_squeezed():
    wide = np.repeat(band_limited(0, 64), 3, axis=1)
    assert differing(wide, band_limited(0, 64)) <= ONE_EXCHANGED


def test_other_images_differ_in_about_half_of_the_63_bits():
    """Each of two hashes has 31 of 63 bits set: on average 31.5 differ, give or take 4."""
    images = [band_limited(seed, 64) for seed in range(40)]
    found = [differing(one, other) for one, other in combinations(images, 2)]
    assert np.mean(found) == pytest.approx(31.5, abs=1)
    assert min(found) > 8, "as many bits as near-duplicates may differ in"


@pytest.mark.parametrize("seed", SEEDS)
def test_bits_are_those_above_the_median(seed):
    assert int(perceptual_hash(band_limited(seed, 64))).bit_count() == 31


def test_an_empty_image_has_a_hash():
    assert perceptual_hash(np.zeros((5, 7), np.float32)) == 0

"""Truncation of k-space: what is kept, how much an edge overshoots, and MONAI's way."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace
from artifacts_sim.acquisition.masks import Mask
from tests.support.artifacts import signal_of

KEY = ["slice"]


def apply(x, cut, geometry=None, **options):
    art = artifacts_sim.get("gibbs", **options)
    batch = x if isinstance(x, KSpace) else torch.from_numpy(x)[None]
    return art.apply(batch, art.sample(knob=cut, keys=KEY, seed=0), geometry)[0].numpy()


def kept(cut, shape, acquired=None, **options):
    """What is left of k-space that is 1 everywhere."""
    art = artifacts_sim.get("gibbs", **options)
    ones = KSpace(torch.ones(1, *shape, dtype=torch.complex64), Geometry(acquired=acquired))
    return art.corrupt(ones, art.sample(knob=cut, keys=KEY, seed=0)).samples[0].numpy()


def object_of(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("level", "samples"), [(1, 256), (2, 192), (3, 160), (4, 128), (5, 64)]
    )
    def test_the_physical_levels_are_matrix_sizes(self, level, samples):
        art = artifacts_sim.get("gibbs")
        mask = kept(art.at(level, "physical"), (320, 320))
        assert np.array_equal(mask, mask[:, [160]] * mask[[160]])
        assert mask[160].sum() == mask[:, 160].sum() == samples + 1  # DC has no partner

    @pytest.mark.parametrize("n", [1, 2, 7, 8, 40, 41])
    @pytest.mark.parametrize("cut", [1e-3, 0.1, 0.33, 0.5, 0.95])
    def test_it_is_centred_on_dc(self, n, cut):
        lines = kept(cut, (3, n), axes="pe")[0].real
        k = np.arange(n) - n // 2
        reach = np.abs(k[lines == 1]).max()
        assert np.array_equal(lines, np.abs(k) <= reach)
        assert reach == pytest.approx((1 - cut) * n / 2, abs=0.5)

    def test_the_nyquist_sample_goes_first_and_alone(self):
        assert kept(0.06, (1, 20), axes="pe").real.tolist() == [[0] + 19 * [1]]

    @pytest.mark.parametrize("axes", ["both", "ro", "pe"])
    def test_the_axes(self, axes):
        mask = kept(0.5, (12, 18), axes=axes)
        ro = np.abs(np.arange(12) - 6) <= (3 if axes != "pe" else 6)
        pe = np.abs(np.arange(18) - 9) <= (round(4.5) if axes != "ro" else 9)
        assert np.array_equal(mask, ro[:, None] * pe)

    def test_a_larger_cut_keeps_some_of_the_same_samples(self):
        masks = [kept(cut, (40, 41)).real for cut in np.linspace(0.01, 0.95, 40)]
        assert all((more <= less).all() for less, more in pairwise(masks))

    def test_less_than_half_a_sample_cuts_nothing(self):
        assert (kept(0.4 / 40, (40, 40)) == 1).all()

    def test_only_measured_lines_count(self):
        """Of 40 lines 32 are measured: half is cut, and no part of the knob is dead."""
        lines = kept(0.5, (40, 40), acquired=range(4, 36))[20] != 0
        assert np.flatnonzero(lines).tolist() == list(range(12, 29))
        for knob in np.linspace(0.04, 0.9, 20):
            fewer = kept(knob, (40, 40), acquired=range(4, 36))[20] != 0
            assert not fewer[[4, 35]].all()


@pytest.mark.parametrize("size", [(24, 32), (25, 31)], ids=str)
@pytest.mark.parametrize("axes", ["both", "ro", "pe"])
def test_the_image_against_float64(size, axes):
    mask = kept(0.6, size, axes=axes).real
    phase = np.linspace(-2, 3, size[0] * size[1]).reshape(size)
    for x in (object_of(size), (object_of(size) * np.exp(1j * phase)).astype(np.complex64)):
        F = np.fft.fftshift(np.fft.fftn(x.astype(np.complex128)))  # shifts of x cancel in |.|
        expected = np.abs(np.fft.ifftn(np.fft.ifftshift(F * mask)))
        np.testing.assert_allclose(apply(x, 0.6, axes=axes), expected, atol=2e-6)


def test_coils_are_truncated_one_by_one():
    rng = np.random.default_rng(0)
    k = (rng.normal(size=(1, 3, 24, 31, 2)) @ [1, 1j]).astype(np.complex64)
    mask = kept(0.6, (24, 31))
    combined = apply(KSpace(torch.from_numpy(k)), 0.6)
    by_coil = np.fft.ifftn(np.fft.ifftshift(k[0] * mask, (1, 2)), axes=(1, 2), norm="ortho")
    expected = np.fft.fftshift(np.sqrt((np.abs(by_coil) ** 2).sum(axis=0)))
    np.testing.assert_allclose(combined, expected, atol=1e-5)


def test_a_smooth_object_is_untouched():
    """Nothing rings without an edge: a wave of a kept frequency is as it was."""
    i = np.arange(64)
    x = (2 + np.cos(2 * np.pi * 5 * i / 64))[:, None] + np.sin(2 * np.pi * 7 * i / 64)
    np.testing.assert_allclose(apply(x.astype(np.float32), 0.75), x, atol=5e-6)


def overshoot_percent(n, frequencies):
    """Of a step's height, beside the edges of a strip, read between the pixels."""
    x = np.ones((1, n), dtype=np.float32)
    x[0, n // 4 : 3 * n // 4] = 2
    y = apply(x, 1 - 2 * frequencies / n, axes="pe")[0].astype(np.float64)
    F = np.fft.rfft(y)
    fine = np.fft.irfft(F, n=16 * n) * 16
    return 100 * (fine.max() - 2)


def test_an_edge_overshoots_by_nine_percent():
    assert overshoot_percent(320, 20) == pytest.approx(9.06, abs=0.005)
    limit = 50 * (2 / math.pi * 1.851937052 - 1)  # Si(pi)
    assert limit == pytest.approx(8.95, abs=0.005)
    assert overshoot_percent(8000, 200) == pytest.approx(limit, abs=0.02)


class TestMonai:
    """MONAI's window is a ball of radius (1 - alpha) sqrt(2) N / 2 about (N - 1) / 2.

    On rows alone it is an interval; of an odd number of samples it is centred on DC, as ours is;
    of an even number, half a sample off, of which the real part is taken.
    """

    @pytest.fixture
    def monai_rows(self):
        transforms = pytest.importorskip("monai.transforms", reason="needs MONAI")

        def gibbs(x, reach):
            alpha = 1 - (reach + 0.1) * 2 / (x.shape[1] * math.sqrt(2))
            return np.asarray(transforms.GibbsNoise(alpha)(x))

        return gibbs

    @pytest.mark.parametrize("n", [31, 257])
    @pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9])
    def test_an_odd_matrix_is_truncated_alike(self, monai_rows, n, fraction):
        x = object_of((n, n))
        reach = round((1 - fraction) * n / 2)
        rows = monai_rows(x, reach)
        np.testing.assert_allclose(apply(x, fraction, axes="pe"), np.abs(rows), atol=2e-6)
        both = monai_rows(rows.T, reach).T
        np.testing.assert_allclose(apply(x, fraction), np.abs(both), atol=2e-6)

    @pytest.mark.parametrize("n", [32, 256])
    def test_an_even_matrix_in_its_convention(self, monai_rows, n):
        x, reach = object_of((20, n)), n // 5
        off_centre = np.abs(np.arange(n) - (n - 1) / 2) <= reach + 0.1
        mirrored = np.roll(off_centre[::-1], 1)
        mask = Mask(
            torch.from_numpy((off_centre + mirrored.astype(float)) / 2)[None]
        )  # whose image is the real part
        y = mask.render(signal_of(torch.from_numpy(x)[None]))
        np.testing.assert_allclose(y[0], np.abs(monai_rows(x, reach)), atol=2e-6)


def test_an_unknown_axis_is_refused():
    with pytest.raises(ArtifactError, match="axes is not 'both', 'ro' or 'pe'; received 'x'"):
        artifacts_sim.get("gibbs", axes="x")

"""Skipped lines: which ones, how many, and what their gaps do to the image."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Params
from artifacts_sim.kinds import sampling

KINDS = ("fastmri_random", "fastmri_equispaced", "random", "regular")
every_kind = pytest.mark.parametrize("kind", KINDS)
FASTMRI = [(n, r, c) for n in (320, 368, 372) for r, c in ((4, 0.08), (8, 0.04))]
every_fastmri_mask = pytest.mark.parametrize(("n", "acceleration", "fraction"), FASTMRI)
CENTRAL = {(320, 4): 26, (368, 4): 29, (372, 4): 30, (320, 8): 13, (368, 8): 15, (372, 8): 15}
Z_LIMIT = 4.5


def keys(count):
    return [f"slice-{i}" for i in range(count)]


def masks(n, acceleration, slices=200, acquired=None, **options):
    """What is measured of k-space lines that are 1: (slices, n) bool."""
    art = artifacts_sim.get("undersampling", **options)
    params = art.sample(knob=1 - 1 / acceleration, keys=keys(slices), seed=0)
    ones = KSpace(torch.ones(slices, 1, n, dtype=torch.complex64), Geometry(acquired=acquired))
    samples = art.corrupt(ones, params).samples[:, 0]
    assert torch.equal(samples.imag, torch.zeros(slices, n))
    assert set(samples.real.unique().tolist()) <= {0.0, 1.0}
    return samples.real.numpy() == 1


def anchored(line, n):
    """Draws of a regular comb through this line."""
    return {"offset": np.array([(line + 0.5) / n])}


def regular(x, acceleration, line):
    art = artifacts_sim.get("undersampling", kind="regular", centre_fraction=0)
    draws = anchored(line, x.shape[-1])
    params = Params(
        "undersampling",
        {"kind": "regular", "centre_fraction": 0},
        1 - 1 / acceleration,
        draws,
    )
    return art.apply(torch.from_numpy(x)[None], params)[0].numpy()


def object_of(size, phase):
    x = np.random.default_rng(0).uniform(0, 1, size)
    angle = np.linspace(-2, 3, x.size).reshape(size)
    return (x * np.exp(1j * angle)).astype(np.complex64) if phase else x.astype(np.float32)


def replicas(x, acceleration, line):
    """(1 / R) sum_j e^{2 pi i j a / R} x(y - j N / R), a the offset of the comb from DC."""
    n = x.shape[1]
    a = line - n // 2
    return (
        sum(
            np.exp(2j * np.pi * j * a / acceleration) * np.roll(x, j * n // acceleration, axis=1)
            for j in range(acceleration)
        )
        / acceleration
    )


class TestRegular:
    @pytest.mark.parametrize("acceleration", [2, 3, 4, 6])
    @pytest.mark.parametrize("line", [0, 1, 5, 25])
    def test_the_law_of_replicas_holds_to_the_last_digit(self, acceleration, line):
        x = object_of((5, 48), phase=True).astype(np.complex128)
        u = anchored(line, 48)["offset"]
        mask = sampling.regular(u, 48, acceleration)[0]
        F = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(x, 1), axis=1), 1)
        y = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(F * mask, 1), axis=1), 1)
        np.testing.assert_allclose(y, replicas(x, acceleration, line), atol=2e-15)

    @pytest.mark.parametrize("acceleration", [2, 3, 4, 6])
    @pytest.mark.parametrize("line", [0, 1, 5, 25])
    @pytest.mark.parametrize("phase", [False, True], ids=["real", "complex"])
    def test_gaps_fold_the_image(self, acceleration, line, phase):
        x = object_of((20, 48), phase)
        expected = np.abs(replicas(x, acceleration, line))
        np.testing.assert_allclose(regular(x, acceleration, line), expected, atol=2e-6)

    @pytest.mark.parametrize("acceleration", [2, 3, 4, 6, 8])
    def test_every_rth_line_and_the_centre(self, acceleration):
        bare = masks(48, acceleration, kind="regular", centre_fraction=0)
        assert (bare.sum(axis=1) == 48 // acceleration).all()
        assert all((np.diff(np.flatnonzero(mask)) == acceleration).all() for mask in bare)
        assert (bare.any(axis=0)).all()  # every offset is drawn
        filled = masks(48, acceleration, kind="regular", centre_fraction=0.25)
        assert np.array_equal(filled, bare | sampling.centre(48, 12))

    @pytest.mark.parametrize("acceleration", [1.1, 1.7, 2.5, 3.3, 9.9])
    def test_other_accelerations_are_met_to_a_line(self, acceleration):
        for n in (31, 320):
            bare = masks(n, acceleration, kind="regular", centre_fraction=0)
            assert np.abs(bare.sum(axis=1) - n / acceleration).max() <= 1
            gaps = np.concatenate([np.diff(np.flatnonzero(mask)) for mask in bare])
            assert set(gaps.tolist()) <= {int(acceleration), int(acceleration) + 1}

    def test_a_multiple_of_an_acceleration_keeps_some_of_the_same_lines(self):
        by_r = {r: masks(320, r, kind="regular", centre_fraction=0) for r in (2, 3, 4, 6, 8)}
        for low, high in ((2, 4), (2, 6), (2, 8), (3, 6), (4, 8)):
            assert (by_r[high] <= by_r[low]).all()


class TestRandom:
    @pytest.mark.parametrize("acceleration", [1.5, 2, 3, 4, 8])
    @pytest.mark.parametrize("n", [31, 320])
    def test_the_number_is_exact_with_the_centre_in_it(self, n, acceleration):
        lines = masks(n, acceleration, kind="random")
        assert (lines.sum(axis=1) == round(n / acceleration)).all()
        assert lines[:, sampling.centre(n, round(0.08 * n))].all()

    def test_outer_lines_are_equally_likely(self):
        lines = masks(100, 4, slices=2000, kind="random")[:, ~sampling.centre(100, 8)]
        chance = (25 - 8) / 92
        z = (lines.mean(axis=0) - chance) / np.sqrt(chance * (1 - chance) / 2000)
        assert np.abs(z).max() < Z_LIMIT

    def test_only_acquired_lines_count(self):
        """A fastMRI knee: 372 lines, zero-filled to 400, of which nothing is skipped."""
        acquired = np.isin(np.arange(400), range(14, 386))
        lines = masks(400, 4, kind="random", acquired=range(14, 386))
        assert (lines[:, acquired].sum(axis=1) == 93).all()
        assert lines[:, ~acquired].all()
        assert lines[:, sampling.centre(400, round(0.08 * 372))].all()

    def test_a_centre_larger_than_the_scan_is_all_that_is_kept(self):
        lines = masks(100, 8, kind="random", centre_fraction=0.3)
        assert np.array_equal(lines, np.tile(sampling.centre(100, 30), (200, 1)))


class TestFastMRI:
    @every_fastmri_mask
    def test_the_centre(self, n, acceleration, fraction):
        """As many lines as documented, from (N - n + 1) // 2 on."""
        count = CENTRAL[n, acceleration]
        assert round(n * fraction) == count
        central = np.flatnonzero(sampling.centre(n, count))
        start = (n - count + 1) // 2
        assert central.tolist() == list(range(start, start + count))
        assert start <= n // 2 < start + count
        for kind in ("fastmri_random", "fastmri_equispaced"):
            lines = masks(n, acceleration, kind=kind, centre_fraction=fraction)
            assert lines[:, central].all()

    @every_fastmri_mask
    def test_random_masks_have_n_by_r_lines_on_average(self, n, acceleration, fraction):
        lines = masks(n, acceleration, slices=1000, centre_fraction=fraction)
        counts, central = lines.sum(axis=1), CENTRAL[n, acceleration]
        chance = (n / acceleration - central) / (n - central)
        spread = np.sqrt((n - central) * chance * (1 - chance))
        assert abs(counts.mean() - n / acceleration) < Z_LIMIT * spread / np.sqrt(1000)
        drawn = stats.binom(n - central, chance)
        ranks = drawn.cdf(counts - central) - drawn.pmf(counts - central) / 2
        assert ranks.mean() == pytest.approx(0.5, abs=Z_LIMIT / np.sqrt(12 * 1000))
        assert counts.std() == pytest.approx(spread, rel=Z_LIMIT / np.sqrt(2 * 1000))

    @every_fastmri_mask
    def test_equispaced_masks_are_those_of_the_published_rule(self, n, acceleration, fraction):
        central = CENTRAL[n, acceleration]
        spacing = (n - central) / (n / acceleration - central)
        expected = set()
        for offset in range(round(spacing)):
            mask = sampling.centre(n, central)
            place = float(offset)
            while place < n - 1:
                mask[round(place)] = True
                place += spacing
            expected.add(mask.tobytes())
        options = {"kind": "fastmri_equispaced", "centre_fraction": fraction}
        lines = masks(n, acceleration, slices=400, **options)
        assert {mask.tobytes() for mask in lines} == expected
        assert np.abs(lines.sum(axis=1) - n / acceleration).max() <= 2
        assert lines.sum(axis=1).mean() == pytest.approx(n / acceleration, abs=1)

    @pytest.mark.parametrize("kind", ["fastmri_random", "fastmri_equispaced"])
    @pytest.mark.parametrize("fraction", [0.125, 0.3])
    def test_a_centre_as_large_as_the_scan_is_all_that_is_kept(self, kind, fraction):
        lines = masks(320, 8, kind=kind, centre_fraction=fraction)
        assert np.array_equal(lines, np.tile(sampling.centre(320, round(320 * fraction)), (200, 1)))

    def test_all_lines_count_and_those_not_acquired_are_left_alone(self):
        acquired = np.isin(np.arange(400), range(14, 386))
        plain = masks(400, 4)
        assert np.array_equal(masks(400, 4, acquired=range(14, 386)), plain | ~acquired)


@pytest.mark.parametrize("kind", ["fastmri_random", "random"])
def test_more_skipping_only_removes_lines(kind):
    by_r = [masks(320, r, kind=kind) for r in (1.001, 1.2, 1.5, 2, 3, 4, 6, 8, 10)]
    assert all((more <= less).all() for less, more in pairwise(by_r))
    assert by_r[0].mean() > 0.99


@every_kind
def test_what_is_measured_stays_bit_for_bit(kind):
    rng = np.random.default_rng(0)
    k = torch.from_numpy((rng.normal(size=(2, 3, 12, 40, 2)) @ [1, 1j]).astype(np.complex64))
    art = artifacts_sim.get("undersampling", kind=kind)
    params = art.sample(knob=0.75, keys=keys(2), seed=0)
    damaged = art.corrupt(KSpace(k), params).samples
    lines = torch.from_numpy(masks(40, 4, slices=2, kind=kind))[:, None, None, :]
    assert torch.equal(damaged, torch.where(lines, k, 0))


@every_kind
@pytest.mark.parametrize("phase", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("size", [(24, 32), (25, 31)], ids=str)
def test_the_image_against_float64(kind, phase, size):
    art = artifacts_sim.get("undersampling", kind=kind)
    x = object_of(size, phase)
    y = art.apply(torch.from_numpy(x)[None], art.sample(knob=0.75, keys=keys(1), seed=0))[0]
    lines = masks(size[1], 4, slices=1, kind=kind)
    F = np.fft.fft(x.astype(np.complex128), axis=1)  # shifts of x cancel in |.|
    expected = np.abs(np.fft.ifft(F * np.fft.ifftshift(lines), axis=1))
    np.testing.assert_allclose(y, expected, atol=2e-6)


@every_kind
def test_slices_are_sampled_differently(kind):
    lines = masks(320, 4, kind=kind)
    drawn = {mask.tobytes() for mask in lines}
    assert len(drawn) == {"regular": 4, "fastmri_equispaced": 5}.get(kind, 200)


def test_params_hold_one_number_per_slice_whatever_the_matrix():
    for kind in KINDS:
        art = artifacts_sim.get("undersampling", kind=kind)
        (array,) = art.sample(knob=0.5, keys=keys(3), seed=0).draws.values()
        assert array.shape == (3,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "poisson"}, "kind is not one of fastmri_random, .*; received 'poisson'"),
        (
            {"centre_fraction": 1.0},
            r"centre_fraction is not a number from 0 to below 1; received 1\.0",
        ),
        ({"centre_fraction": -0.1}, r"received -0\.1"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ArtifactError, match=message):
        artifacts_sim.get("undersampling", **options)

"""Chains: no artifact changes the severity of another, no order matters, empty lines stay empty."""

from itertools import combinations

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Shift, ShiftParams
from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from artifacts_sim.acquisition.operators import Stage

pytestmark = pytest.mark.slow

KEYS = ["patient-1/slice-0", "patient-1/slice-1", "patient-2/slice-0"]
NAMES = artifacts_sim.names()
PAIRS = list(combinations(NAMES, 2))
LINES = range(8, 56)  # of 64 that were acquired


def stages(name):
    return artifacts_sim.get(name).stages


IN_KSPACE = [name for name in NAMES if stages(name)[-1] <= Stage.ADDED]
ADDED = [name for name in IN_KSPACE if stages(name) == (Stage.ADDED,)]
SAME_FRAME = [name for name in IN_KSPACE if Stage.ENCODING not in stages(name)]


def level(name, number=3):
    return Shift.of(name, level=number, grid="physical")


def sampled(shift, seed=4):
    return shift.sample(keys=KEYS, seed=seed, scans=["1", "1", "2"], numbers=[0, 1, 0])


def complex_image(phantoms, size=(40, 64)):
    x = phantoms(3, *size)
    phase = torch.linspace(-2, 3, size[1]) + torch.linspace(0, 1, size[0])[:, None]
    return torch.polar(x, phase.expand(x.shape))


def measured(phantoms, size=(40, 64), acquired=None):
    """k-space, empty on the lines that were not acquired."""
    samples = to_kspace(to_kspace(complex_image(phantoms, size), PE), RO)
    if acquired is not None:
        samples[..., np.setdiff1d(np.arange(size[1]), acquired)] = 0
    return KSpace(samples, Geometry(acquired=acquired))


def left_by(name, k):
    """Whether a sample is measured beside an artifact: (B, RO, PE)."""
    if name not in ("undersampling", "partial_fourier", "gibbs"):
        return torch.ones(k.samples.shape, dtype=torch.bool)
    ones = KSpace(torch.ones_like(k.samples), k.geometry)
    return corrupted(level(name), ones).abs() > 0.5


def rows_of(samples):
    """Root mean square of each readout row: (B, RO)."""
    return to_image(to_image(samples, PE), RO).abs().square().mean(dim=2).sqrt()


def corrupted(shift, k):
    return shift.corrupt(k, sampled(shift)).samples


@pytest.mark.parametrize(("one", "other"), PAIRS, ids="-".join)
def test_the_written_order_does_not_matter(one, other, phantoms):
    x = phantoms(3, 30, 24)
    first, second = (
        Shift.chain(*(level(name) for name in pair)) for pair in ((one, other), (other, one))
    )
    assert first == second
    assert first.digest == second.digest
    y = first.apply(x, sampled(first))
    assert torch.equal(y, second.apply(x, sampled(second)))
    assert y.isfinite().all()
    assert (y >= 0).all()


@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("partner", SAME_FRAME)
def test_what_is_added_is_as_strong_beside_any_partner(added, partner, phantoms):
    """To the last line, the same noise, spike or zipper is added, wherever lines are measured."""
    if added == partner:
        return
    clean = measured(phantoms)
    alone = corrupted(level(added), clean) - clean.samples
    before = corrupted(level(partner), clean)
    beside = corrupted(Shift.chain(level(partner), level(added)), clean) - before
    kept = left_by(partner, clean)
    strength = beside.norm(dim=(1, 2)) / alone.norm(dim=(1, 2))
    if added == "rician":
        limit = 2e-6 * float(clean.samples.abs().max())
        torch.testing.assert_close(beside, alone * kept, rtol=0, atol=limit)
    elif partner == "gibbs" and added == "zipper":  # the row has its strength, beside it ripples
        row = rows_of(beside).amax(dim=1) / rows_of(alone).amax(dim=1)
        torch.testing.assert_close(row, torch.ones(3), rtol=1e-3, atol=0)
    else:
        torch.testing.assert_close(strength, torch.ones(3), rtol=1e-3, atol=0)


@pytest.mark.parametrize("partner", [name for name in NAMES if name != "contrast"])
def test_contrast_bends_the_same_curve_beside_any_partner(partner, phantoms):
    x = phantoms(3, 30, 24)
    contrast = level("contrast", 5)
    before = level(partner).apply(x, sampled(level(partner)))
    after = Shift.chain(level(partner), contrast)
    y = after.apply(x, sampled(after))
    if stages(partner)[-1] >= Stage.DISPLAY:
        return
    top = x.amax(dim=(1, 2), keepdim=True)
    params = sampled(contrast)
    sign = torch.cat([torch.tensor(d.draws["sign"]) for _, (d,) in params.groups])
    gamma = torch.exp(sign * 0.7).float()[:, None, None]
    above = before > top / 500
    expected = top * (before / top) ** gamma
    torch.testing.assert_close(y[above], expected[above], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("order", [("rician", "zipper"), ("zipper", "rician")], ids="-".join)
def test_noise_beside_a_zipper_is_the_noise_that_was_asked_for(order):
    x = torch.zeros(1, 64, 64)
    x[:, 20:44, 20:44] = 1
    chain = Shift.chain(*(Shift.of(name, knob=1 if name == "zipper" else 0.0126) for name in order))
    y = chain.apply(x, chain.sample(keys=["a"], seed=0))
    rows = torch.ones(64, dtype=torch.bool)
    rows[(y - x).abs().amax(dim=(0, 2)).argmax()] = False
    background = y[0, rows][:, :16]
    assert float(background.square().mean() / 2) ** 0.5 == pytest.approx(0.0126, rel=0.05)


def test_a_bright_spot_outside_of_the_crop_changes_no_severity():
    image = torch.zeros(1, 64, 64)
    image[:, 24:40, 24:40] = 1
    spot = image.clone()
    spot[:, 2, 2] = 50
    for name in ADDED:
        art = artifacts_sim.get(name)
        params = art.sample(level=3, grid="physical", keys=["a"], seed=0)
        added = []
        for x in (image, spot):
            k = KSpace(to_kspace(to_kspace(x + 0j, PE), RO), Geometry(crop=(32, 32)))
            added.append(art.corrupt(k, params).samples - k.samples)
        torch.testing.assert_close(added[0], added[1], rtol=0, atol=2e-4)


class TestEmptyLinesStayEmpty:
    @pytest.mark.parametrize("name", SAME_FRAME)
    def test_of_every_artifact(self, name, phantoms):
        k = measured(phantoms, acquired=LINES)
        self.check(corrupted(level(name), k), np.setdiff1d(np.arange(64), LINES))

    @pytest.mark.parametrize("pair", list(combinations(SAME_FRAME, 2)), ids="-".join)
    def test_of_every_pair(self, pair, phantoms):
        """Lines that were not acquired, and those that a partner leaves out."""
        k = measured(phantoms, acquired=LINES)
        empty = set(range(64)) - set(LINES)
        for name in pair:
            kept = left_by(name, k).any(dim=(0, 1))
            empty |= set(np.flatnonzero(~kept.numpy()).tolist())
        self.check(corrupted(Shift.chain(*map(level, pair)), k), sorted(empty))

    def check(self, samples, empty):
        assert len(empty)
        assert not samples[..., list(empty)].any()

    def test_truncated_samples_of_the_readout_too(self, phantoms):
        k = measured(phantoms)
        for name in ADDED:
            chain = Shift.chain(level("gibbs"), level(name))
            samples = corrupted(chain, k)
            kept = left_by("gibbs", k)
            assert not samples[~kept].abs().max() > 1e-5
            assert (samples[kept] != corrupted(level("gibbs"), k)[kept]).any()

    def test_an_image_of_these_lines_is_treated_alike(self, phantoms):
        k = measured(phantoms, acquired=LINES)
        image = to_image(to_image(k.samples, PE), RO)
        for name in SAME_FRAME:
            shift = Shift.chain(level(name), level("rician")) if name != "rician" else level(name)
            from_image = shift.apply(image, sampled(shift), Geometry(acquired=LINES))
            from_kspace = shift.apply(k, sampled(shift))
            torch.testing.assert_close(from_image, from_kspace, rtol=0, atol=2e-5)


class TestDataWithGaps:
    GAPS = Geometry(acquired=[*range(0, 30, 2), *range(30, 34), *range(34, 64, 2)])

    @pytest.mark.parametrize("name", NAMES)
    def test_what_acts_on_the_object_is_refused(self, name, phantoms):
        k, shift = KSpace(measured(phantoms).samples, self.GAPS), level(name)
        if stages(name)[0] >= Stage.LINES:
            assert shift.apply(k, sampled(shift)).isfinite().all()
            return
        with pytest.raises(
            ArtifactError,
            match=rf"object, which is not known .* received '{name}' on 34 lines with",
        ):
            shift.apply(k, sampled(shift))

    def test_a_truth_value_for_each_line_is_the_same_as_its_number(self, phantoms):
        mask = np.isin(np.arange(64), LINES)
        k, shift = measured(phantoms), level("rician")
        by_number, by_mask = (
            shift.apply(KSpace(k.samples, Geometry(acquired=lines)), sampled(shift))
            for lines in (LINES, mask)
        )
        assert torch.equal(by_number, by_mask)


def test_a_shift_takes_a_map_of_fat(phantoms):
    x = phantoms(3, 30, 24)
    fat = torch.rand(3, 30, 24, generator=torch.Generator().manual_seed(0))
    art = artifacts_sim.get("fat_shift")
    params = art.sample(knob=2.0, keys=KEYS, seed=4)
    alone = Shift.of("fat_shift", knob=2.0)
    y = alone.apply(x, alone.sample(keys=KEYS, seed=4), fat=fat)
    assert torch.equal(y, art.apply(x, params, fat=fat))
    assert not torch.equal(y, art.apply(x, params))
    mixed = Shift.mixture((alone, 1.0), (Shift.clean(), 1.0))
    for seed in range(3):
        y = mixed.apply(x, mixed.sample(keys=KEYS, seed=seed), fat=fat)
        same = [bool(torch.equal(a, b)) for a, b in zip(y, x, strict=True)]
        expected = alone.apply(x, alone.sample(keys=KEYS, seed=seed), fat=fat)
        moved = [i for i in range(3) if not same[i]]
        assert torch.equal(y[moved], expected[moved])


class TestWhatIsSaidOfSeveralSlices:
    FOLDED = Shift.mixture(
        (Shift.chain(Shift.of("wrap", knob=0.25), Shift.of("rician", knob=0.05)), 1.0),
        (Shift.chain(Shift.of("wrap", knob=0.25), Shift.of("blur", knob=1.0)), 1.0),
    )

    def test_every_slice_keeps_its_pixel_size_in_k_space(self):
        sizes = [(1.0 + i, 2.0) for i in range(8)]
        samples = torch.randn(8, 16, 20, dtype=torch.complex64, generator=torch.Generator())
        k, keys = KSpace(samples, Geometry(pixel_mm=sizes)), [str(i) for i in range(8)]
        params = self.FOLDED.sample(keys=keys, seed=2)
        assert len(params.groups) == 2
        corrupted = self.FOLDED.corrupt(k, params)
        assert corrupted.frame().pixel_mm.tolist() == [list(size) for size in sizes]

    def test_a_smaller_field_of_view_has_fewer_native_pixels_of_the_same_size(self):
        k = KSpace(torch.ones(1, 64, 64, dtype=torch.complex64), Geometry(native=(128, 128)))
        shift = Shift.of("wrap", knob=0.5)
        corrupted = shift.corrupt(k, shift.sample(keys=["a"], seed=0))
        assert corrupted.frame().native_px == k.frame().native_px == (0.5, 0.5)

    @pytest.mark.parametrize("count", [3, 5])
    def test_a_pixel_size_for_each(self, count, phantoms):
        params = self.FOLDED.sample(keys=list("abcd"), seed=2)
        with pytest.raises(ArtifactError, match=rf"received {count} pixel sizes for 4 slices"):
            self.FOLDED.apply(phantoms(4, 9, 9), params, Geometry(pixel_mm=[(1, 1)] * count))
        one = Geometry(pixel_mm=[(1.0, 2.0)])
        y = self.FOLDED.apply(phantoms(4, 9, 9), params, one)
        assert torch.equal(
            y, self.FOLDED.apply(phantoms(4, 9, 9), params, Geometry(pixel_mm=(1, 2)))
        )

    def test_numbers_may_be_an_array(self):
        still = artifacts_sim.get("motion", moves="between_slices")
        shift = Shift.mixture((Shift.of(still, knob=3.0), 1.0), (Shift.clean(), 1.0))
        for numbers in (np.arange(4), torch.arange(4), [0, 1, 2, 3]):
            shift.sample(keys=list("abcd"), seed=0, scans=["s"] * 4, numbers=numbers)
        for numbers in ([0, 1, 2, -1], [0.5, 1, 2, 3], [True, 1, 2, 3], "0123", 3, [None] * 4):
            with pytest.raises(ArtifactError, match="not whole numbers from 0; received"):
                shift.sample(keys=list("abcd"), seed=0, scans=["s"] * 4, numbers=numbers)

    def test_a_mask_of_numbers_is_refused(self):
        mask = (np.abs(np.arange(20) - 10) < 8).astype(np.uint8)
        with pytest.raises(ArtifactError, match=r"neither different numbers .*mask.astype\(bool\)"):
            KSpace(torch.ones(1, 4, 20, dtype=torch.complex64), Geometry(acquired=mask))

    def test_params_of_another_shift_or_of_half_a_batch_are_refused(self, phantoms):
        params = self.FOLDED.sample(keys=list("abcd"), seed=2)
        with pytest.raises(ArtifactError, match="not drawn by this shift"):
            Shift.clean().apply(phantoms(4, 9, 9), params)
        record = params.to_dict()
        for altered in (
            {**record, "groups": record["groups"][:1]},
            {**record, "groups": record["groups"] * 2},
            {**record, "batch": 5},
            {**record, "batch": None},
        ):
            with pytest.raises(ArtifactError, match="every slice of the batch once"):
                ShiftParams.from_dict(altered)

    def test_a_compiled_function_may_sample(self, phantoms):
        x, shift = phantoms(2, 12, 10), Shift.of("motion", knob=3.0)

        def damage(image):
            return shift.apply(image, shift.sample(keys=["a", "b"], seed=0))

        assert torch.equal(torch.compile(damage, backend="eager")(x), damage(x))

    def test_a_severity_of_0_is_none(self):
        assert Shift.of("rician", knob=0).is_clean
        assert Shift.of("rician", knob=0) == Shift.clean()
        assert Shift.chain(Shift.of("motion", level=0), level("bias")) == level("bias")


@pytest.mark.parametrize("name", NAMES)
def test_gradients_at_the_identity_are_finite(name, phantoms):
    art = artifacts_sim.get(name)
    if not art.smooth:
        return
    knob = torch.zeros(2, requires_grad=True)
    params = art.sample(knob=knob, keys=["a", "b"], seed=0)
    (slope,) = torch.autograd.grad(art.apply(phantoms(2, 16, 14), params).sum(), knob)
    assert slope.isfinite().all()

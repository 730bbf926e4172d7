"""Chemical shift: what moves, how far, which way, and how fat is told from water."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Params
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace
from artifacts_sim.calibration.ssim import foreground, mean_ssim
from artifacts_sim.kinds.fat_shift import fat_shift_px
from tests.support.data import BRAIN, needs

WAYS = {"down": 1.0, "up": -1.0}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
ART = artifacts_sim.get("fat_shift")


def params_of(shift_px, *ways):
    return Params("fat_shift", {}, shift_px, {"direction": np.array(ways)})


def apply(x, shift_px, way=1.0, fat=None, geometry=None):
    fat = None if fat is None else torch.as_tensor(fat)[None]
    y = ART.apply(torch.as_tensor(x)[None], params_of(shift_px, way), geometry, fat)
    return y[0].double().numpy()


def texture(size=(24, 20), seed=0):
    return np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)


def shifted(x, shift):
    """Along the rows, linearly between pixels, nothing from outside; NumPy in float64."""
    rows = np.arange(len(x))
    columns = [np.interp(rows - shift, rows, c, left=0, right=0) for c in np.float64(x).T]
    whole = np.stack(columns, axis=1)
    first, last = np.float64(x[0]), np.float64(x[-1])
    for row in rows:  # half in, half out: what np.interp leaves out at the ends
        if -1 < row - shift < 0:
            whole[row] = (row - shift + 1) * first
        if len(x) - 1 < row - shift < len(x):
            whole[row] = (len(x) - (row - shift)) * last
    return whole


class TestWhatMoves:
    @every_way
    @pytest.mark.parametrize("shift", [0.3, 1.0, 2.5, 4.75, 6.0])
    def test_fat_moves_and_water_stays(self, shift, way):
        x, fat = texture(), texture(seed=1)
        expected = (1 - fat) * x + shifted(fat * x, way * shift)
        np.testing.assert_allclose(apply(x, shift, way, fat), expected, atol=1e-6)

    @every_way
    def test_all_water_is_left_alone(self, way):
        x = texture()
        assert np.array_equal(apply(x, 2.5, way, np.zeros_like(x)), x.astype(np.float64))

    @every_way
    def test_all_fat_moves_as_a_whole(self, way):
        x = texture()
        y = apply(x, 3.0, way, np.ones_like(x))
        rows = slice(3, None) if way > 0 else slice(None, -3)
        assert np.array_equal(y[rows], np.roll(x, int(3 * way), axis=0)[rows].astype(np.float64))

    def test_a_void_on_one_side_and_an_overlap_on_the_other(self):
        x, fat = np.full((30, 5), 0.5, np.float32), np.zeros((30, 5), np.float32)
        fat[10:20] = 1
        y = apply(x, 2.0, 1.0, fat)[:, 0]
        assert (y[10:12] == 0).all()
        assert (y[20:22] == 1).all()
        assert (np.delete(y, [10, 11, 20, 21]) == 0.5).all()

    @pytest.mark.parametrize("shift", [0.4, 3.0])
    def test_signal_is_kept_within_the_field_of_view(self, shift):
        x, fat = np.pad(texture(), ((8, 8), (0, 0))), texture((40, 20), seed=1)
        y = apply(x, shift, -1.0, fat)
        assert y.sum() == pytest.approx(x.sum(dtype=np.float64), rel=1e-6)

    def test_opposite_phases_cancel_where_they_overlap(self):
        x, fat = np.ones((30, 5), np.complex64), np.zeros((30, 5), np.float32)
        x[10:20], fat[10:20] = -1, 1
        y = apply(x, 2.0, 1.0, fat)[:, 0]
        assert not y[[10, 11, 20, 21]].any()

    def test_a_vanishing_knob_changes_nothing(self):
        x = texture()
        np.testing.assert_allclose(apply(x, 1e-6, 1.0, texture(seed=1)), x, atol=2e-6)


class TestAGivenMap:
    def test_every_slice_has_its_own(self):
        """More slices than are processed at once."""
        x = torch.from_numpy(texture((5, 320, 300)))
        fat = torch.from_numpy(texture((5, 320, 300), seed=1))
        ways = np.array([1.0, -1, -1, 1, -1])
        y = ART.apply(x, params_of(1.5, *ways), fat=fat)
        for i, way in enumerate(ways):
            alone = ART.apply(x[i : i + 1], params_of(1.5, way), fat=fat[i : i + 1])
            assert torch.equal(alone[0], y[i])

    def test_it_turns_with_the_image(self):
        x, fat = texture(), texture(seed=1)
        along_h = apply(x, 1.5, 1.0, fat, Geometry(phase_axis="H"))
        assert np.array_equal(along_h, apply(x.T.copy(), 1.5, 1.0, fat.T.copy()).T)

    def test_it_is_of_what_is_shown(self):
        x, fat = texture(), texture(seed=1)
        within = apply(x, 1.5, 1.0, fat, Geometry(encoded=(40, 30)))
        around = ((8, 8), (5, 5))
        whole = apply(np.pad(x, around), 1.5, 1.0, np.pad(fat, around))
        assert np.array_equal(within, whole[8:-8, 5:-5])

    def test_k_space_takes_it_too(self):
        z = torch.polar(torch.from_numpy(texture()), torch.linspace(0, 2, 480).view(24, 20))[None]
        fat = torch.zeros(1, 24, 20)
        fat[:, 4:20, 5:15] = torch.from_numpy(texture((16, 10), seed=1))
        k = KSpace(to_kspace(to_kspace(z, PE), RO), Geometry(crop=(16, 10)))
        params = params_of(1.5, -1.0)
        from_image = ART.apply(z, params, fat=fat)[:, 4:20, 5:15]
        from_kspace = ART.apply(k, params, fat=fat[:, 4:20, 5:15])
        torch.testing.assert_close(from_kspace, from_image, rtol=0, atol=1e-5)

    def test_knob_0_is_the_identity(self):
        x = texture()
        assert np.array_equal(apply(x, 0.0, 1.0, texture(seed=1)), x.astype(np.float64))

    @pytest.mark.parametrize(
        ("fat", "message"),
        [
            (np.zeros((1, 4, 4), np.float32), r"shown, \(1, 4, 4\); received ndarray"),
            (torch.zeros(4, 4), r"received \(torch.float32, \(4, 4\)\); convert it"),
            (torch.zeros(1, 4, 5), r"received \(torch.float32, \(1, 4, 5\)\)"),
            (torch.zeros(1, 4, 4, dtype=torch.int64), r"received \(torch.int64, \(1, 4, 4\)\)"),
            (torch.full((1, 4, 4), 1.5), r"fractions from 0 to 1; received 1.5 to 1.5; divide"),
            (torch.full((1, 4, 4), -0.1), r"received -0.1 to -0.1"),
            (torch.full((1, 4, 4), torch.nan), r"received nan to nan"),
        ],
        ids=["ndarray", "rank", "shape", "dtype", "above", "below", "nan"],
    )
    def test_bad_maps_are_refused(self, fat, message):
        with pytest.raises(ArtifactError, match=message):
            ART.apply(torch.ones(1, 4, 4), params_of(1.0, 1.0), fat=fat)


class TestTheGuess:
    @pytest.mark.parametrize("unit", [1.0, 1e-6, 4096.0])
    def test_it_is_a_ramp_from_half_to_four_fifths_of_the_bright(self, unit):
        """Of rows of every brightness, what is left in its place is water."""
        brightness = np.linspace(0, 1, 21, dtype=np.float32)
        x = np.zeros((21 * 12, 30), np.float32)
        x[::12] = brightness[:, None]
        x[:, 20:] = 1  # a third of the image, so the 99th percentile is 1
        y = apply(x * np.float32(unit), 6.0)[::12, 0] / unit
        fraction = np.clip((brightness - 0.5) / 0.3, 0, 1)
        np.testing.assert_allclose(y, (1 - fraction) * brightness, atol=2e-6)

    def test_one_hot_pixel_in_thousands_does_not_decide(self):
        x = texture((64, 64)) * np.float32(0.1) + np.float32(0.9)
        hot = x.copy()
        hot[30, 30] = 100
        y = apply(hot, 2.0)
        far = np.ones_like(x, bool)
        far[25:36, 30] = False
        np.testing.assert_allclose(y[far], apply(x, 2.0)[far], atol=1e-6)

    def test_it_sees_the_coils_together(self):
        z = torch.from_numpy(texture((2, 24, 20)))
        coils = torch.stack([z, 1 - z], dim=1).to(torch.complex64)
        k = KSpace(to_kspace(to_kspace(coils, PE), RO))
        params = params_of(2.0, 1.0, -1.0)
        combined = coils.abs().square().sum(dim=1).sqrt()
        bright = torch.stack([a.flatten().sort().values[-5] for a in combined])[:, None, None]
        fat = ((combined / bright - 0.5) / 0.3).clamp(0, 1)
        torch.testing.assert_close(
            ART.apply(k, params), ART.apply(k, params, fat=fat), rtol=0, atol=1e-5
        )


class TestPhysics:
    @pytest.mark.parametrize(
        ("field_t", "bandwidth", "pixels"),
        [(1.5, 220, 1.016), (3.0, 447.06, 1.0), (3.0, 130, 3.439)],
    )
    def test_the_shift_follows_field_and_bandwidth(self, field_t, bandwidth, pixels):
        shift = fat_shift_px(field_t=field_t, bandwidth_hz_per_px=bandwidth)
        assert shift == pytest.approx(pixels, rel=1e-3)

    @pytest.mark.parametrize(("field_t", "bandwidth"), [(0, 200), (3, 0), (-1, 200), (3, np.nan)])
    def test_impossible_scanners_are_refused(self, field_t, bandwidth):
        with pytest.raises(ArtifactError, match=r"above 0; received"):
            fat_shift_px(field_t=field_t, bandwidth_hz_per_px=bandwidth)

    def test_both_directions_are_drawn(self):
        ways = ART.sample(knob=1, keys=[str(i) for i in range(200)], seed=0).draws["direction"]
        assert set(ways.tolist()) == {-1, 1}
        assert ways.mean() == pytest.approx(0, abs=0.3)


@needs(BRAIN)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["fat_shift", "anisotropy"])
def test_similarity_falls_with_every_quarter_of_a_pixel(name):
    """Interpolation between pixels, which blurs at half of one, must not make up for the shift."""
    files = sorted((BRAIN / "images").rglob("*.*"))[::80]
    pictures = [Image.open(file).convert("L").resize((96, 96)) for file in files]
    x = torch.from_numpy(np.stack(pictures).astype(np.float32))
    art, keys = artifacts_sim.get(name), [str(i) for i in range(len(x))]
    inside, similarity = foreground(x), [1.0]
    for knob in np.arange(0.25, art.knob.limit + 0.01, 0.25):
        params = art.sample(knob=knob, keys=keys, seed=0)
        similarity.append(float(mean_ssim(x, art.apply(x, params), inside).mean()))
    assert all(less <= more for more, less in pairwise(similarity))

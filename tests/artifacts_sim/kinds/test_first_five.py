"""Each artifact against its law, its limits and a plain NumPy reference in float64."""

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from scipy import stats

import artifacts_sim
from artifacts_sim import ArtifactError, Params
from artifacts_sim.acquisition.geometry import FIELD_OF_VIEW_MM
from artifacts_sim.kinds.motion import rigid

SIZES = [(24, 32), (25, 31)]  # even and odd
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
Z_LIMIT = 4.5
MM_PER_DEGREE = artifacts_sim.get("motion").mm_per_degree


def apply(art, x, knob, **draws):
    """Apply an artifact to one slice, float64 in and out, with these draws for it."""
    art = artifacts_sim.get(art) if isinstance(art, str) else art
    columns = {key: np.asarray([value]) for key, value in draws.items()}
    batch = torch.from_numpy(np.asarray(x, dtype=np.float32))[None]
    params = Params(art.name, asdict(art), knob, columns)
    return art.apply(batch, params)[0].double().numpy()


def sampled(art, x, knob, key="slice", seed=0):
    """Apply an artifact to one slice as it is drawn; also return its draws."""
    art = artifacts_sim.get(art) if isinstance(art, str) else art
    params = art.sample(knob=knob, keys=[key], seed=seed)
    y = art.apply(torch.from_numpy(np.asarray(x, dtype=np.float32))[None], params)
    return y[0].double().numpy(), {name: array[0] for name, array in params.draws.items()}


def spectrum(x, axes=(0, 1)):
    """The centred spectrum of an image that is centred, too."""
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(x, axes), axes=axes), axes)


def image(F, axes=(0, 1)):
    """Undo `spectrum`."""
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(F, axes), axes=axes), axes)


def object_in(size, seed=0):
    """A textured block with a margin of a third: (H, W) float64."""
    x = np.zeros(size)
    H, W = size
    inside = x[H // 3 : -(H // 3), W // 3 : -(W // 3)]
    inside[...] = np.random.default_rng(seed).uniform(0.2, 1, inside.shape)
    return x.astype(np.float32).astype(np.float64)


class TestRician:
    S = 0.05  # of a maximum of 1

    def noisy(self, signal):
        """200 x 200 noisy pixels of one signal, beside one pixel that sets the maximum to 1."""
        x = np.full((200, 201), signal)
        x[0, 0] = 1
        return sampled("rician", x, self.S)[0][:, 1:]

    @pytest.mark.parametrize("snr", [0, 0.5, 1, 3, 10])
    def test_mean_and_second_moment(self, snr):
        y = self.noisy(snr * self.S)
        law = stats.rice(snr, scale=self.S)
        z_mean = (y.mean() - law.mean()) / (law.std() / math.sqrt(y.size))
        second, spread = snr**2 + 2, math.sqrt(law.moment(4) / self.S**4 - (snr**2 + 2) ** 2)
        z_second = ((y / self.S) ** 2 - second).mean() / (spread / math.sqrt(y.size))
        assert abs(z_mean) < Z_LIMIT
        assert abs(z_second) < Z_LIMIT

    @pytest.mark.parametrize("snr", [0, 1, 5])
    def test_distribution(self, snr):
        y = self.noisy(snr * self.S).ravel()
        assert stats.kstest(y, stats.rice(snr, scale=self.S).cdf).pvalue > 1e-3

    def test_without_signal_it_is_rayleigh(self):
        y = self.noisy(0.0)
        assert y.mean() == pytest.approx(1.2533 * self.S, rel=0.02)
        assert y.std() == pytest.approx(0.655 * self.S, rel=0.02)

    def test_noise_is_white(self):
        y = self.noisy(0.5) - 0.5
        standard = (y - y.mean()) / y.std()
        for along in ((standard[1:], standard[:-1]), (standard[:, 1:], standard[:, :-1])):
            correlation = (along[0] * along[1]).mean()
            assert abs(correlation) * math.sqrt(along[0].size) < Z_LIMIT

    def test_slices_are_independent(self):
        x = np.full((100, 100), 0.5)
        fields = [sampled("rician", x, self.S, key=key)[0].ravel() for key in ("a", "b")]
        assert abs(np.corrcoef(*fields)[0, 1]) * 100 < Z_LIMIT

    def test_every_bit_of_the_seed_counts(self):
        x = object_in((16, 16))
        fields = [apply("rician", x, 0.1, field_seed=seed) for seed in (5, 5 + 2**32, 5 - 2**63)]
        assert not np.array_equal(fields[0], fields[1])
        assert not np.array_equal(fields[0], fields[2])

    def test_sigma_is_relative_to_the_slice_maximum(self):
        x = np.zeros((64, 64))
        x[0, 0] = 40
        y = sampled("rician", x, self.S)[0][1:]
        assert (y**2).mean() == pytest.approx(2 * (40 * self.S) ** 2, rel=0.08)


def spliced(x, event_offset, poses):
    """Line by line, k-space of the moving object: the DC segment sees x, the others a pose."""
    n_lines = x.shape[1]
    segment_of = [
        sum(event <= k / n_lines for event in event_offset)
        for k in range(-(n_lines // 2), n_lines - n_lines // 2)
    ]
    at_dc = segment_of[n_lines // 2]
    moved = [segment for segment in range(3) if segment != at_dc]
    spectra = {at_dc: spectrum(x)} | {s: spectrum(p) for s, p in zip(moved, poses, strict=True)}
    return np.stack([spectra[s][:, line] for line, s in enumerate(segment_of)], axis=1)


def posed(x, degrees, shift_mm, pixel_mm=(1.0, 1.0)):
    planes = torch.from_numpy(x.astype(np.float32))[None, None]
    moved = rigid(planes, np.deg2rad([degrees]), np.array([shift_mm]), pixel_mm)
    return moved[0, 0].double().numpy()


def default_pixel(size):
    """Of an image that comes without a geometry."""
    return (FIELD_OF_VIEW_MM / max(size),) * 2


class TestMotion:
    @every_size
    @pytest.mark.parametrize(
        "event_offset",
        [(-0.2, 0.1), (0.05, 0.3), (-0.3, -0.1), (-0.125, 0.25)],
        ids=["around DC", "after", "before", "on lines"],
    )
    def test_lines_are_spliced_from_the_poses(self, size, event_offset):
        x, knob = object_in(size), 10.0
        rotation, shift = np.array([0.7, -0.9]), np.array([[0.5, -1], [-0.6, 0.8]])
        y = apply(
            "motion", x, knob, event_offset=event_offset, unit_rotation=rotation, unit_shift=shift
        )
        poses = [
            posed(x, knob * r, MM_PER_DEGREE * knob * s, default_pixel(size))
            for r, s in zip(rotation, shift, strict=True)
        ]
        F = spliced(x, event_offset, poses)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=3e-6)
        parseval = (np.abs(F) ** 2).sum() / F.size
        assert (y**2).sum() == pytest.approx(parseval, rel=1e-5)

    @every_size
    def test_a_translation_is_a_phase_ramp(self, size):
        """Whole pixels along both axes, so that bilinear interpolation is exact."""
        x, (H, W), event_offset = object_in(size), size, (-0.1, 0.2)
        rows, columns = np.array([2, -3]), np.array([-1, 4])
        pixels = np.stack([rows, columns], axis=1)
        unit_shift = pixels * default_pixel(size) / (MM_PER_DEGREE * 40)
        y = apply(
            "motion",
            x,
            40.0,
            event_offset=event_offset,
            unit_rotation=np.zeros(2),
            unit_shift=unit_shift,
        )
        F = spectrum(x)
        k_h, k_w = np.arange(H)[:, None] - H // 2, np.arange(W) - W // 2
        for moved, a, b in zip((k_w / W < -0.1, k_w / W >= 0.2), rows, columns, strict=True):
            ramp = np.exp(-2j * np.pi * (k_h * a / H + k_w * b / W))
            F[:, moved] *= ramp[:, moved]
        np.testing.assert_allclose(y, np.abs(image(F)), atol=2e-5)

    @every_size
    def test_one_segment_is_no_motion(self, size):
        """Where one pose holds for all lines, it is the reference, and the object stays put."""
        x = object_in(size)
        y = apply(
            "motion",
            x,
            40.0,
            event_offset=(-0.6, 0.6),
            unit_rotation=np.ones(2),
            unit_shift=np.ones((2, 2)),
        )
        np.testing.assert_allclose(y, x, atol=1e-6)

    def test_equal_poses_are_no_motion(self):
        x = object_in((30, 34))
        y = apply(
            "motion",
            x,
            40.0,
            event_offset=(-0.1, 0.1),
            unit_rotation=np.zeros(2),
            unit_shift=np.zeros((2, 2)),
        )
        np.testing.assert_allclose(y, x, atol=2e-5)

    @pytest.mark.parametrize("size", [16, 17])
    def test_a_quarter_turn_is_exact(self, size):
        x = np.random.default_rng(0).uniform(size=(size, size))
        turned = posed(x, 90.0, (0.0, 0.0))
        np.testing.assert_allclose(turned, np.rot90(x), atol=1e-5)

    def test_the_centre_is_fixed_and_shifts_are_in_mm(self):
        x = np.zeros((41, 41))
        x[19:22, 19:22] = 1
        np.testing.assert_allclose(posed(x, 30.0, (0, 0))[20, 20], 1, atol=1e-6)
        moved = posed(x, 0.0, (1.0, -5.0), pixel_mm=(0.5, 1.0))
        np.testing.assert_allclose(moved, np.roll(x, (2, -5), axis=(0, 1)), atol=1e-4)

    def test_a_quarter_turn_of_oblong_pixels_keeps_the_object_in_mm(self):
        """A bar of 20 x 4 mm is one of 4 x 20 mm afterwards, whatever the pixels."""
        x = np.zeros((60, 120))  # 1 x 0.5 mm
        x[20:40, 56:64] = 1
        turned = posed(x, 90.0, (0, 0), pixel_mm=(1.0, 0.5))
        expected = np.zeros((60, 120))
        expected[28:32, 40:80] = 1
        assert np.abs(turned - expected).mean() < 0.005

    @pytest.mark.parametrize("movements", [1, 2, 5])
    def test_every_segment_has_a_pose_of_its_own(self, movements):
        """Only the segment that holds DC rests: the energy of the errors is in the others."""
        x = object_in((32, 64))
        art = artifacts_sim.get("motion", movements=movements, mm_per_degree=0.0)
        events = np.linspace(-0.3, 0.4, movements)
        turns = np.ones(movements)
        still = np.zeros((movements, 2))
        y = apply(art, x, 9.0, event_offset=events, unit_rotation=turns, unit_shift=still)
        k = (np.arange(64) - 32) / 64
        segment = (events[:, None] <= k).sum(axis=0)
        turned = spectrum(posed(x, 9.0, (0, 0)))
        F = np.where(segment == segment[32], spectrum(x), turned)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=3e-6)

    def test_a_movement_needs_to_happen(self):
        with pytest.raises(ArtifactError, match="movements is a whole number from 1: received 0"):
            artifacts_sim.get("motion", movements=0)

    @pytest.mark.parametrize(
        ("name", "option"),
        [
            ("motion", "movements"),
            ("spike", "spikes"),
            ("zipper", "zippers"),
            ("zipper", "width_px"),
            ("elastic", "control_points"),
        ],
    )
    def test_counts_are_whole(self, name, option):
        for value in (7.5, "7", None):
            with pytest.raises(ArtifactError, match=rf"{option} is a whole number from \d: rec"):
                artifacts_sim.get(name, **{option: value})


class TestGhosting:
    @every_size
    @pytest.mark.parametrize("period", [2.0, 3.7, 6.25])
    def test_lines_are_modulated(self, size, period):
        x, s, psi, phi = object_in(size), 0.8, 0.9, 2.1
        y = apply(
            "ghosting",
            x,
            s,
            period_lines=period,
            cycle_phase_rad=psi,
            modulation_phase_rad=phi,
        )
        k = np.arange(size[1]) - size[1] // 2
        modulation = 1 + s * np.exp(1j * phi) * np.cos(2 * np.pi * k / period + psi)
        F = spectrum(x) * modulation
        np.testing.assert_allclose(y, np.abs(image(F)), atol=2e-6)
        assert (y**2).sum() == pytest.approx((np.abs(F) ** 2).sum() / F.size, rel=1e-5)

    @pytest.mark.parametrize("n", [4, 3.2])
    def test_a_point_has_two_replicas(self, n):
        """At +-N / n, of amplitude s / 2; n = 3.2 does divide into 64, without being whole."""
        N, place, s = 64, 10, 0.6
        x = np.zeros((5, N))
        x[2, place] = 1
        y = apply("ghosting", x, s, period_lines=n, cycle_phase_rad=0.4, modulation_phase_rad=1.0)
        expected = x.copy()
        for side in (-1, 1):
            expected[2, (place + side * round(N / n)) % N] = s / 2
        np.testing.assert_allclose(y, expected, atol=1e-6)


class TestSpike:
    @every_size
    @pytest.mark.parametrize("ratio", [0.3, 2.0])
    def test_one_sample_of_k_space_is_added(self, size, ratio):
        x, alpha, (H, W) = object_in(size), 0.7, size
        k1, k2 = 5, -3
        place = (2 * k1 / H, 2 * k2 / W)
        y = apply("spike", x, ratio, frequency_of_nyquist=[place], phase_rad=[alpha])
        F = spectrum(x)
        F[H // 2 + k1, W // 2 + k2] += ratio * np.abs(F).max() * np.exp(1j * alpha)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=2e-6 * max(1, ratio))

    @every_size
    def test_a_small_spike_is_a_cosine_on_the_object(self, size):
        """The two-sided law y - x = r mean(x) cos(...), to first order in r."""
        H, W = size
        x = np.random.default_rng(1).uniform(0.8, 1, size)
        ratio, k1, k2 = 1e-2, -4, 7
        place = (2 * k1 / H, 2 * k2 / W)
        y = apply("spike", x, ratio, frequency_of_nyquist=[place], phase_rad=[0.0])
        i, j = np.arange(H)[:, None] - H // 2, np.arange(W) - W // 2
        wave = np.cos(2 * np.pi * (k1 * i / H + k2 * j / W))
        np.testing.assert_allclose((y - x) / (ratio * x.mean()), wave, atol=0.01)

    @every_size
    @pytest.mark.parametrize("ratio", [0.3, 2.0])
    def test_a_two_sided_spike_is_a_cosine(self, size, ratio):
        """The law y - x = r mean(x) cos(...), whatever r; then the magnitude."""
        x, (H, W), k1, k2 = object_in(size), size, 3, 6
        art = artifacts_sim.get("spike", two_sided=True)
        place = (2 * k1 / H, 2 * k2 / W)
        y = apply(art, x, ratio, frequency_of_nyquist=[place], phase_rad=[0.4])
        i, j = np.arange(H)[:, None] - H // 2, np.arange(W) - W // 2
        wave = np.cos(2 * np.pi * (k1 * i / H + k2 * j / W) + 0.4)
        np.testing.assert_allclose(
            y, np.abs(x + ratio * x.mean() * wave), atol=2e-6 * max(1, ratio)
        )

    @every_size
    @pytest.mark.parametrize("two_sided", [False, True])
    def test_the_maximum_is_taken_once_for_all_spikes(self, size, two_sided):
        x, ratio, (H, W) = object_in(size), 3.0, size
        art = artifacts_sim.get("spike", spikes=3, two_sided=two_sided)
        y, draws = sampled(art, x, ratio)
        F = spectrum(x)
        height = ratio * np.abs(F).max() / (2 if two_sided else 1)
        for (f1, f2), alpha in zip(draws["frequency_of_nyquist"], draws["phase_rad"], strict=True):
            k1, k2 = round(f1 * H / 2), round(f2 * W / 2)
            F[H // 2 + k1, W // 2 + k2] += height * np.exp(1j * alpha)
            if two_sided:
                F[H // 2 - k1, W // 2 - k2] += height * np.exp(-1j * alpha)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=1e-5)

    def test_the_background_is_lifted_by_the_amplitude(self):
        x = object_in((30, 30))
        y, _ = sampled("spike", x, 0.5)
        np.testing.assert_allclose(y[x == 0], 0.5 * x.mean(), rtol=1e-5)

    @pytest.mark.parametrize("size", [8, 9, 96])
    def test_the_spike_is_never_on_an_axis(self, size):
        x = np.ones((size, size))
        for seed in range(20):
            y, _ = sampled("spike", x, 0.1, seed=seed)
            assert min(np.ptp(y, axis=0).min(), np.ptp(y, axis=1).min()) > 0.1


def log_gain(x, knob, **kwargs):
    y, _ = sampled("bias", x, knob, **kwargs)
    return np.log(y / x)


class TestBias:
    @pytest.mark.parametrize("seed", range(3))
    def test_the_log_gain_is_a_cubic(self, seed):
        gain = log_gain(np.ones((40, 45)), 1.0, seed=seed)
        for axis in (0, 1):
            assert np.abs(np.diff(gain, n=4, axis=axis)).max() < 1e-5
        mixed = np.diff(np.diff(gain, n=2, axis=0), n=2, axis=1)
        assert np.abs(mixed).max() < 1e-5

    @pytest.mark.parametrize("seed", range(3))
    def test_the_gain_at_the_centre_is_one(self, seed):
        assert log_gain(np.ones((41, 33)), 2.0, seed=seed)[20, 16] == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize(("size", "tolerance"), [((96, 90), 1e-5), ((320, 320), 0.02)])
    @pytest.mark.parametrize("knob", [0.5, 3.0])
    def test_peak_to_peak_over_the_foreground_is_the_knob(self, size, tolerance, knob):
        u, v = (np.linspace(-1, 1, n) for n in size)
        foreground = u[:, None] ** 2 + v**2 < 0.5
        x = np.where(foreground, 0.7, 1e-3)
        for seed in range(4):
            gain = log_gain(x, knob, seed=seed)
            assert np.ptp(gain[foreground]) == pytest.approx(knob, rel=tolerance)
            assert np.abs(gain).max() <= knob * (1 + 1e-5)

    def test_the_field_scales_with_the_knob(self):
        x = np.ones((30, 30))
        np.testing.assert_allclose(log_gain(x, 3.0), 6 * log_gain(x, 0.5), atol=1e-5)

    def test_a_foreground_off_the_centre_keeps_a_bounded_gain(self):
        x = np.full((50, 50), 1e-3)
        x[2:5, 3:6] = 1
        for seed in range(10):
            assert np.abs(log_gain(x, 2.0, seed=seed)).max() <= 2 * (1 + 1e-5)

    def test_the_background_level_is_irrelevant(self):
        """Empty or faint, it is not foreground, so the field on the object is the same."""
        x = object_in((60, 60))
        faint = np.where(x == 0, 0.01, x)
        plain, lifted = sampled("bias", x, 1.0)[0], sampled("bias", faint, 1.0)[0]
        np.testing.assert_allclose(plain[x > 0], lifted[x > 0], rtol=1e-5)

"""Rigid motion against the law, its limits and a plain NumPy reference in float64."""

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError
from artifacts_sim.acquisition.geometry import FIELD_OF_VIEW_MM
from artifacts_sim.kinds.motion import rigid
from artifacts_sim.kinds.timing import ORDERS, acquisition_times
from tests.support.artifacts import apply, every_size, image, object_in, spectrum

SEQUENTIAL = artifacts_sim.get("motion", movements=2, order="sequential")
MM_PER_DEGREE = SEQUENTIAL.mm_per_degree


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
    turn, shift = torch.deg2rad(torch.tensor([degrees], dtype=torch.float64)), np.array([shift_mm])
    moved = rigid(planes, turn, torch.from_numpy(shift).double(), np.array([pixel_mm]))
    return moved[0, 0].double().numpy()


def at(event_offset, n_lines):
    """Times of movements, in fractions of a sequential scan, from their distance to DC's."""
    return np.array(event_offset) + (n_lines // 2) / n_lines


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
            SEQUENTIAL,
            x,
            knob,
            event_time=at(event_offset, size[1]),
            unit_rotation=rotation,
            unit_shift=shift,
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
        unit_shift = pixels * default_pixel(size) / (MM_PER_DEGREE * 20)
        y = apply(
            SEQUENTIAL,
            x,
            20.0,
            event_time=at(event_offset, W),
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
            SEQUENTIAL,
            x,
            20.0,
            event_time=(-0.1, 1.1),
            unit_rotation=np.ones(2),
            unit_shift=np.ones((2, 2)),
        )
        np.testing.assert_allclose(y, x, atol=1e-6)

    def test_equal_poses_are_no_motion(self):
        x = object_in((30, 34))
        y = apply(
            SEQUENTIAL,
            x,
            20.0,
            event_time=(0.4, 0.6),
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
        art = artifacts_sim.get(
            "motion", movements=movements, mm_per_degree=0.0, order="sequential"
        )
        events = np.linspace(-0.3, 0.4, movements)
        turns = np.ones(movements)
        still = np.zeros((movements, 2))
        y = apply(art, x, 9.0, event_time=at(events, 64), unit_rotation=turns, unit_shift=still)
        k = (np.arange(64) - 32) / 64
        segment = (events[:, None] <= k).sum(axis=0)
        turned = spectrum(posed(x, 9.0, (0, 0)))
        F = np.where(segment == segment[32], spectrum(x), turned)
        np.testing.assert_allclose(y, np.abs(image(F)), atol=3e-6)

    def test_a_movement_needs_to_happen(self):
        with pytest.raises(
            ArtifactError, match="movements is not a whole number from 1 to 1000; received 0"
        ):
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
            with pytest.raises(
                ArtifactError, match=rf"{option} is not a whole number from \d to \d+; rec"
            ):
                artifacts_sim.get(name, **{option: value})


class TestWhenLinesAreRead:
    def times(self, order, n=16, acquired=None, **options):
        lines = np.isin(np.arange(n), range(n) if acquired is None else acquired)
        return acquisition_times(
            lines, order, **{"interleaves": 2, "echo_train": 4, **options}
        ), lines

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("n", [1, 2, 7, 16, 93])
    def test_every_line_is_read_once_within_the_scan(self, order, n):
        times, _ = self.times(order, n)
        np.testing.assert_allclose(np.sort(times), np.arange(n) / n)

    def test_sequential(self):
        assert np.argsort(self.times("sequential")[0]).tolist() == list(range(16))

    def test_interleaved(self):
        order = np.argsort(self.times("interleaved", interleaves=3)[0])
        assert order.tolist() == [*range(0, 16, 3), *range(1, 16, 3), *range(2, 16, 3)]

    def test_centre_out(self):
        order = np.argsort(self.times("centre_out")[0])
        assert order[:5].tolist() == [8, 7, 9, 6, 10]
        assert order[-1] == 0  # of an even number, the line without a partner

    def test_echo_trains(self):
        """16 lines in trains of 4 echoes: each train reads one line of each quarter."""
        order = np.argsort(self.times("echo_trains")[0])
        assert order.reshape(4, 4).tolist() == [[s, s + 4, s + 8, s + 12] for s in range(4)]

    @pytest.mark.parametrize("order", ORDERS)
    def test_lines_that_are_not_acquired_take_no_time(self, order):
        times, lines = self.times(order, n=20, acquired=range(2, 18))
        np.testing.assert_allclose(times[lines], self.times(order, n=16)[0])

    @pytest.mark.parametrize("order", ORDERS)
    def test_lines_read_after_a_movement_see_it_and_dc_does_not(self, order):
        x, art = object_in((20, 32)), artifacts_sim.get("motion", order=order, movements=1)
        times = acquisition_times(np.ones(32, dtype=bool), order, 2, art.echo_train)
        for event in (0.2, 0.45, 0.8):
            moved = (times >= event) != (times[16] >= event)
            y = apply(
                art, x, 8.0, event_time=[event], unit_rotation=[1.0], unit_shift=np.zeros((1, 2))
            )
            F = np.where(
                moved, spectrum(posed(x, 8.0, (0, 0), default_pixel((20, 32)))), spectrum(x)
            )
            np.testing.assert_allclose(y, np.abs(image(F)), atol=3e-6)

    def test_movements_fall_into_the_window(self):
        art = artifacts_sim.get("motion", window=(0.25, 0.5))
        times = art.sample(knob=1, keys=[str(i) for i in range(500)], seed=0).draws["event_time"]
        assert 0.25 <= times.min() < 0.26
        assert 0.49 < times.max() < 0.5
        assert (np.diff(times, axis=1) > 0).all()


class TestBetweenSlices:
    ART = artifacts_sim.get("motion", moves="between_slices")

    def sample(self, numbers, scan="one", knob=6.0, **options):
        art = artifacts_sim.get("motion", moves="between_slices", **options)
        keys = [f"{scan}/{number}" for number in numbers]
        return art, art.sample(
            knob=knob, keys=keys, scans=[scan] * len(keys), numbers=numbers, seed=0
        )

    def test_slices_of_a_pass_share_a_pose_and_the_first_rests(self):
        """As a reformatted plane of an interleaved scan shows it: every other row is displaced."""
        x = torch.from_numpy(np.stack([object_in((24, 24))] * 6)).float()
        art, params = self.sample([0, 1, 2, 3, 4, 5])
        y = art.apply(x, params)
        torch.testing.assert_close(y[::2], x[::2], rtol=0, atol=1e-6)
        assert (y[1] - x[1]).abs().max() > 0.1
        assert torch.equal(y[1], y[3])
        assert torch.equal(y[1], y[5])

    def test_a_slice_is_moved_as_a_whole(self):
        x = object_in((24, 24))
        art, params = self.sample([1])
        drawn = {name: array[0] for name, array in params.draws.items()}
        degrees, shift = 6.0 * drawn["unit_rotation"][0], 6.0 * 0.4 * drawn["unit_shift"][0]
        y = art.apply(torch.from_numpy(x).float()[None], params)[0]
        expected = posed(x, degrees, shift, default_pixel((24, 24)))
        np.testing.assert_allclose(y, expected, atol=3e-6)

    def test_as_many_passes_as_asked(self):
        _, params = self.sample(list(range(9)), interleaves=3)
        turns = params.draws["unit_rotation"][:, 0]
        assert (turns[::3] == 0).all()
        assert len(np.unique(turns)) == 3
        assert np.array_equal(turns[:3], turns[3:6])

    def test_places_in_the_scan_are_needed(self):
        with pytest.raises(ArtifactError, match=r"place of a slice .* received numbers=None; pass"):
            self.ART.sample(knob=1.0, keys=["a"], seed=0)

"""SENSE against dense least squares, Pruessmann's g-factor and the places where aliases lie."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Shift
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace
from artifacts_sim.acquisition.geometry import frame_of_image
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.acquisition.scene import Scene
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.kinds import coils
from artifacts_sim.kinds.sense import acceleration, comb_of
from tests.support.artifacts import Z_LIMIT, image, spectrum

ACCELERATIONS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0)
EXACT = {"maps": "exact", "tikhonov": 0.0, "noise_of_max": 0.0}


def skipped(r):
    return 1 - 1 / r


def sense(**options):
    return artifacts_sim.get("sense", **options)


def drawn(art, r, keys=("a",), **names):
    return art.sample(knob=skipped(r), keys=list(keys), seed=0, **names)


def ring(params, size, count=8):
    """The simulated coils of one slice, (C, RO, PE)."""
    frame = frame_of_image(Geometry(), size, 1)
    turn = params.draws["turn_rad"][:1]
    maps = coils.sensitivities(turn, coils.FULL_TURN, count, frame, frame)[0]
    return maps / np.sqrt((np.abs(maps) ** 2).sum(axis=0))


def offsets(r):
    """L, and the residues of the comb's lines."""
    return (int(r), [0]) if r == int(r) else (int(2 * r), [0, int(r)])


def comb(n_lines, r):
    period, residues = offsets(r)
    return np.isin((np.arange(n_lines) - n_lines // 2) % period, residues)


def fourier(n):
    """The centred orthonormal transform, (k, pixel)."""
    place = np.arange(n) - n // 2
    return np.exp(-2j * np.pi * np.outer(place, place) / n) / np.sqrt(n)


def least_squares(lines, maps, kept, tikhonov):
    """The image of lines (C, RO, PE) of maps like them by the whole encoding matrix, row by row."""
    count, rows, n = lines.shape
    r = n / kept.sum()
    transform = fourier(n)[kept]
    x = np.empty((rows, n), complex)
    for row in range(rows):
        encoding = np.concatenate([transform * maps[c, row] for c in range(count)])
        given = np.concatenate([lines[c, row, kept] for c in range(count)])
        whole = np.concatenate([encoding * r**0.5, tikhonov**0.5 * np.eye(n)])
        x[row] = np.linalg.lstsq(whole, np.append(given * r**0.5, np.zeros(n)), rcond=None)[0]
    return x


def textured(size, seed=0, phase=True):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 1, size)
    return x * np.exp(2j * rng.uniform(0, 1, size)) if phase else x


def as_batch(x):
    complex_ = np.iscomplexobj(x)
    return torch.from_numpy(np.asarray(x, np.complex64 if complex_ else np.float32))[None]


def ellipses(size):
    """Smooth-edged ellipses with a dark background: (RO, PE)."""
    u, v = ((np.arange(n) + 0.5) * 2 / n - 1 for n in size)
    x = np.zeros(size)
    for (at, to), (tall, wide), value in (
        ((0, 0), (0.8, 0.66), 0.6),
        ((-0.3, 0.2), (0.2, 0.15), 0.4),
        ((0.3, -0.2), (0.25, 0.3), -0.3),
    ):
        radius = np.sqrt(((u[:, None] - at) / tall) ** 2 + ((v - to) / wide) ** 2)
        x += value / (1 + np.exp((radius - 1) * 40 * min(tall, wide)))
    return np.clip(x, 0, None)


class TestAgainstDenseLeastSquares:
    @pytest.mark.parametrize("tikhonov", [0.0, 1e-3, 0.1])
    @pytest.mark.parametrize(
        ("size", "r"),
        [((12, 12), 1.5), ((12, 12), 2.0), ((12, 12), 3.0), ((9, 15), 2.5), ((12, 12), 4.0)],
        ids=str,
    )
    def test_of_lines_that_no_image_explains(self, size, r, tikhonov):
        """The least squares solution, not only that of data that fit."""
        art = sense(coils=4, maps="exact", tikhonov=tikhonov, noise_of_max=0.0)
        params = drawn(art, r)
        rng = np.random.default_rng(3)
        lines = rng.normal(size=(4, *size)) + 1j * rng.normal(size=(4, *size))
        frame = frame_of_image(Geometry(), size, 1)
        signal = Signal(
            torch.from_numpy(lines)[None].to(torch.complex64),
            frame,
            Scene(lambda: torch.ones(1, 1, *size)),
            pe_in_kspace=True,
        )
        operators = art.operators(params.draws, params.knobs, frame, frame)
        found = operators[Stage.RECONSTRUCTION].act(signal).image()[0, 0].numpy()
        expected = least_squares(lines, ring(params, size, 4), comb(size[1], r), tikhonov)
        np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())

    @pytest.mark.parametrize("r", [2.0, 3.0, 4.0])
    def test_from_the_image_to_the_magnitude(self, r):
        art = sense(coils=4, maps="exact", tikhonov=0.01, noise_of_max=0.0)
        params, x = drawn(art, r), textured((12, 12))
        maps = ring(params, (12, 12), 4)
        lines = spectrum(x * maps, axes=(2,)) / 12**0.5
        expected = np.abs(least_squares(lines, maps, comb(12, r), 0.01))
        found = art.apply(as_batch(x), params)[0].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)

    @pytest.mark.parametrize(("size", "r"), [((20, 48), 4.0), ((20, 45), 2.5)], ids=str)
    def test_with_maps_of_the_central_lines(self, size, r):
        """The estimate, its mask and the term that it weights, written out in NumPy."""
        t, count = 1e-3, 12
        art = sense(calibration_lines=count, tikhonov=t, noise_of_max=0.0)
        params, x = drawn(art, r), ellipses(size)
        lines = spectrum(x * ring(params, size), axes=(2,)) / size[1] ** 0.5
        place = np.arange(size[1]) - size[1] // 2
        first = -(count // 2) if size[1] % 2 == 0 else -(count // 2) + 1
        central = (place >= first) & (place < first + count)
        low = image(lines * np.cos(np.pi * place / (count + 1)) ** 2 * central, axes=(2,))
        power = (np.abs(low) ** 2).sum(axis=0)
        s = np.sqrt(power / (power + 0.05**2 * power.max()))
        maps = low / np.sqrt(power + 0.05**2 * power.max())
        expected = s * np.abs(least_squares(lines, maps, comb(size[1], r), t))
        found = art.apply(as_batch(x), params)[0].numpy()
        np.testing.assert_allclose(found, expected, atol=2e-5)


class TestExactMaps:
    @pytest.mark.parametrize("r", ACCELERATIONS)
    @pytest.mark.parametrize("phase", [False, True], ids=["real", "complex"])
    def test_without_noise_the_image_is_restored(self, r, phase):
        period, _ = offsets(r)
        size = (20, 6 * period)
        x = textured(size, phase=phase)
        art = sense(**EXACT)
        y = art.apply(as_batch(x), drawn(art, r))[0].numpy()
        np.testing.assert_allclose(y, np.abs(x), atol=1e-4)

    @pytest.mark.parametrize(("n_lines", "r"), [(256, 3.0), (320, 3.0), (320, 4.5), (128, 6.0)])
    def test_nearly_so_where_the_comb_does_not_divide_the_lines(self, n_lines, r):
        """But for the outermost lines, which a coil's sensitivity mixes with what lies beyond."""
        x = ellipses((32, n_lines))
        art = sense(**EXACT)
        y = art.apply(as_batch(x), drawn(art, r))[0].numpy()
        assert np.abs(y - x).max() < 5e-3
        assert np.sqrt(np.mean((y - x) ** 2)) < 5e-4

    def test_more_skipped_lines_than_coils_cannot_be_unfolded(self):
        x = textured((20, 24))
        errors = []
        for count in (2, 4):
            art = sense(coils=count, maps="exact", noise_of_max=0.0)
            y = art.apply(as_batch(x), drawn(art, 4.0))[0].numpy()
            errors.append(np.sqrt(np.mean((y - np.abs(x)) ** 2)))
        assert errors[0] > 0.15 > 2 * errors[1]


class TestNoise:
    N, SIGMA, SIZE = 600, 1e-3, (16, 24)

    def spread(self, shift, batch):
        """The standard deviation of each pixel of a flat image over many slices."""
        keys = [f"slice-{i}" for i in range(self.N)]
        params = shift.sample(keys=keys, seed=0, scans=["scan"] * self.N)
        y = shift.apply(batch.expand(self.N, *self.SIZE), params).double()
        return y.std(dim=0).numpy()

    def expected(self, art, r):
        """Of the full encoding matrix: sqrt(R) g sigma."""
        params = art.sample(knob=skipped(r), keys=["x"], seed=0, scans=["scan"])
        maps = ring(params, self.SIZE)
        rows, n = self.SIZE
        transform = fourier(n)[comb(n, r)]
        spread = np.empty(self.SIZE)
        for row in range(rows):
            encoding = np.concatenate([transform * one for one in maps[:, row]])
            covariance = np.linalg.inv(encoding.conj().T @ encoding)
            spread[row] = np.sqrt(np.diag(covariance).real)
        return self.SIGMA * spread

    def check(self, found, expected):
        z = (found / expected - 1) * np.sqrt(2 * self.N)
        assert np.abs(z).max() < Z_LIMIT
        assert np.abs(z.mean()) < Z_LIMIT / np.sqrt(z.size / 4)  # pixels of a group vary together

    @pytest.mark.parametrize("r", [1.5, 2.0, 3.0, 4.0])
    def test_its_own_noise_is_amplified_by_the_g_factor(self, r):
        art = sense(maps="exact", tikhonov=0.0, noise_of_max=self.SIGMA)
        found = self.spread(Shift.of(art, knob=skipped(r)), torch.ones(1, *self.SIZE))
        added = (1 - 1 / r) ** 0.5  # to what the slice has, so that R = 1 adds none
        self.check(found, added * self.expected(art, r))

    @pytest.mark.parametrize("r", [2.0, 4.0])
    def test_so_is_the_noise_of_a_chain(self, r):
        art = sense(**EXACT)
        shift = Shift.chain(Shift.of(art, knob=skipped(r)), Shift.of("rician", knob=self.SIGMA))
        found = self.spread(shift, torch.ones(1, *self.SIZE))
        self.check(found, self.expected(art, r))

    @pytest.mark.parametrize("r", [2, 3, 4, 6])
    def test_the_dense_law_is_pruessmann_s(self, r):
        """g = sqrt((S^H S)^-1_ii (S^H S)_ii) of the pixels that overlap, times sqrt(R)."""
        art = sense(**EXACT)
        params = art.sample(knob=skipped(r), keys=["x"], seed=0, scans=["scan"])
        rows, n = self.SIZE
        maps = ring(params, self.SIZE).reshape(8, rows, r, n // r)
        overlap = np.einsum("cxip,cxjp->xpij", maps.conj(), maps)
        inverse = np.linalg.inv(overlap)
        g = np.sqrt(np.einsum("xpii,xpii->xip", inverse, overlap).real).reshape(rows, n)
        np.testing.assert_allclose(self.expected(art, r) / self.SIGMA, r**0.5 * g, rtol=1e-6)
        assert g.min() > 1 - 1e-9

    def test_in_each_coil_noise_is_as_strong_as_it_was_asked_for(self):
        size, knob = (64, 60), 0.05
        frame = frame_of_image(Geometry(), size, 1)
        x = torch.from_numpy(np.asarray(ellipses(size), np.float32))[None, None]
        art, noise = sense(**EXACT), artifacts_sim.get("rician")
        params, of_noise = drawn(art, 3.0), noise.sample(knob=knob, keys=["a"], seed=0)
        of_sense = art.operators(params.draws, params.knobs, frame, frame)
        signal = Signal(x, frame, Scene(lambda: x))
        for stage in (Stage.FIELD, Stage.LINES):
            signal = of_sense[stage].act(signal)
        before = signal.by_line()
        made = noise.operators(of_noise.draws, of_noise.knobs, frame, frame)[Stage.ADDED]
        added = (made.act(signal).by_line() - before)[0].numpy()
        measured = signal.measured_lines[0]
        assert np.array_equal(measured, comb(60, 3.0) | (np.abs(np.arange(60) - 29.5) < 12))
        assert not np.abs(added[..., ~measured]).any()
        power = (np.abs(added[..., measured]) ** 2).mean(axis=(1, 2)) / 2
        expected = (knob * float(x.max())) ** 2
        draws = added[0, :, measured].size
        assert np.abs(power / expected - 1).max() * np.sqrt(draws) < Z_LIMIT

    def test_noise_is_a_slice_s_own_and_relative_to_its_maximum(self):
        art = sense()
        x = as_batch(ellipses((40, 40))).expand(3, 40, 40)
        params = drawn(art, 2.0, ["a", "b", "c"], scans=["1", "1", "2"])
        assert params.draws["turn_rad"][0] == params.draws["turn_rad"][1]
        y = art.apply(x, params)
        assert not torch.equal(y[0], y[1])
        torch.testing.assert_close(art.apply(4 * x, params), 4 * y)


class TestAliases:
    @pytest.mark.parametrize("r", [2.0, 2.5, 3.0, 4.0])
    def test_what_the_maps_are_wrong_by_lies_a_fold_away_and_nowhere_else(self, r):
        period, _ = offsets(r)
        n = 60
        x = np.zeros((40, n))
        x[12:28, 27:31] = textured((16, 4), phase=False)
        art = sense(noise_of_max=0.0)
        y = art.apply(as_batch(x), drawn(art, r))[0].double().numpy()
        inside = x > 0
        aliases = sum(np.roll(inside, j * n // period, axis=1) for j in range(1, period)) > 0
        assert not (aliases & inside).any()
        ghost = np.abs(y[aliases]).max()
        assert np.abs(y[~aliases & ~inside]).max() < 1e-6
        assert 1e-4 < ghost < 0.2
        exact = sense(maps="exact", noise_of_max=0.0, tikhonov=0.0)
        clean = exact.apply(as_batch(x), drawn(exact, r))[0].double().numpy()
        assert np.abs(clean[aliases]).max() < 1e-4 < ghost

    def test_more_calibration_lines_leave_fainter_ones(self):
        x = ellipses((48, 96))
        errors = []
        for count in (6, 12, 24, 48):
            art = sense(noise_of_max=0.0, calibration_lines=count)
            y = art.apply(as_batch(x), drawn(art, 4.0))[0].numpy()
            errors.append(np.sqrt(np.mean((y - x) ** 2)))
        assert all(less < more for more, less in pairwise(errors))

    def test_noise_in_the_calibration_makes_worse_maps(self):
        """Beside one noise field, the same maps with and without it."""
        x = as_batch(ellipses((48, 96)))
        knob = skipped(2.0)
        errors = []
        for maps in ("exact", "estimated"):
            shift = Shift.chain(
                Shift.of(sense(maps=maps, noise_of_max=0.0), knob=knob),
                Shift.of("rician", knob=0.1),
            )
            y = shift.apply(x, shift.sample(keys=["a"], seed=0))
            inside = x > 0.3
            errors.append(float((y - x)[inside].square().mean()))
        assert errors[1] > 1.02 * errors[0]


class TestSeverity:
    @pytest.mark.parametrize(
        ("options", "accelerations"),
        [({}, ACCELERATIONS), ({"noise_of_max": 0.0}, (2.0, 3.0, 4.0, 5.0, 6.0))],
        ids=["noise", "none"],
    )
    @pytest.mark.parametrize("n_lines", [64, 100, 120])
    def test_damage_rises_with_every_acceleration(self, options, accelerations, n_lines):
        """Of aliases alone, with every whole one: a half one's are like those of its neighbours."""
        x = as_batch(ellipses((40, n_lines))).expand(8, 40, n_lines)
        art = sense(**options)
        keys = [f"slice-{i}" for i in range(8)]
        damage = [
            float((art.apply(x, drawn(art, r, keys)) - x).square().mean()) for r in accelerations
        ]
        assert all(less < more for less, more in pairwise(damage))

    def test_the_knob_is_rounded_to_half_accelerations(self):
        assert [acceleration(skipped(r)) for r in ACCELERATIONS] == list(ACCELERATIONS)
        assert acceleration(1e-6) == 1.0
        knobs = np.linspace(1e-3, 5 / 6, 500)
        assert all(a <= b for a, b in pairwise(map(acceleration, knobs)))
        assert all(abs(acceleration(k) - 1 / (1 - k)) <= 0.25 + 1e-9 for k in knobs.tolist())

    def test_the_damage_begins_at_nothing(self):
        x = torch.from_numpy(np.asarray(ellipses((64, 60)), np.float32))[None]
        art = sense()
        damage = [
            float((art.apply(x, art.sample(knob=knob, keys=["a"], seed=0)) - x).abs().mean())
            for knob in (1e-6, 0.1, 0.3)
        ]
        assert damage[0] < 2e-3 * float(x.mean())  # what the estimated maps and t leave
        assert damage[0] == damage[1] < damage[2]

    def test_knobs_of_one_acceleration_act_alike(self):
        x = torch.from_numpy(np.asarray(ellipses((32, 36)), np.float32))[None]
        art = sense()
        for knob in (0.05, 0.45, 0.62, 0.83):
            effective = art.effective(knob)
            assert art.effective(effective) == effective
            one, other = (
                art.apply(x, art.sample(knob=value, keys=["a"], seed=0))
                for value in (knob, effective or 1e-9)
            )
            assert torch.equal(one, other)

    @pytest.mark.parametrize("r", ACCELERATIONS)
    @pytest.mark.parametrize("n_lines", [1, 7, 60, 97, 320])
    def test_a_comb_holds_dc_and_one_line_in_r(self, r, n_lines):
        found = comb_of(r, n_lines)
        assert found.lines[n_lines // 2]
        assert found.lines.sum() == pytest.approx(n_lines / r, abs=2)
        assert np.array_equal(found.lines, comb(n_lines, r))
        before = found.beside[0]
        places = found.places.ravel() - before
        within = (places >= 0) & (places < n_lines)
        assert np.array_equal(np.sort(places[within]), np.flatnonzero(found.lines))


class TestMeasuredCoils:
    def measured(self, params, x, **geometry):
        seen = x * ring(params, x.shape)
        samples = to_kspace(to_kspace(torch.from_numpy(seen), RO), PE)[None]
        return KSpace(samples.to(torch.complex64), Geometry(**geometry))

    @pytest.mark.parametrize("r", [2.0, 3.5, 5.0])
    def test_coils_of_the_data_are_treated_as_those_that_are_simulated(self, r):
        """Noise, maps and all: the eight coils are the same."""
        x = textured((32, 1), 1) * ellipses((32, 70))
        art = sense()
        params = drawn(art, r)
        simulated = art.apply(as_batch(x), params)
        measured = art.apply(self.measured(params, x), params)
        torch.testing.assert_close(measured, simulated, rtol=0, atol=1e-5)

    def test_maps_that_nobody_knows_are_estimated(self):
        x = ellipses((32, 60))
        options = {"noise_of_max": 0.0}
        params = [drawn(sense(maps=maps, **options), 3.0) for maps in ("estimated", "exact")]
        k = self.measured(params[0], x)
        one, other = (artifacts_sim.drawn_by(p).apply(k, p) for p in params)
        assert torch.equal(one, other)

    def test_one_image_is_made_and_no_k_space(self):
        x = ellipses((32, 60))
        art = sense()
        params = drawn(art, 2.0)
        k = self.measured(params, x, crop=(32, 40))
        assert art.apply(k, params).shape == (1, 32, 40)
        with pytest.raises(ArtifactError, match=r"made of the k-space.* received 'sense'"):
            art.corrupt(k, params)

    def test_slices_of_several_accelerations_go_together(self):
        """As on a GPU, which takes a whole batch at once."""
        size, knobs = (20, 24), torch.tensor([0.5, 0.75, 0.5, 2 / 3], dtype=torch.float64)
        x = torch.from_numpy(np.asarray(textured(size, phase=False), np.float32))
        batch = x.expand(4, *size)[:, None]
        art = sense()
        params = art.sample(knob=knobs.tolist(), keys=list("abcd"), seed=0)
        frame = frame_of_image(Geometry(), size, 4)
        signal = Signal(batch, frame, Scene(lambda: batch))
        for operator in art.operators(params.draws, params.knobs, frame, frame).values():
            signal = operator.act(signal)
        together = signal.magnitude()
        torch.testing.assert_close(together, art.apply(batch[:, 0], params), rtol=0, atol=1e-5)


class TestChains:
    @pytest.mark.parametrize("name", ["zipper", "spike"])
    @pytest.mark.parametrize("r", [2.0, 4.0])
    def test_what_the_receiver_adds_reaches_the_image(self, name, r):
        """In all coils alike, which unfolding weakens; least where only the calibration has it."""
        x = as_batch(ellipses((64, 80))).expand(8, 64, 80)
        names = {"keys": [str(i) for i in range(8)], "seed": 0}
        plain = Shift.of(sense(noise_of_max=0.0), knob=skipped(r))
        added = Shift.of(name, level=3, grid="physical")
        both = Shift.chain(plain, added)
        unfolded, alone, chained = (
            one.apply(x, one.sample(**names)) for one in (plain, added, both)
        )
        strength = (chained - unfolded).square().mean(dim=(1, 2)).sqrt()
        strength /= (alone - x).square().mean(dim=(1, 2)).sqrt()
        assert strength.min() > 0.1
        assert strength.max() < 2 * r

    def test_a_field_of_view_that_is_too_small_defeats_it(self):
        """Two places in one pixel have no one sensitivity."""
        x = as_batch(ellipses((48, 60)))
        wrap = Shift.of("wrap", knob=0.5)
        folded = wrap.apply(x, wrap.sample(keys=["a"], seed=0))
        chain = Shift.chain(wrap, Shift.of(sense(noise_of_max=0.0), knob=2 / 3))
        y = chain.apply(x, chain.sample(keys=["a"], seed=0))
        assert y.shape == x.shape
        assert not y[..., :15].any()
        assert float((y - folded).abs().max()) > 0.05

    def test_the_phase_of_the_image_does_not_matter(self):
        x = ellipses((40, 60))
        art = sense(noise_of_max=0.0)
        real = art.apply(as_batch(x), drawn(art, 3.0))
        turned = art.apply(as_batch(x * np.exp(1j)), drawn(art, 3.0))
        torch.testing.assert_close(real, turned, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coils": 1}, "coils is not a whole number from 2"),
        ({"maps": "known"}, r"maps is not one of estimated, exact; received 'known'"),
        ({"calibration_lines": 0}, "calibration_lines is not a whole number from 1"),
        ({"tikhonov": -0.1}, "tikhonov is not a number from 0 to 1"),
        ({"noise_of_max": 2.0}, "noise_of_max is not a number from 0 to 1"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ArtifactError, match=message):
        sense(**options)

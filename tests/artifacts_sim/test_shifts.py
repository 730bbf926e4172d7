"""Chains and mixtures: the scanner's order, one FFT pass, weights, records."""

import json
import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Shift, ShiftParams
from artifacts_sim.acquisition.fourier import PE, RO, to_kspace
from artifacts_sim.acquisition.operators import Stage

KEYS = [f"patient-{i}/slice-0" for i in range(6)]
GHOST = Shift.of("ghosting", knob=0.8)
NOISE = Shift.of("rician", knob=0.05)
BIAS = Shift.of("bias", knob=1.0)
LINE_MASKS = ("nyquist_ghost", "undersampling", "partial_fourier")


def one_by_one(x, seed, *steps):
    """Each artifact on the magnitude that the one before left."""
    for name, knob in steps:
        art = artifacts_sim.get(name)
        x = art.apply(x, art.sample(knob=knob, keys=KEYS, seed=seed))
    return x


def counted(function, calls):
    def count(*args, **kwargs):
        calls.append(function.__name__)
        return function(*args, **kwargs)

    return count


def weights_of(shift):
    """The weight of each chain, by the names of its steps in the order in which they act."""
    names = [tuple(step.artifact.name for step in steps) for steps in shift.chains]
    return dict(zip(names, shift.weights, strict=True))


def damage(shift, x, keys=KEYS, seed=0):
    return shift.apply(x, shift.sample(keys=keys, seed=seed))


class TestChain:
    def test_of_one_is_the_artifact_itself(self, phantoms):
        x = phantoms(6, 30, 24)
        assert torch.equal(damage(GHOST, x), one_by_one(x, 0, ("ghosting", 0.8)))

    def test_a_field_before_the_lines_needs_no_phase(self, phantoms):
        """A bias field leaves a magnitude, so the chain equals its parts in turn."""
        x = phantoms(6, 30, 24)
        expected = one_by_one(x, 0, ("bias", 1.0), ("ghosting", 0.8))
        torch.testing.assert_close(damage(Shift.chain(BIAS, GHOST), x), expected, rtol=0, atol=1e-6)

    def test_phase_survives_from_step_to_step(self, phantoms):
        """Noise falls on the ghosted signal, not on its magnitude."""
        x = phantoms(6, 30, 24)
        at_once = damage(Shift.chain(GHOST, NOISE), x)
        in_turn = one_by_one(x, 0, ("ghosting", 0.8), ("rician", 0.05))
        assert (at_once - in_turn).abs().max() > 0.01
        apart = (at_once - in_turn).mean() / in_turn.mean()
        assert abs(float(apart)) < 0.01  # noise of random phase does not see it on average

    def test_steps_act_in_the_order_of_the_scanner(self, phantoms):
        x = phantoms(6, 30, 24)
        motion = Shift.of("motion", knob=4.0)
        orders = permutations((GHOST, NOISE, BIAS, motion))
        outputs = [damage(Shift.chain(*order), x) for order in orders]
        assert all(torch.equal(y, outputs[0]) for y in outputs)
        again = Shift.chain(motion, BIAS, GHOST, NOISE)
        assert torch.equal(damage(again, x), outputs[0])

    def test_masks_in_a_row_share_one_pass(self, phantoms, monkeypatch):
        masks = [GHOST, *(Shift.of(name, level=3, grid="physical") for name in LINE_MASKS)]
        calls = []
        for name in ("fft", "ifft", "rfft", "irfft", "rfft2", "irfft2"):
            monkeypatch.setattr(torch.fft, name, counted(getattr(torch.fft, name), calls))
        damage(GHOST, phantoms(6, 16, 18))
        alone = len(calls)
        calls.clear()
        damage(Shift.chain(*masks), phantoms(6, 16, 18))
        assert 0 < len(calls) == 6 * alone  # complex slices go one by one on a CPU

    def test_image_and_k_space_agree(self, phantoms):
        z = torch.polar(phantoms(6, 20, 31), torch.linspace(-1, 2, 31).expand(6, 20, 31))
        chain = Shift.chain(NOISE, GHOST, BIAS, Shift.of("spike", knob=0.3))
        k = KSpace(to_kspace(to_kspace(z, PE), RO))
        torch.testing.assert_close(damage(chain, k), damage(chain, z), rtol=0, atol=1e-5)

    def test_an_artifact_is_in_it_once(self):
        with pytest.raises(
            ArtifactError, match=r"in a chain more than once.* received \['rician', 'rician'\]"
        ):
            Shift.chain(NOISE, Shift.of("rician", knob=0.1))

    def test_of_nothing_is_clean(self, phantoms):
        x = phantoms(6, 9, 9)
        assert torch.equal(damage(Shift.clean(), x), x)
        assert torch.equal(damage(Shift.chain(), x), x)
        assert torch.equal(damage(Shift.of("motion", level=0), x), x)


class TestMixture:
    def test_every_slice_gets_one_chain_by_its_weight(self):
        keys = [f"slice-{i}" for i in range(4000)]
        shift = Shift.mixture((GHOST, 3.0), (NOISE, 1.0), (Shift.clean(), 1.0))
        assert weights_of(shift) == {("ghosting",): 0.6, ("rician",): 0.2, (): 0.2}
        groups = shift.sample(keys=keys, seed=0).groups
        counts = [len(slices) for slices, _ in groups]
        assert sorted(np.concatenate([slices for slices, _ in groups])) == list(range(4000))
        assert stats.chisquare(counts, 4000 * np.array(shift.weights)).pvalue > 1e-4

    def test_a_slice_sees_its_artifact_as_if_it_were_alone(self, phantoms):
        x = phantoms(6, 30, 24)
        shift = Shift.mixture((GHOST, 1.0), (NOISE, 1.0))
        params = shift.sample(keys=KEYS, seed=1)
        y = shift.apply(x, params)
        alone = {"ghosting": one_by_one(x, 1, ("ghosting", 0.8))}
        alone["rician"] = one_by_one(x, 1, ("rician", 0.05))
        for slices, (drawn,) in params.groups:
            assert torch.equal(y[slices], alone[drawn.name][slices])
        assert len(params.groups) == 2

    def test_batch_and_order_are_irrelevant(self, phantoms):
        x = phantoms(6, 30, 24)
        shift = Shift.mixture((Shift.chain(GHOST, NOISE), 1.0), (BIAS, 1.0))
        together = damage(shift, x)
        order = [4, 0, 5, 2, 1, 3]
        shuffled = damage(shift, x[order], [KEYS[i] for i in order])
        assert torch.equal(shuffled, together[order])
        for i, key in enumerate(KEYS):
            assert torch.equal(damage(shift, x[i : i + 1], [key])[0], together[i])

    def test_of_mixtures_multiplies_weights(self):
        inner = Shift.mixture((GHOST, 1.0), (NOISE, 3.0))
        outer = Shift.mixture((inner, 1.0), (BIAS, 1.0))
        assert weights_of(outer) == {("ghosting",): 0.125, ("rician",): 0.375, ("bias",): 0.5}
        chained = Shift.chain(inner, BIAS)
        assert weights_of(chained) == {("bias", "ghosting"): 0.25, ("bias", "rician"): 0.75}

    @pytest.mark.parametrize("weights", [(), (0.0,), (1.0, -1.0), (float("inf"),)], ids=str)
    def test_needs_weights_above_zero(self, weights):
        with pytest.raises(
            ArtifactError, match="at least one part, each of a weight above 0; received"
        ):
            Shift.mixture(*((NOISE, weight) for weight in weights))


class TestRecord:
    SHIFT = Shift.mixture(
        (Shift.chain(GHOST, Shift.of(artifacts_sim.get("spike", spikes=2), knob=0.5)), 1.0),
        (Shift.of("motion", level=2), 2.0),
        (Shift.clean(), 1.0),
    )

    def test_replays_the_same_pixels(self, phantoms):
        again = Shift.from_dict(json.loads(json.dumps(self.SHIFT.to_dict())))
        assert again == self.SHIFT
        x, params = phantoms(6, 20, 20), self.SHIFT.sample(keys=KEYS, seed=0)
        recorded = ShiftParams.from_dict(json.loads(json.dumps(params.to_dict())))
        assert torch.equal(again.apply(x, recorded), self.SHIFT.apply(x, params))

    def test_the_digest_follows_every_part_of_the_meaning(self):
        variants = [
            NOISE,
            GHOST,
            BIAS,
            Shift.of("rician", knob=0.06),
            Shift.of(artifacts_sim.get("motion", movements=3), knob=2),
            Shift.of("motion", knob=2),
            Shift.mixture((NOISE, 1.0), (BIAS, 1.0)),
            Shift.mixture((NOISE, 2.0), (BIAS, 1.0)),
            Shift.chain(NOISE, BIAS),
        ]
        assert len({shift.digest for shift in variants}) == len(variants)
        assert Shift.from_dict(self.SHIFT.to_dict()).digest == self.SHIFT.digest
        assert len(NOISE.digest) == 64

    def test_a_level_is_recorded_as_its_knob_value(self):
        by_level = Shift.of("bias", level=2, grid="physical")
        (((step,),)) = by_level.chains
        assert step.knob == artifacts_sim.get("bias").knob.physical[1]

    def test_params_of_another_batch_are_refused(self, phantoms):
        with pytest.raises(ArtifactError, match="received 6 draws for a batch of 2"):
            NOISE.apply(phantoms(2, 8, 8), NOISE.sample(keys=KEYS, seed=0))


def random_shift(draw):
    """A shift of some chains, with options, knobs and weights in whatever types users have."""
    numbers = draw(st.sampled_from([float, np.float64, np.float32]))
    counts = draw(st.sampled_from([int, np.int64, np.int32]))
    artifacts = (
        artifacts_sim.get("motion", movements=counts(3), mm_per_degree=numbers(0.5)),
        artifacts_sim.get("motion", window=(numbers(0.25), numbers(1)), order="echo_trains"),
        artifacts_sim.get("spike", spikes=counts(2), two_sided=draw(st.booleans())),
        artifacts_sim.get("undersampling", kind="regular", centre_fraction=numbers(0)),
        artifacts_sim.get("rician"),
        artifacts_sim.get("bias"),
    )
    shifts = [
        Shift.of(art, knob=numbers(draw(st.sampled_from([0, 0.125, 0.5])))) for art in artifacts
    ]
    chosen = draw(st.lists(st.sampled_from(shifts[1:]), min_size=1, max_size=3, unique_by=repr))
    parts = [*chosen, Shift.clean(), Shift.chain(*chosen[:2]), shifts[0]]
    return [(part, numbers(draw(st.integers(1, 9)))) for part in parts]


class TestSerialisation:
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_a_shift_comes_back_from_json_as_it_was(self, data):
        parts = random_shift(data.draw)
        shift = Shift.mixture(*parts)
        again = Shift.from_dict(json.loads(json.dumps(shift.to_dict())))
        assert again == shift
        assert again.digest == shift.digest
        assert again.to_dict() == shift.to_dict()
        keys = [f"slice-{i}" for i in range(20)]
        assert (
            again.sample(keys=keys, seed=1).to_dict() == shift.sample(keys=keys, seed=1).to_dict()
        )

    @settings(max_examples=60, deadline=None)
    @given(data=st.data(), scale=st.sampled_from([0.1, 1 / 3, 7.0, 1e-3]))
    def test_what_means_the_same_has_one_digest(self, data, scale):
        """The order of parts, the unit of the weights, the types of numbers are no meaning."""
        parts = random_shift(data.draw)
        shift = Shift.mixture(*parts)
        order = data.draw(st.permutations(parts))
        scaled = Shift.mixture(*((part, float(weight) * scale) for part, weight in order))
        assert scaled.digest == shift.digest
        assert scaled == shift

    def test_numbers_of_any_type_are_one_option(self):
        digests = {
            Shift.of(
                artifacts_sim.get("motion", mm_per_degree=two, movements=four), knob=one
            ).digest
            for two in (2, 2.0, np.float32(2), np.int64(2))
            for four in (4, np.int64(4))
            for one in (1, 1.0, np.float32(1), np.array(1))
        }
        assert len(digests) == 1
        assert Shift.of("rician", knob=0).digest == Shift.of("rician", knob=-0.0).digest

    def test_three_to_one_is_point_three_to_point_one(self):
        whole = Shift.mixture((NOISE, 3), (BIAS, 1))
        assert Shift.mixture((NOISE, 0.3), (BIAS, 0.1)).digest == whole.digest
        assert Shift.mixture((BIAS, 0.1), (NOISE, 0.3)).digest == whole.digest

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda r: r.update(weights=[1.0, 1.0]),
                r"sum of 1, .* received \[1.0, 1.0\] for 2 ch",
            ),
            (lambda r: r.update(weights=[1.5, -0.5]), r"numbers above 0 .* received \[1.5, -0.5\]"),
            (lambda r: r.update(weights=[1.0]), r"one for each chain; received \[1.0\] for 2"),
            (lambda r: r.update(weights=["1", None]), r"received \['1', None\]"),
            (lambda r: r["chains"][0][0].update(knob=1e9), r"received 1000000000.0"),
            (lambda r: r["chains"][0][0].update(knob="1"), r"knob .* received '1'"),
            (
                lambda r: r["chains"][0][0].pop("knob"),
                r"exactly the fields artifact, options, knob",
            ),
            (lambda r: r["chains"][0][0].update(artifact="moton"), r"no such artifact"),
            (lambda r: r["chains"][0][0].update(options={"x": 1}), r"no such option"),
            (lambda r: r.pop("chains"), r"exactly the fields weights, chains"),
        ],
    )
    def test_an_altered_record_is_refused(self, change, message):
        record = json.loads(json.dumps(Shift.mixture((NOISE, 1), (BIAS, 1)).to_dict()))
        change(record)
        with pytest.raises(ArtifactError, match=message):
            Shift.from_dict(record)

    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("motion", {"mm_per_degree": math.inf}, r"mm_per_degree is not a finite number"),
            ("motion", {"mm_per_degree": math.nan}, r"mm_per_degree is not a finite number"),
            ("motion", {"mm_per_degree": "2"}, r"mm_per_degree is not a finite number"),
            ("motion", {"movements": True}, r"movements is not a whole number"),
            ("motion", {"window": (0.5, 0.2)}, r"window is not two rising fractions"),
            ("motion", {"window": (0.5,)}, r"window is not 2 numbers; received \(0.5,\)"),
            ("motion", {"window": 0.5}, r"window is not 2 numbers"),
            ("motion", {"order": "random"}, r"order is not one of sequential, "),
            ("motion", {"moves": "never"}, r"moves is not one of between_lines, "),
            ("spike", {"two_sided": "no"}, r"two_sided is not true or false"),
            ("undersampling", {"centre_fraction": math.nan}, r"centre_fraction is not a finite"),
        ],
        ids=str,
    )
    def test_options_are_checked(self, name, options, message):
        with pytest.raises(ArtifactError, match=message):
            artifacts_sim.get(name, **options)


class TestFamilies:
    def test_search_and_holdout_share_nothing_and_miss_nothing(self):
        known = artifacts_sim.families()
        assert not set(known["search"]) & set(known["holdout"])
        assert set(known["search"]) | set(known["holdout"]) == set(artifacts_sim.names())

    def test_every_stage_of_the_scanner_has_members_in_both(self):
        """The lines and their reconstruction are one: what is left out there, is missing here."""
        merged = {Stage.RECONSTRUCTION: Stage.LINES}
        seen = {
            family: {
                merged.get(stage, stage)
                for name in members
                for stage in artifacts_sim.get(name).stages
            }
            for family, members in artifacts_sim.families().items()
        }
        assert seen["search"] == seen["holdout"] == set(Stage) - {Stage.RECONSTRUCTION}

    @pytest.mark.parametrize("name", ["search", "holdout"])
    def test_a_family_is_an_equal_mixture_at_a_level(self, name, phantoms):
        shift = artifacts_sim.family(name, level=3, grid="physical")
        members = artifacts_sim.families()[name]
        assert sorted(steps[0].artifact.name for steps in shift.chains) == sorted(members)
        assert shift.weights == pytest.approx([1 / len(members)] * len(members))
        assert damage(shift, phantoms(6, 24, 20)).isfinite().all()

    def test_an_unknown_family_is_answered_with_the_known(self):
        with pytest.raises(ArtifactError, match="received 'serch'; take one of search, holdout"):
            artifacts_sim.family("serch", level=1)


def test_geometry_goes_with_a_chain(phantoms):
    x, chain = phantoms(6, 20, 20), Shift.chain(GHOST, NOISE)
    params = chain.sample(keys=KEYS, seed=0)
    geometry = Geometry(encoded=(20, 30), acquired=range(3, 29))
    padded = torch.zeros(6, 20, 30)
    padded[:, :, 5:25] = x
    whole = chain.apply(padded, params, Geometry(acquired=range(3, 29)))
    assert torch.equal(chain.apply(x, params, geometry), whole[:, :, 5:25])

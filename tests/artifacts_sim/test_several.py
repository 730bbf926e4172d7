"""Several artifacts at once: drawn by key, as often as asked, and no more than a chain of them."""

from collections import Counter

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Several, Shift

KEYS = [f"patient-{i}/slice-0" for i in range(12)]
MANY = [f"s{i}" for i in range(4000)]
PARTS = (
    Shift.mixture((Shift.of("rician", knob=0.05), 1.0), (Shift.of("rician", knob=0.1), 3.0)),
    Shift.of("bias", knob=1.0),
    Shift.of("ghosting", knob=0.5),
    Shift.of("wrap", knob=0.2),
)


def drawn(several, keys, seed=0, **names):
    """What each slice gets: (artifact, knob) of every step in the order in which they act."""
    params = several.sample(keys=keys, seed=seed, **names)
    found = [()] * len(keys)
    for places, steps in params.groups:
        for at, place in enumerate(places.tolist()):
            found[place] = tuple((one.name, float(one.knobs[at])) for one in steps)
    return found


@pytest.fixture(scope="module")
def many():
    return drawn(Several(PARTS, most=3, probability=0.6), MANY)


def test_a_slice_gets_the_same_alone_in_any_order_and_with_any_partner(phantoms):
    x, several = phantoms(12, 30, 24), Several(PARTS, most=3)
    whole = several.apply(x, several.sample(keys=KEYS, seed=4))
    turned = several.apply(x.flip(0), several.sample(keys=KEYS[::-1], seed=4)).flip(0)
    assert torch.equal(whole, turned)
    for place, key in enumerate(KEYS):
        own = x[place : place + 1]
        assert torch.equal(
            whole[place : place + 1], several.apply(own, several.sample(keys=[key], seed=4))
        )
    assert not torch.equal(whole, several.apply(x, several.sample(keys=KEYS, seed=5)))


def test_what_it_makes_is_what_a_shift_of_the_same_chain_makes(phantoms):
    x, several = phantoms(12, 30, 24), Several(PARTS, most=3)
    made = several.apply(x, several.sample(keys=KEYS, seed=1))
    lengths = set()
    for place, steps in enumerate(drawn(several, KEYS, seed=1)):
        chain = Shift.chain(*(Shift.of(name, knob=knob) for name, knob in steps))
        own = chain.apply(x[place : place + 1], chain.sample(keys=[KEYS[place]], seed=1))
        assert torch.equal(made[place : place + 1], own)
        assert steps == tuple((s.artifact.name, s.knob) for s in chain.chains[0])
        lengths.add(len(steps))
    assert lengths == {1, 2, 3}


def test_each_number_of_different_artifacts_is_as_likely(many):
    counts = Counter(len(steps) for steps in many)
    shares = [counts[number] / len(many) for number in range(4)]
    assert shares == pytest.approx([0.4, 0.2, 0.2, 0.2], abs=0.03)
    assert all(len({name for name, _ in steps}) == len(steps) for steps in many)


def test_each_artifact_is_as_likely_and_its_severities_are_by_weight(many):
    counts = Counter(step for steps in many for step in steps)
    total = sum(counts.values())
    names = Counter(name for steps in many for name, _ in steps)
    assert [names[name] / total for name in names] == pytest.approx([0.25] * 4, abs=0.03)
    assert counts["rician", 0.1] / names["rician"] == pytest.approx(0.75, abs=0.05)


def test_slices_of_a_scan_get_the_same():
    scans = [f"scan-{i // 40}" for i in range(400)]
    several = Several(PARTS, most=2)
    each = drawn(several, MANY[:400], scans=scans)
    assert all(len(set(each[start : start + 40])) == 1 for start in range(0, 400, 40))
    assert len(set(each)) > 3


def test_two_kinds_of_one_artifact_are_never_on_one_slice():
    early = artifacts_sim.get("motion", order="sequential")
    kinds = (Shift.of(early, knob=2.0), Shift.of("motion", knob=2.0), PARTS[1])
    each = drawn(Several(kinds, most=3), MANY[:200])
    assert {len(steps) for steps in each} == {1, 2}
    assert all(len({name for name, _ in steps}) == len(steps) for steps in each)


@pytest.mark.usefixtures("global_random_state")
def test_every_artifact_stands_in_chains_with_the_others(phantoms):
    names = artifacts_sim.names()
    knobs = [artifacts_sim.get(name).knob.physical[2] for name in names]
    parts = [Shift.of(name, knob=knob) for name, knob in zip(names, knobs, strict=True)]
    several, keys = Several(tuple(parts), most=3), MANY[:90]
    params = several.sample(keys=keys, seed=0, numbers=[0] * len(keys))
    damaged = several.apply(phantoms(len(keys), 24, 20), params)
    assert damaged.isfinite().all()
    assert (damaged >= 0).all()
    seen = {one.name for _, steps in params.groups for one in steps}
    assert seen == set(names)


def test_never_is_clean_and_the_params_are_its_own(phantoms):
    x = phantoms(12, 20, 20)
    never = Several(PARTS, most=3, probability=0)
    assert never.is_clean
    assert torch.equal(never.apply(x, never.sample(keys=KEYS, seed=0)), x)
    params = Several(PARTS, most=3).sample(keys=KEYS, seed=0)
    for other in (Several(PARTS[:1], most=3), Several(PARTS, most=1)):
        with pytest.raises(ArtifactError, match="not drawn by these artifacts; received"):
            other.apply(x, params)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parts": ()}, "the parts are not shifts of one artifact each"),
        ({"parts": (Shift.clean(),)}, "the parts are not shifts of one artifact each"),
        ({"parts": (Shift.chain(*PARTS[1:3]),)}, "the parts are not shifts of one artifact each"),
        ({"parts": PARTS[1]}, "the parts are not shifts of one artifact each"),
        ({"most": 0}, r"the most artifacts .* received most=0"),
        ({"most": 1.5}, r"the most artifacts .* received most=1.5"),
        ({"probability": np.nan}, r"their probability is not from 0 to 1; received .*nan"),
    ],
)
def test_what_it_cannot_be_made_of_is_refused(settings, message):
    with pytest.raises(ArtifactError, match=message):
        Several(**{"parts": PARTS, "most": 2, **settings})

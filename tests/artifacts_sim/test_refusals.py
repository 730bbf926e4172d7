"""What a user reads who passes something of another type, and that NumPy's numbers count."""

import copy
import json
import math

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import (
    ArtifactError,
    Geometry,
    Grid,
    Knob,
    KSpace,
    Names,
    Params,
    Shift,
    ShiftParams,
    Transform,
)

BIAS = artifacts_sim.get("bias")
KEYS = ["a", "b"]
X = torch.rand(2, 12, 10, generator=torch.Generator().manual_seed(0))
PARAMS = BIAS.sample(knob=1.0, keys=KEYS, seed=0)
NOISE = Shift.of("rician", knob=0.1)
SHIFT = Shift.mixture((NOISE, 1), (Shift.of("bias", knob=1.0), 1))
K = KSpace(torch.fft.fft2(X), Geometry(pixel_mm=[(1.0, 1.0), (2.0, 2.0)]))


class Unwritable:
    def __repr__(self):
        raise RuntimeError


JUNK = [
    *(None, "a", b"a", [], [None], [[1], [1, 2]], {}, {1: 2}, math.nan, math.inf, True, 1.5, -1),
    *(10**5000, 1j, object(), Unwritable(), int, range(3), slice(5, 9), iter([1])),
    *("\ud800", np.array([None]), np.zeros((2, 2)), np.array([], float), np.float64(7)),
    *(torch.tensor([1, 2, 3]), torch.empty(0), torch.empty(2, device="meta")),
    *(torch.zeros(2, 3, 4, dtype=torch.int32), torch.zeros(0, 3, 4), torch.zeros(2, 3)),
    *(torch.zeros(2, 3, 4, device="meta"), torch.zeros(2, 3, 4).to_sparse(), Shift, NOISE, BIAS),
]
CALLS = {
    "keys": lambda v: BIAS.sample(level=1, keys=v, seed=0),
    "seed": lambda v: BIAS.sample(level=1, keys=KEYS, seed=v),
    "level": lambda v: BIAS.sample(level=v, keys=KEYS, seed=0),
    "knob": lambda v: BIAS.sample(knob=v, keys=KEYS, seed=0),
    "grid": lambda v: BIAS.sample(level=1, keys=KEYS, seed=0, grid=v),
    "scans": lambda v: BIAS.sample(level=1, keys=KEYS, seed=0, scans=v),
    "numbers": lambda v: BIAS.sample(level=1, keys=KEYS, seed=0, numbers=v),
    "at": BIAS.at,
    "x": lambda v: BIAS.apply(v, PARAMS),
    "params": lambda v: BIAS.apply(X, v),
    "geometry": lambda v: BIAS.apply(X, PARAMS, v),
    "fat": lambda v: BIAS.apply(X, PARAMS, fat=v),
    "corrupt": lambda v: BIAS.corrupt(v, PARAMS),
    "corrupt with": lambda v: artifacts_sim.get("contrast").corrupt(K, v),
    "KSpace": KSpace,
    "KSpace geometry": lambda v: KSpace(K.samples, v),
    "KSpace index": lambda v: K[v],
    "KSpace.to": K.to,
    **{
        f"Params {name}": lambda v, name=name: BIAS.apply(X, Params(**{**vars(PARAMS), name: v}))
        for name in ("name", "options", "knob", "draws")
    },
    **{
        f"Params record {name}": lambda v, name=name: BIAS.apply(
            X, Params.from_dict({**PARAMS.to_dict(), name: v})
        )
        for name in PARAMS.to_dict()
    },
    "Params.from_dict": Params.from_dict,
    "Params index": lambda v: PARAMS[v],
    "drawn_by": artifacts_sim.drawn_by,
    "get": artifacts_sim.get,
    "register": artifacts_sim.register,
    "unregister": artifacts_sim.unregister,
    "named_grid": artifacts_sim.named_grid,
    "expand": artifacts_sim.expand,
    "family": lambda v: artifacts_sim.family(v, level=1),
    "Grid": lambda v: Grid("mine", v),
    "Grid values": lambda v: Grid("mine", {"bias": v}),
    "Grid.from_record": lambda v: Grid.from_record(v, "mine"),
    "Knob": lambda v: Knob("a", "b", v, 6.0),
    "Names": Names,
    "Names index": lambda v: Names(KEYS)[v],
    **{
        f"Geometry {name}": lambda v, name=name: BIAS.apply(X, PARAMS, Geometry(**{name: v}))
        for name in ("encoded", "acquired", "crop", "pixel_mm", "phase_axis", "native")
    },
    "Shift": lambda v: Shift(v, (1.0,)),
    "Shift weights": lambda v: Shift(((),), v),
    "Shift.of": lambda v: Shift.of(v, knob=0.1),
    "Shift.of knob": lambda v: Shift.of("bias", knob=v),
    "Shift.chain": Shift.chain,
    "Shift.mixture": Shift.mixture,
    "Shift.mixture weight": lambda v: Shift.mixture((NOISE, v)),
    "Shift.apply": lambda v: SHIFT.apply(X, v),
    "Shift.apply geometry": lambda v: SHIFT.apply(X, SHIFT.sample(keys=KEYS, seed=0), v),
    "Shift.from_dict": Shift.from_dict,
    "ShiftParams": lambda v: ShiftParams(v, 2),
    "ShiftParams.from_dict": ShiftParams.from_dict,
    "Transform": lambda v: Transform(v, level=1),
    "Transform axis": lambda v: Transform("bias", level=1, slice_axis=v),
    "Transform geometry": lambda v: Transform("bias", level=1, geometry=v),
    "Transform x": Transform("bias", level=1),
    "Transform keys": lambda v: Transform("bias", level=1)(X, v),
    "Transform pixel_mm": lambda v: Transform("bias", level=1)(X, None, v),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_nothing_but_the_packages_own_error_is_raised(call):
    """Or a right result; and the error can be written."""
    for value in JUNK:
        try:
            call(value)
        except ArtifactError as error:
            assert "; received " in str(error)  # noqa: PT017 - a right result is right, too


@pytest.mark.parametrize(
    ("call", "value", "message"),
    [
        ("level", 1.0, r"no such level; received 1\.0; take 0"),
        ("level", True, r"no such level; received True"),
        ("knob", "0.5", r"knob log_gain_range is not a finite number .* received '0\.5'"),
        ("knob", True, r"received True"),
        ("keys", ["\ud800", "b"], r"not text of Unicode characters; received half of a surrogate"),
        ("seed", 2**200, r"seed is not a whole number of at most 128 bits"),
        ("Grid values", (1.0,), r"of 'bias' are not 5 that rise from above 0, .*received \[1\.0\]"),
        ("Grid values", (2.0, 1.0, 3.0, 4.0, 5.0), r"rise from above 0"),
        ("Grid values", ("1", 2, 3, 4, 5), r"rise from above 0"),
        ("KSpace geometry", None, r"k-space is not a Geometry; received None; pass Geometry"),
        ("KSpace index", 2, r"does not take one or more slices .* received 2 of 2 slices"),
        ("KSpace index", True, r"received True of 2 slices"),
        ("Shift.chain", "motion", r"chained is not a shift; received 'motion'; make it with"),
        ("Shift.of", 3, r"neither an artifact nor the name of one; received 3"),
        ("Shift.mixture", NOISE, r"not a shift and its weight; received Shift"),
        ("Transform axis", 1.0, r"slice_axis is not the number of an axis; received 1\.0 for 5"),
        ("Transform geometry", "W", r"not a Geometry; received 'W'"),
        ("Params record knob", "1", r"knob of params is not a number, or one for each slice"),
        ("Params record draws", {"coefficient": [[1], [1, 2]]}, r"draws are not numbers under"),
        ("Params record draws", {"coefficient": [[math.nan] * 9] * 2}, r"not finite numbers; rec"),
        ("x", torch.zeros(2, 3, 4, device="meta"), r"not a dense tensor on a device that holds"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_user_reads(call, value, message):
    with pytest.raises(ArtifactError, match=message):
        CALLS[call](value)


def test_weights_of_any_size_are_shares():
    huge = Shift.mixture((NOISE, 1e308), (Shift.clean(), 1e308))
    assert huge == Shift.mixture((NOISE, 1), (Shift.clean(), 1))
    with pytest.raises(ArtifactError, match=r"above 0; received the weights \[0\.0, 0\.0\]"):
        Shift.mixture((NOISE, 0.0), (Shift.clean(), 0))


def test_a_key_that_is_there_twice_draws_the_same_twice():
    y = BIAS.apply(X[:1].expand(2, 12, 10), BIAS.sample(level=1, keys=["a", "a"], seed=0))
    assert torch.equal(y[0], y[1])


@pytest.mark.parametrize(
    ("part", "places"),
    [
        (1, [1]),
        (np.int64(-1), [1]),
        ([1, 0], [1, 0]),
        ((1,), [1]),
        (slice(None, None, -1), [1, 0]),
        ([True, False], [0]),
        (np.array([False, True]), [1]),
        (torch.tensor([1, 1]), [1, 1]),
        (torch.tensor([False, True]), [1]),
    ],
    ids=str,
)
def test_kspace_is_indexed_by_slice_and_keeps_its_axis(part, places):
    some = K[part]
    assert torch.equal(some.samples, K.samples[places])
    assert some.geometry.pixel_mm == [list(K.geometry.pixel_mm[place]) for place in places]


def test_numbers_of_numpy_and_torch_are_numbers():
    plain = BIAS.sample(level=2, keys=KEYS, seed=1).to_dict()
    for level, seed in ((np.int64(2), np.int32(1)), (torch.tensor(2), torch.tensor(1))):
        assert BIAS.sample(level=level, keys=np.array(KEYS), seed=seed).to_dict() == plain
    each = BIAS.sample(level=torch.tensor([2, 2]), keys=KEYS, seed=1)
    assert each.knob.tolist() == [plain["knob"]] * 2
    assert Geometry(encoded=np.array([12, 10])) == Geometry(encoded=(12, 10))
    assert artifacts_sim.get("motion", movements=np.int8(3)).options["movements"] == 3
    assert Shift.mixture((NOISE, np.float32(0.5))) == NOISE


@pytest.mark.parametrize("path", [("batch",), ("groups",), ("groups", 0), ("groups", 0, "slices")])
def test_an_altered_record_of_a_shift_is_refused(path):
    record = json.loads(json.dumps(SHIFT.sample(keys=list("abcdef"), seed=0).to_dict()))
    for value in (None, 1.5, "a", [], [0, [1]], {}):
        altered = copy.deepcopy(record)
        inner = altered
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        with pytest.raises(ArtifactError, match="; received "):
            ShiftParams.from_dict(altered)

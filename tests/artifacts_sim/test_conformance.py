"""The contract, held over every registered artifact."""

import json
import math
import pickle
import random
import re
from dataclasses import FrozenInstanceError, fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import artifacts_sim
from artifacts_sim import Artifact, ArtifactError, Geometry, Params, named_grid
from artifacts_sim.calibration.ssim import foreground, mean_ssim
from artifacts_sim.catalogue import LEVELS
from tests.support.shading import Shading

pytestmark = pytest.mark.slow

# One that nobody has calibrated, nor registered, keeps the contract as those that ship.
ARTIFACTS = [*map(artifacts_sim.get, artifacts_sim.names()), Shading()]
every_artifact = pytest.mark.parametrize("art", ARTIFACTS, ids=lambda art: art.name)
SHAPES = [
    (1, 1),
    (1, 6),
    (6, 1),
    (2, 3),
    (7, 7),
    (12, 8),
    (33, 20),
    (64, 64),
    (131, 140),
    (300, 257),
]
SLICE_DRAWS = {
    "rician": ("field_seed",),
    "noncentral_chi": ("field_seed", "channels_seed"),
    "low_field": ("field_seed",),
    "ghosting": ("cycle_phase_rad",),
    "spike": ("frequency_of_nyquist", "phase_rad"),
    "zipper": ("phases_seed",),
    "sense": ("noise_seed",),
    "shading": ("share",),
}
"""What happens to each slice apart; all other draws are a scan's."""
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
KEYS = [f"patient-{i}/slice-{i % 3}" for i in range(8)]


def physical(art, level, keys, seed=0):
    """Parameters of a level of the artifact's own scale, which every artifact has."""
    return art.sample(level=level, keys=keys, seed=seed, grid="physical")


def harshest(art, keys, seed=0):
    return physical(art, 5, keys, seed)


def as_complex(x):
    """An image of the same magnitude with a smooth phase."""
    phase = torch.linspace(-2, 3, x.numel(), dtype=x.dtype).reshape(x.shape)
    return torch.polar(x, phase)


@every_artifact
@every_shape
def test_zero_severity_returns_the_input_bit_for_bit(art, shape, phantoms):
    x = phantoms(2, *shape)
    for params in (
        art.sample(knob=0, keys=KEYS[:2], seed=1),
        art.sample(level=0, keys=KEYS[:2], seed=1),
    ):
        assert torch.equal(art.apply(x, params), x)
        z = as_complex(x)
        assert torch.equal(art.apply(z, params), z.abs())


@every_artifact
@every_shape
@pytest.mark.parametrize("kind", [torch.clone, as_complex], ids=["real", "complex"])
def test_output_is_a_new_finite_magnitude(art, shape, kind, phantoms):
    for batch in range(1, 6):
        x = kind(phantoms(batch, *shape))
        before = x.clone()
        y = art.apply(x, harshest(art, KEYS[:batch], seed=2))
        assert (y.shape, y.dtype, y.device) == (x.shape, torch.float32, x.device)
        assert y.is_contiguous()
        assert y.isfinite().all()
        assert (y >= 0).all()
        assert torch.equal(x, before)


@every_artifact
@pytest.mark.parametrize("shape", [*SHAPES, (320, 320)], ids=str)
@pytest.mark.parametrize("kind", [torch.clone, as_complex], ids=["real", "complex"])
def test_a_batch_equals_its_slices_one_by_one(art, shape, kind, phantoms):
    x = kind(phantoms(5, *shape))
    together = art.apply(x, physical(art, 4, KEYS[:5], seed=3))
    for i, key in enumerate(KEYS[:5]):
        alone = art.apply(x[i : i + 1], physical(art, 4, [key], seed=3))
        assert torch.equal(alone[0], together[i])


@every_artifact
def test_the_order_of_the_slices_is_irrelevant(art, phantoms):
    x = phantoms(5, 40, 36)
    order = [3, 0, 4, 2, 1]
    straight = art.apply(x, physical(art, 3, KEYS[:5], seed=4))
    shuffled = art.apply(x[order], physical(art, 3, [KEYS[i] for i in order], seed=4))
    assert torch.equal(shuffled, straight[order])


@every_artifact
def test_memory_layout_is_irrelevant(art, phantoms):
    x = phantoms(3, 24, 30)
    params = physical(art, 3, KEYS[:3], seed=4)
    transposed = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(art.apply(transposed, params), art.apply(x, params))
    lazy = as_complex(x).conj()
    assert torch.equal(art.apply(lazy, params), art.apply(lazy.resolve_conj(), params))


@every_artifact
@pytest.mark.parametrize(
    "through",
    [
        lambda params: Params.from_dict(json.loads(json.dumps(params.to_dict()))),
        lambda params: pickle.loads(pickle.dumps(params)),
    ],
    ids=["json", "pickle"],
)
def test_recorded_params_replay_the_same_pixels(art, through, phantoms):
    x = phantoms(4, 31, 42)
    params = physical(art, 3, KEYS[:4], seed=5)
    replayed = through(params)
    assert replayed.to_dict() == params.to_dict()
    assert torch.equal(art.apply(x, replayed), art.apply(x, params))


@every_artifact
def test_the_draws_do_not_depend_on_the_severity(art):
    draws = [physical(art, level, KEYS, seed=6).to_dict()["draws"] for level in range(6)]
    assert all(other == draws[0] for other in draws)


@every_artifact
def test_seed_and_key_each_change_the_pixels(art, phantoms):
    """Of many slices, as a draw may be one of two sides; with phase, in which that shows."""
    keys = [f"slice-{i}" for i in range(40)]
    x = as_complex(phantoms(1, 30, 30)).expand(len(keys), 30, 30)
    one, other = (art.apply(x, physical(art, 3, keys, seed=seed)) for seed in (0, 1))
    if all(array.size == 0 for array in physical(art, 3, keys).draws.values()):
        assert torch.equal(one, other)  # it has nothing to draw
        return
    assert not torch.equal(one, other)
    assert not all(torch.equal(y, one[0]) for y in one)


@every_artifact
def test_damage_grows_with_the_level(art, phantoms):
    x, keys = phantoms(24, 72, 64), [f"slice-{i}" for i in range(24)]
    outputs = [art.apply(x, physical(art, level, keys, seed=7)) for level in range(6)]
    damage = [float((y - x).square().mean().sqrt()) for y in outputs]
    assert damage[0] == 0
    assert all(more > 1.02 * less for less, more in pairwise(damage[1:]))


@every_artifact
def test_similarity_falls_with_the_level(art, phantoms):
    x = phantoms(8, 72, 64)
    levels = [physical(art, level, KEYS, seed=7) for level in range(6)]
    inside = foreground(x)
    similarity = [float(mean_ssim(x, art.apply(x, params), inside).mean()) for params in levels]
    assert similarity[0] == pytest.approx(1, abs=1e-6)
    assert all(less < more for more, less in pairwise(similarity))


@every_artifact
@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(2, 5),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    phase=st.booleans(),
    seed=st.integers(0, 2**32),
    severity=st.floats(0, 1),
)
def test_any_batch_of_any_shape_equals_its_slices(art, batch, shape, phase, seed, severity):
    pixels = np.random.default_rng(seed).random((batch, *shape), dtype=np.float32)
    x = torch.from_numpy(pixels)
    x = as_complex(x) if phase else x
    knob = severity * art.knob.limit
    together = art.apply(x, art.sample(knob=knob, keys=KEYS[:batch], seed=seed))
    for i in range(batch):
        alone = art.apply(x[i : i + 1], art.sample(knob=knob, keys=[KEYS[i]], seed=seed))
        assert torch.equal(alone[0], together[i])


@every_artifact
@pytest.mark.parametrize("grid", ["calibrated", "physical"])
def test_a_level_is_its_knob_value(art, grid):
    for level in (0, *LEVELS):
        try:
            knob = art.at(level, grid)
        except ArtifactError as error:
            said = f"not reach this level .*; received level {level} of the calibrated grid for "
            reached = re.search(f"{said}'{art.name}'", str(error))
            assert reached or (art.name == "shading" and "calibrate" in str(error))  # noqa: PT017
            continue
        by_level = art.sample(level=level, keys=KEYS, seed=0, grid=grid)
        assert by_level.to_dict() == art.sample(knob=knob, keys=KEYS, seed=0).to_dict()


@every_artifact
def test_levels_rise_within_the_limit(art):
    assert len(art.knob.physical) == 5
    physical = (0, *art.knob.physical)
    assert all(low < high for low, high in pairwise(physical))
    knobs = named_grid("calibrated").knobs
    assert art.name in knobs or art.name == "shading"
    calibrated = knobs.get(art.name, ())
    for value in (*art.knob.physical, *calibrated):
        assert value is None or value <= art.knob.limit


@every_artifact
@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(1, 5),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    exponent=st.integers(-20, 20),
    seed=st.integers(-(2**70), 2**70),
    severity=st.floats(0, 1),
)
def test_the_unit_of_intensity_is_irrelevant(art, batch, shape, exponent, seed, severity):
    pixels = np.random.default_rng(abs(seed)).random((batch, *shape), dtype=np.float32)
    x = torch.from_numpy(pixels) * (torch.from_numpy(pixels) > 0.4)
    params = art.sample(knob=severity * art.knob.limit, keys=KEYS[:batch], seed=seed)
    y = art.apply(x, params)
    assert y.isfinite().all()
    assert (y >= 0).all()
    unit = 2.0**exponent
    torch.testing.assert_close(art.apply(x * unit, params) / unit, y, rtol=1e-5, atol=5e-6)


@every_artifact
@pytest.mark.parametrize("peak", [1e-15, 1e15])
@pytest.mark.parametrize("kind", [torch.clone, as_complex], ids=["real", "complex"])
def test_intensities_have_no_unit_from_one_end_of_the_range_to_the_other(art, peak, kind, phantoms):
    x = kind(phantoms(3, 24, 30))
    unit = 2.0 ** math.floor(math.log2(peak)) if peak < 1 else 2.0**49
    params = art.sample(knob=art.knob.limit, keys=KEYS[:3], seed=4)
    damaged = art.apply(x * unit, params) / unit
    torch.testing.assert_close(damaged, art.apply(x, params), rtol=1e-5, atol=5e-6)
    faint = art.apply(x * 1e-25, params)
    assert faint.isfinite().all()
    assert (faint >= 0).all()


OPTIONS = {
    "motion": {
        "movements": (1, 20, 1000),
        "mm_per_degree": (0.0, 100.0),
        "interleaves": (2, 1000),
        "echo_train": (1, 1000),
        "window": ((0.0, 1e-9), (1 - 1e-9, 1.0)),
    },
    "elastic": {"control_points": (5, 100)},
    "metal": {
        "dchi_ppm": (1e-3, 1e6),
        "field_t": (1e-3, 30.0),
        "te_ms": (0.0, 1e3),
        "readout_hz_per_mm": (1.0, 1e12),
        "voxel_mm": (1e-3, 100.0),
    },
    "receive": {"coils": (1, 256)},
    "undersampling": {"centre_fraction": (0.0, 1 - 1e-9)},
    "spike": {"spikes": (1, 1000)},
    "zipper": {"zippers": (1, 8, 32), "width_px": (1, 8, 64)},
    "low_field": {
        "peak_snr": (1.0, 1e12),
        "snr_exponent": (0.1, 3.0),
        "regained_exponent": (0.0, 2.9),
        "pixel_exponent": (0.0, 1.0),
        "contrast_per_octave": (0.0, 0.25),
    },
    "sense": {
        "coils": (2, 64, 256),
        "calibration_lines": (1, 1000),
        "tikhonov": (0.0, 1.0),
        "noise_of_max": (0.0, 1.0),
    },
    "noncentral_chi": {"coils": (1, 256)},
}
"""The ends of every option that is a number, and what lies between where these take long."""


@every_artifact
@settings(max_examples=12, deadline=None)
@given(
    data=st.data(),
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    phase=st.booleans(),
    severity=st.sampled_from([1e-3, 0.5, 1.0]),
)
def test_options_at_their_ends_give_finite_pixels(art, data, shape, phase, severity):
    ends = OPTIONS.get(art.name, {})
    numbers = {f.name for f in fields(art) if isinstance(f.default, int | float | tuple)}
    assert set(ends) == numbers - {"two_sided"}
    chosen = {
        name: data.draw(st.sampled_from([art.options[name], *ends[name]])) for name in sorted(ends)
    }
    try:
        extreme = replace(art, **chosen)
    except ArtifactError as error:
        assert "snr_exponent is not a number above what is regained" in str(error)  # noqa: PT017
        return
    x = torch.from_numpy(np.random.default_rng(0).random((2, *shape), dtype=np.float32))
    x = as_complex(x) if phase else x
    y = extreme.apply(x, extreme.sample(knob=severity * art.knob.limit, keys=KEYS[:2], seed=1))
    assert y.isfinite().all()
    assert (y >= 0).all()


@every_artifact
def test_options_beyond_their_ends_are_refused(art):
    for name, ends in OPTIONS.get(art.name, {}).items():
        for beyond in (-1, 10 * max(ends) if name != "window" else (0.5, 2.0), math.nan, "1", None):
            with pytest.raises(ArtifactError, match=rf"the option {name} is not .*; received"):
                replace(art, **{name: beyond})


@every_artifact
def test_altered_draws_are_refused(art, phantoms):
    """NaN, another shape, other names: what a user did by hand is said, not computed with."""
    x, params = phantoms(2, 9, 8), physical(art, 3, KEYS[:2])
    for name, array in params.draws.items():
        altered = [np.zeros((2, *array.shape[1:], 1)), *([] if array.ndim > 1 else [[1, [2]]])]
        if array.dtype.kind == "f" and array.size:
            altered += [np.where(np.arange(array.size).reshape(array.shape) == 0, np.nan, array)]
        for other in altered:
            with pytest.raises(ArtifactError, match=r"the draws are not .*; received .*; pass"):
                art.apply(x, Params(art.name, art.options, 0.1, {**params.draws, name: other}))
    with pytest.raises(ArtifactError, match=rf"the draws are not those of {art.name}: "):
        art.apply(x, Params(art.name, art.options, 0.1, {"other": np.zeros(2)}))


@every_artifact
def test_extreme_pixels_stay_finite(art):
    x = torch.zeros(3, 9, 8)
    x[0] = 1e15
    x[1, 4, 3] = 1e15  # one hot pixel; the third slice is empty
    params = art.sample(knob=art.knob.limit, keys=KEYS[:3], seed=8)
    y = art.apply(x, params)
    assert y.isfinite().all()
    torch.testing.assert_close(y[2], x[2])


@every_artifact
def test_a_complex_image_of_no_phase_is_its_magnitude(art, phantoms):
    """The real path's shortcuts against plain complex arithmetic."""
    for shape in ((31, 24), (24, 31)):
        x = phantoms(3, *shape)
        params = physical(art, 4, KEYS[:3], seed=9)
        through_complex = art.apply(x.to(torch.complex64), params)
        torch.testing.assert_close(art.apply(x, params), through_complex, rtol=0, atol=2e-6)


@every_artifact
def test_global_random_states_are_left_alone(art, phantoms):
    def states():
        legacy = np.random.get_state(legacy=False)  # noqa: NPY002 - the global state is the point
        return torch.get_rng_state().tolist(), repr(legacy), random.getstate()

    before = states()
    art.apply(phantoms(2, 20, 20), physical(art, 3, KEYS[:2], seed=10))
    assert states() == before


@every_artifact
def test_gradients_are_recorded_where_they_are_asked_for(art, phantoms):
    x = phantoms(2, 16, 16)
    assert not art.apply(x, physical(art, 3, KEYS[:2])).requires_grad
    params = physical(art, 3, KEYS[:2])
    x.requires_grad_()
    with torch.no_grad():
        plain = art.apply(x, params)
    assert not plain.requires_grad
    y = art.apply(x, params)
    torch.testing.assert_close(y, plain, rtol=0, atol=2e-5)
    y.sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.any()


@every_artifact
@pytest.mark.parametrize("kind", [torch.clone, as_complex], ids=["real", "complex"])
def test_the_gradient_of_the_image_is_right(art, kind, phantoms):
    """Away from pixels of 0, where a magnitude has none."""
    x = kind((phantoms(2, 7, 6) + 0.1).double()).requires_grad_()
    params = physical(art, 3, KEYS[:2], seed=3)
    assert torch.autograd.gradcheck(lambda image: art.apply(image, params), [x], atol=1e-4)


@every_artifact
def test_the_gradient_of_the_knob_is_right_or_refused(art, phantoms):
    x = (phantoms(2, 9, 8) + 0.1).double()
    knob = torch.tensor([0.83, 0.61], dtype=torch.float64) * art.knob.physical[3]
    knob.requires_grad_()
    if not art.smooth:
        with pytest.raises(ArtifactError, match=f"{art.name} has no derivative with respect to"):
            art.sample(knob=knob, keys=KEYS[:2], seed=3)
        return
    params = art.sample(knob=knob, keys=KEYS[:2], seed=3)
    assert torch.autograd.gradcheck(
        lambda value: art.apply(x, params.with_knob(value)), [knob], atol=1e-4
    )


@every_artifact
@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float64, torch.complex128],
    ids=str,
)
def test_every_floating_type_is_taken_and_kept(art, dtype, phantoms):
    x = phantoms(2, 24, 20).to(dtype)
    params = physical(art, 3, KEYS[:2])
    y = art.apply(x, params)
    real = torch.float64 if dtype == torch.complex128 else dtype
    assert y.dtype == real
    exact = art.apply(x.to(torch.complex64 if dtype.is_complex else torch.float32), params)
    error = torch.finfo(dtype).eps if real != torch.float64 else 2e-5
    torch.testing.assert_close(y.float(), exact.float(), rtol=2 * error, atol=2 * error)
    clean = art.apply(x, physical(art, 0, KEYS[:2]))
    assert torch.equal(clean, x.abs() if dtype.is_complex else x)


@every_artifact
def test_slices_may_have_their_own_knob_and_pixel_size(art, phantoms):
    x, knobs = phantoms(5, 30, 24), np.array([0.3, 0.0, 1.0, 0.7, 0.3]) * art.knob.physical[4]
    sizes = [(1.0, 1.0), (0.5, 2.0), (2.0, 1.5), (1.0, 1.0), (3.0, 3.0)]
    params = art.sample(knob=knobs, keys=KEYS[:5], seed=2)
    replayed = Params.from_dict(json.loads(json.dumps(params.to_dict())))
    together = art.apply(x, replayed, Geometry(pixel_mm=sizes))
    for i, (knob, size) in enumerate(zip(knobs.tolist(), sizes, strict=True)):
        alone = art.sample(knob=knob, keys=[KEYS[i]], seed=2)
        expected = art.apply(x[i : i + 1], alone, Geometry(pixel_mm=size))
        assert torch.equal(together[i], expected[0])


@every_artifact
def test_slices_of_a_scan_share_what_is_the_scans(art, phantoms):
    """And each slice has its own noise: no draw is the same in all slices of one scan by chance."""
    keys, scans = [f"s{i}" for i in range(12)], ["one"] * 6 + ["two"] * 6
    draws = art.sample(level=3, grid="physical", keys=keys, scans=scans, seed=4).draws
    alone = art.sample(level=3, grid="physical", keys=keys[7:8], scans=["two"], seed=4).draws
    for name, values in draws.items():
        assert np.array_equal(values[7], alone[name][0])  # neither the partners nor the order
        of_scan = name not in SLICE_DRAWS.get(art.name, ())
        same = all(np.array_equal(values[0], value) for value in values[:6])
        assert same == of_scan or values.size == 0, name


@every_artifact
@pytest.mark.filterwarnings("ignore")
def test_a_compiler_changes_no_pixel(art, phantoms):
    x, params = phantoms(2, 20, 18), physical(art, 3, KEYS[:2])
    compiled = torch.compile(lambda image: art.apply(image * 1.0, params) + 0.0, backend="eager")
    assert torch.equal(compiled(x), art.apply(x, params))


@pytest.mark.parametrize("seed", [None, "1", math.nan, 1.5, True], ids=str)
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(
        ArtifactError, match=r"seed is not a whole number of at most 128 bits; received"
    ):
        artifacts_sim.get("bias").sample(level=1, keys=KEYS, seed=seed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_artifact
@pytest.mark.parametrize("kind", [torch.clone, as_complex], ids=["real", "complex"])
def test_cuda_equals_cpu(art, kind, phantoms):
    x = kind(phantoms(4, 96, 80))
    for level in (0, 1, 5):
        params = physical(art, level, KEYS[:4], seed=11)
        on_gpu = art.apply(x.cuda(), params)
        assert on_gpu.is_cuda
        torch.testing.assert_close(on_gpu.cpu(), art.apply(x, params), rtol=0, atol=5e-5)


@every_artifact
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((1, 4, 4), np.float32), r"\(B, H, W\); received ndarray"),
        (torch.ones(4, 4), r"\(B, H, W\); received \(4, 4\)"),
        (torch.ones(1, 0, 4), r"non-empty tensor .* received \(1, 0, 4\)"),
        (torch.ones(1, 4, 4, dtype=torch.int32), r"received torch.int32; convert"),
        (torch.full((1, 4, 4), -0.1), r"received -0.1 to -0.1; apply artifacts to magnitudes"),
        (torch.full((1, 4, 4), math.nan), r"values are not finite numbers .* received nan"),
        (torch.full((1, 4, 4), math.inf), r"values are not finite numbers .* received inf"),
        (torch.full((1, 4, 4), math.inf, dtype=torch.complex64), r"values are not finite numbers"),
    ],
    ids=["ndarray", "rank", "empty", "dtype", "negative", "nan", "inf", "complex inf"],
)
def test_bad_images_are_refused(art, x, message):
    with pytest.raises(ArtifactError, match=message):
        art.apply(x, art.sample(level=0, keys=KEYS[:1], seed=0))


@every_artifact
@pytest.mark.parametrize(
    ("severity", "message"),
    [
        ({}, r"not one of a level and a knob value; received level=None and knob=None"),
        ({"level": 1, "knob": 0.1}, r"pass exactly one of them"),
        ({"level": 6}, r"no such level; received 6; take 0 \(identity\) to 5, or pass knob="),
        ({"level": -1}, r"received -1"),
        ({"level": 2.5}, r"received 2.5; take .* pass knob= .* for a severity in between"),
        (
            {"level": 1, "grid": "clinical"},
            r"no such grid .*; received 'clinical'; take one of 'calibrated', 'physical'",
        ),
        ({"knob": -0.1}, r"received -0.1; .* such as its physical levels 1 to 5: "),
        ({"knob": math.nan}, r"not a finite number .* received nan"),
        ({"knob": 1e9}, r"from 0 \(identity\) to .* received 1000000000.0"),
    ],
    ids=str,
)
def test_bad_severities_are_refused(art, severity, message):
    with pytest.raises(ArtifactError, match=message):
        art.sample(keys=KEYS[:1], seed=0, **severity)


@every_artifact
@pytest.mark.parametrize("keys", ["patient-1", [], [1, 2], ["a", None], {"a": 0}], ids=str)
def test_bad_keys_are_refused(art, keys):
    with pytest.raises(ArtifactError, match=r"not one string per slice, .* received"):
        art.sample(level=1, keys=keys, seed=0)


@every_artifact
def test_foreign_params_are_refused(art, phantoms):
    params = physical(art, 1, KEYS[:2])
    with pytest.raises(
        ArtifactError, match="received 2 draws for a batch of 3; sample with one key"
    ):
        art.apply(phantoms(3, 8, 8), params)
    foreign = Params("other", params.options, params.knob, params.draws)
    with pytest.raises(ArtifactError, match=rf"'{art.name}' with .* received params of 'other'"):
        art.apply(phantoms(2, 8, 8), foreign)
    of_another_kind = Params(art.name, {"kind": "other"}, params.knob, params.draws)
    with pytest.raises(ArtifactError, match=r"with {'kind': 'other'}; use .*drawn_by"):
        art.apply(phantoms(2, 8, 8), of_another_kind)
    too_far = Params(art.name, params.options, -1.0, params.draws)
    with pytest.raises(ArtifactError, match=r"received -1.0"):
        art.apply(phantoms(2, 8, 8), too_far)


@every_artifact
def test_params_are_frozen(art):
    params = physical(art, 1, KEYS[:2])
    with pytest.raises(FrozenInstanceError):
        params.knob = 2.0
    for array in params.draws.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_altered_records_are_refused():
    record = artifacts_sim.get("bias").sample(level=1, keys=KEYS[:2], seed=0).to_dict()
    with pytest.raises(ArtifactError, match=r"received \['knob', 'name', 'options'\]; pass"):
        Params.from_dict({key: value for key, value in record.items() if key != "draws"})
    with pytest.raises(ArtifactError, match=r"the same number under every name; received"):
        Params("bias", {}, 1.0, {"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ArtifactError, match=r"numbers under names, one row per slice; received {}"):
        Params("bias", {}, 1.0, {})


def test_the_contracted_artifacts_are_known():
    assert artifacts_sim.names()[:5] == ("rician", "motion", "ghosting", "spike", "bias")


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    expected = "received 'moton'; did you mean 'motion'? known: " + ", ".join(artifacts_sim.names())
    with pytest.raises(ArtifactError, match=re.escape(expected)):
        artifacts_sim.get("moton")


def test_a_name_is_registered_once():
    before = artifacts_sim.names()
    with pytest.raises(ArtifactError, match="already; received 'bias' again, from Bias"):
        artifacts_sim.register(artifacts_sim.get("bias"))
    assert artifacts_sim.names() == before


def test_an_artifact_must_draw_and_render():
    with pytest.raises(TypeError, match="abstract"):
        Artifact()


@pytest.mark.parametrize("name", ["bias", "receive"])
@pytest.mark.parametrize("size", [96, 161, 256, 512])
def test_shading_has_its_range_over_an_object_of_any_size(name, size):
    """Nine pixels at an edge, two single ones; a single one has no range, and keeps its value."""
    x = torch.zeros(3, size, size)
    edge = int(0.877 * size)
    x[0, edge : edge + 3, edge : edge + 3] = 1
    x[1, size // 3, size // 3] = x[1, 2 * size // 3, 2 * size // 3] = 1
    x[2, 40, 50] = 1
    art = artifacts_sim.get(name)
    params = art.sample(knob=1.5, keys=list("abc"), seed=0)
    gain = (art.apply(x, params) / x).log()
    for number, ends in enumerate([(-0.75, 0.75), (-0.75, 0.75), (0.0, 0.0)]):
        inside = gain[number][x[number] > 0]
        assert (float(inside.min()), float(inside.max())) == pytest.approx(ends, abs=2e-4)
        alone = art.apply(x[number : number + 1], params[number : number + 1])
        assert torch.equal((alone[0] / x[number]).log()[x[number] > 0], inside)


def test_sense_of_lines_none_of_which_was_acquired_is_empty():
    art = artifacts_sim.get("sense")
    params = art.sample(knob=5 / 6, keys=["a"], seed=0)
    y = art.apply(torch.ones(1, 44, 44), params, Geometry(acquired=[0]))
    assert torch.equal(y, torch.zeros_like(y))

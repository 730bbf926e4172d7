"""Calibration: levels hit their targets, rise, and are missing where nothing reaches them."""

import json
import re
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

import artifacts_sim
from artifacts_sim import ArtifactError
from artifacts_sim.calibration.bootstrap import resampled_weights
from artifacts_sim.calibration.calibrate import TARGETS, calibrate, record
from artifacts_sim.calibration.curve import Slices, likeness
from artifacts_sim.calibration.isotonic import falling_fit
from artifacts_sim.calibration.ssim import foreground, mean_ssim

pytestmark = pytest.mark.slow


@dataclass(init=False, eq=False)
class Gain:
    """Multiplies flat slices by 1 + g(knob), whose SSIM is known: see `ssim_of_gain`."""

    name: ClassVar[str] = "gain"
    options: ClassVar[dict[str, float]] = {}

    def __init__(
        self,
        limit=10.0,
        response=lambda knob: knob,
        sensitivity=lambda key, seed: 1.0,
        effective=lambda knob: knob,
    ):
        self.effective = effective
        self.knob = SimpleNamespace(name="gain", limit=limit)
        self.response, self.sensitivity = response, sensitivity
        self.asked = set()

    def sample(self, *, knob, keys, seed):
        assert 0 <= knob <= self.knob.limit
        self.asked.add(knob)
        return [1 + self.sensitivity(key, seed) * self.response(knob) for key in keys]

    def apply(self, x, params, geometry=None):
        return x * torch.tensor(params, dtype=torch.float32)[:, None, None]


def ssim_of_gain(gain):
    """Of a flat slice of the full intensity range against itself times a gain."""
    return (2 * gain + 1e-4) / (1 + gain**2 + 1e-4)


def flat(patients, per_patient=1, name="p", size=6):
    """Flat slices of several patients."""
    keys = [f"{name}{i}/{j}" for i in range(patients) for j in range(per_patient)]
    return Slices(
        torch.ones(len(keys), size, size), tuple(keys), tuple(key.split("/")[0] for key in keys)
    )


def textured(patients, name="p", size=40):
    """Slices with structure, one a patient."""
    rng = np.random.default_rng(len(name))
    v, u = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    phase = rng.uniform(0, 6, (patients, 2, 1, 1))
    waves = 60 + 40 * np.cos(8 * u + phase[:, 0]) * np.cos(6 * v + phase[:, 1])
    images = np.where(u**2 + v**2 < 0.9, waves, 0).astype(np.float32)
    names = tuple(f"{name}{i}" for i in range(patients))
    return Slices(torch.from_numpy(images), names, names)


OTHERS = flat(2, name="other")


def values(calibration):
    return [level.knob for level in calibration.levels]


def test_a_known_curve_is_hit():
    art = Gain()
    found = calibrate(art, flat(3), OTHERS, seed=0)
    for level, target in zip(found.levels, TARGETS, strict=True):
        assert level.target == target
        assert level.ssim == pytest.approx(target, abs=2e-3)
        assert level.ssim == pytest.approx(ssim_of_gain(1 + level.knob), abs=1e-6)
        assert level.held_out_ssim == pytest.approx(level.ssim, abs=1e-6)
        assert level.psnr_db == pytest.approx(-20 * np.log10(level.knob), abs=1e-4)
    assert found.evaluations == len(art.asked)


def test_values_have_four_digits_and_rise():
    found = values(calibrate(Gain(), flat(3), OTHERS, seed=0))
    assert found == [float(f"{value:.4g}") for value in found]
    assert found == sorted(set(found))


@pytest.mark.parametrize("name", artifacts_sim.names())
def test_every_artifact_measures_what_its_levels_say(name):
    art = artifacts_sim.get(name)
    reference, others = textured(6), textured(3, "other")
    mask = foreground(others.images)
    for level in calibrate(art, reference, others, seed=5).levels:
        if level.knob is None:
            assert level.missing
            continue
        y = art.apply(
            reference.images, art.sample(knob=level.knob, keys=list(reference.keys), seed=5)
        )
        ssim = mean_ssim(reference.images, y, foreground(reference.images)).mean()
        assert float(ssim) == pytest.approx(level.ssim, abs=1e-6)
        y = art.apply(others.images, art.sample(knob=level.knob, keys=list(others.keys), seed=6))
        assert float(mean_ssim(others.images, y, mask).mean()) == pytest.approx(
            level.held_out_ssim, abs=1e-6
        )


def test_a_level_beyond_the_limit_is_missing_and_never_tried():
    art = Gain(limit=1.4)  # SSIM .71 at most
    found = calibrate(art, flat(3), OTHERS, seed=0)
    assert [value is None for value in values(found)] == [False, False, False, True, True]
    assert max(art.asked) == 1.4
    missing = found.levels[4]
    assert re.fullmatch(r"at its limit 1\.4 the SSIM is 0\.7\d\d", missing.missing)
    assert (missing.interval, missing.ssim, missing.held_out_ssim, missing.psnr_db) == (None,) * 4


def test_a_limit_of_many_digits_is_not_passed():
    art = Gain(limit=1.9999999)
    calibrate(art, flat(3), OTHERS, seed=0)
    assert max(art.asked) <= 1.9999999


def test_whole_steps_end_the_search_at_values_that_come_near():
    art = Gain(limit=100.0, response=lambda knob: np.ceil(knob) / 25)
    found = calibrate(art, flat(3), OTHERS, seed=0)
    assert found.evaluations < 100
    for level in found.levels:
        assert level.ssim == pytest.approx(level.target, abs=0.02)
        assert level.ssim == pytest.approx(ssim_of_gain(1 + np.ceil(level.knob) / 25), abs=1e-6)


def test_each_step_is_measured_once_where_the_steps_are_known():
    knowing = Gain(limit=100.0, response=lambda knob: knob / 40, effective=np.ceil)
    found = calibrate(knowing, flat(3), OTHERS, seed=0)
    assert all(knob == int(knob) for knob in knowing.asked)
    for level in found.levels:
        assert level.ssim == pytest.approx(level.target, abs=0.006)  # half of a step


def test_a_target_that_a_jump_passes_over_is_missing():
    art = Gain(limit=4.0, response=np.ceil)  # SSIM .80 up to knob 1, .60 up to 2
    found = calibrate(art, flat(3), OTHERS, seed=0)
    assert [value is None for value in values(found)] == [True, True, False, True, False]
    assert "falls at once from 1.00 to 0.80" in found.levels[0].missing
    assert "between 1 and 1.001 the SSIM falls at once from 0.80 to 0.60" in found.levels[3].missing


@pytest.mark.parametrize("swing", [0.5, 0.7, 0.9, 1.1])
@pytest.mark.parametrize("pace", [3, 5, 7])
def test_where_the_curve_turns_back_the_levels_still_rise(swing, pace):
    art = Gain(limit=6.0, response=lambda knob: knob * (1 + swing * np.sin(pace * knob)) / 2)
    levels = [level for level in calibrate(art, flat(3), OTHERS, seed=0).levels if level.knob]
    assert len(levels) >= 2 or swing > 0.8  # of a curve that hardly falls, all may be missing
    found = [level.knob for level in levels]
    assert found == sorted(set(found))
    assert all(abs(level.ssim - level.target) <= 0.02 for level in levels)


def test_any_scale_of_the_knob_is_found():
    for limit in (1e-6, 1.0, 1e5):
        art = Gain(limit=limit, response=lambda knob, limit=limit: 100 * knob / limit)
        found = calibrate(art, flat(2), OTHERS, seed=0)
        assert [level.ssim for level in found.levels] == pytest.approx(TARGETS, abs=2e-3)


def test_the_order_of_the_slices_does_not_matter():
    reference, others = textured(5), textured(2, "other")
    order = [3, 1, 4, 0, 2]
    shuffled = Slices(
        reference.images[order],
        tuple(reference.keys[i] for i in order),
        tuple(reference.patients[i] for i in order),
    )
    art = artifacts_sim.get("spike")
    assert values(calibrate(art, shuffled, others, 0)) == values(
        calibrate(art, reference, others, 0)
    )


def test_measuring_in_parts_changes_nothing():
    reference = textured(3, size=300)  # one slice at a time
    art = artifacts_sim.get("spike")
    found = likeness(art, reference, 0.4, seed=1)
    y = art.apply(reference.images, art.sample(knob=0.4, keys=list(reference.keys), seed=1))
    expected = mean_ssim(reference.images, y, foreground(reference.images))
    np.testing.assert_allclose(found.foreground, expected, rtol=1e-6)


def test_global_random_state_is_left_alone(global_random_state):
    calibrate(artifacts_sim.get("rician"), textured(3), textured(2, "other"), seed=0)


def test_the_same_seed_gives_the_same_and_another_seed_another():
    art = artifacts_sim.get("motion")
    first, again, other = (
        calibrate(art, textured(4), textured(2, "other"), seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert values(first) != values(other)


# Intervals


def by_patient(key, seed):
    """Every second patient shows a third of the damage that the others show."""
    return 0.5 if int(key[1:].split("/")[0]) % 2 else 1.5


def test_patients_who_are_alike_leave_no_doubt():
    found = calibrate(Gain(), flat(4), OTHERS, seed=0)
    for level in found.levels:
        low, high = level.interval
        assert low == pytest.approx(high, rel=1e-9)
        assert ssim_of_gain(1 + low) == pytest.approx(level.target, abs=2e-3)


def test_patients_who_differ_give_an_interval_around_the_value_that_more_of_them_narrow():
    def widths(patients):
        art = Gain(sensitivity=lambda key, seed: by_patient(key, seed) if key[0] == "p" else 1.0)
        levels = calibrate(art, flat(patients), OTHERS, seed=0).levels
        assert all(level.interval[0] < level.knob < level.interval[1] for level in levels)
        return np.array([level.interval[1] - level.interval[0] for level in levels])

    # A mean over n patients varies with n^-1/2: sixteen times as many, a quarter of the width.
    np.testing.assert_allclose(widths(160) / widths(10), 0.25, rtol=0.35)


def test_more_slices_of_the_same_patients_do_not_narrow_it():
    art = Gain(sensitivity=lambda key, seed: by_patient(key, seed) if key[0] == "p" else 1.0)
    one, five = (calibrate(art, flat(8, count), OTHERS, seed=0) for count in (1, 5))
    for level, same in zip(one.levels, five.levels, strict=True):
        assert same.interval == pytest.approx(level.interval, rel=1e-6)


def test_resamples_that_do_not_reach_a_target_count_as_the_limit():
    art = Gain(limit=2.2, sensitivity=by_patient)
    others = replace(OTHERS, keys=("p0", "p1"))
    found = calibrate(art, flat(8), others, seed=0)
    assert found.levels[3].knob < 2.2
    assert found.levels[3].interval[1] == 2.2


def test_resamples_draw_whole_patients():
    weights = resampled_weights(["a", "b", "a", "c"], seed=3)
    assert weights.shape == (1000, 4)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights, resampled_weights(["a", "b", "a", "c"], seed=3))
    assert not np.array_equal(weights, resampled_weights(["a", "b", "a", "c"], seed=-3))


# The fit


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_the_fit_is_that_of_scikit_learn(numbers):
    expected = IsotonicRegression(increasing=False).fit_transform(range(len(numbers)), numbers)
    np.testing.assert_allclose(falling_fit(numbers), expected, rtol=0, atol=1e-12)


def test_a_falling_curve_is_its_own_fit():
    assert falling_fit([1, 0.5, 0.5, -2]).tolist() == [1, 0.5, 0.5, -2]


# The record


def test_a_record_is_plain_and_has_null_where_a_level_is_missing():
    found = calibrate(Gain(limit=1.4), flat(3), OTHERS, seed=0)
    written = record([found], {"seed": 0})
    assert json.loads(json.dumps(written)) == written
    assert (written["format"], written["version"]) == ("mrisweep-levels", 1)
    assert written["targets"] == list(TARGETS)
    assert written["reference"] == {"seed": 0}
    row = written["artifacts"]["gain"]
    columns = ["values", "interval", "ssim", "held_out_ssim", "other_ssim", "psnr_db", "missing"]
    assert list(row) == ["knob", *columns, "evaluations"]
    assert row["knob"] == "gain"
    assert row["values"] == values(found)
    for column in columns[:-1]:
        assert [item is None for item in row[column]] == [False, False, False, True, True]
    assert row["ssim"][0] == float(f"{found.levels[0].ssim:.4g}")


# What is refused


@pytest.mark.parametrize(
    ("reference", "held_out", "message"),
    [
        (flat(1, 4), OTHERS, r"too few patients: .*received 1 to find them on and 2 to check"),
        (flat(3), flat(0), r"checked on another; received 3 to find them on and 0 to check"),
        (flat(3), flat(1), r"'p0' on both sides; take each patient on one side"),
        (
            Slices(torch.zeros(2, 4, 4), ("a", "b"), ("a", "b")),
            OTHERS,
            r"without a pixel above 0.*leave them out",
        ),
    ],
    ids=["one patient", "nothing held out", "a patient on both sides", "empty slices"],
)
def test_a_reference_that_cannot_serve_is_refused(reference, held_out, message):
    with pytest.raises(ArtifactError, match=message):
        calibrate(Gain(), reference, held_out, seed=0)


def test_slices_have_a_key_and_a_patient_each():
    with pytest.raises(ArtifactError, match=r"received 2 slices, 1 keys and 2 patients; pass as"):
        Slices(torch.ones(2, 4, 4), ("a",), ("a", "b"))

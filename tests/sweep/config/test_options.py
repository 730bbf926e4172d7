"""Options of artifacts in a sweep: what its file may say, what holds them, what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import artifacts_sim
from artifacts_sim import Shift
from sweep.config.artifacts import given_options
from sweep.config.augment import AugmentSettings
from sweep.config.levels import augmentation, knobs_of, shift_of
from sweep.config.reading import override
from sweep.config.settings import StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import Cell
from sweep.learn.stress import cells_of

LATE = {"window": [0.5, 1.0]}
VARIANTS = {"motion": {"order": "interleaved", "interleaves": 3}, "motion-late": LATE}
STRESS = StressSettings(
    artifacts=("motion", "motion-late", "bias"), levels=(2,), grid="physical", options=VARIANTS
)


def config(*assignments: str) -> SweepConfig:
    raw: dict[str, Any] = {
        "name": "knees",
        "data": {"store": "knee.h5", "train": [1, 2], "validation": [3]},
    }
    return SweepConfig.from_dict(override(raw, assignments))


def test_a_cell_has_the_artifact_with_its_options() -> None:
    interleaved = artifacts_sim.get("motion", order="interleaved", interleaves=3)
    late = artifacts_sim.get("motion", window=(0.5, 1.0))
    knob = late.knob.physical[1]
    assert shift_of(STRESS, Cell("motion", 2)) == Shift.of(interleaved, knob=knob)
    assert shift_of(STRESS, Cell("motion-late", 2)) == Shift.of(late, knob=knob)
    assert shift_of(STRESS, Cell("bias", 2)) == Shift.of("bias", level=2, grid="physical")
    names = [cell.artifact for cell in cells_of(STRESS)]
    assert names == ["clean", "motion", "motion-late", "bias"]


def test_the_augmentation_has_them_too() -> None:
    augment = AugmentSettings(artifacts=("motion-late",), levels=(2,), probability=1.0)
    assert augmentation(STRESS, augment) == shift_of(STRESS, Cell("motion-late", 2))


def test_a_dotted_name_sets_an_option() -> None:
    asked = config(
        "stress.artifacts=[motion, motion-late]",
        "stress.options.motion.order=interleaved",
        "stress.options.motion-late.window=[0.5, 1.0]",
        "train.augment.artifacts=[motion-late]",
    )
    assert asked.stress.options == {
        "motion": {"order": "interleaved"},
        "motion-late": {"window": (0.5, 1.0)},
    }
    assert asked.train.augment.artifacts == ("motion-late",)


def test_a_number_that_yaml_reads_as_a_text_is_one_all_the_same() -> None:
    stress = config("stress.artifacts=[sense]", "stress.options.sense.tikhonov=1e-4").stress
    (step,) = shift_of(dataclasses.replace(stress, grid="physical"), Cell("sense", 1)).chains[0]
    assert step.artifact == artifacts_sim.get("sense", tikhonov=1e-4)


def test_the_record_reads_back_as_the_same_sweep() -> None:
    asked = config("stress.artifacts=[motion-late]", f"stress.options.motion-late={LATE}")
    assert SweepConfig.from_dict(yaml.safe_load(asked.to_yaml())) == asked
    trial = asked.trial({})
    assert type(trial).from_plain(json.loads(json.dumps(trial.to_plain()))) == trial


def test_a_sweep_without_options_has_the_record_that_it_had_before_there_were_any() -> None:
    plain = yaml.safe_load(config().to_yaml())["stress"]
    assert list(plain) == [
        "artifacts",
        "levels",
        "grid",
        "measure",
        "knobs",
        "batch_size",
        "seed",
    ]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "stress.options.motion.odrer=x",
            r"stress.options.motion: motion has no such option; received 'odrer'; did you mean 'or",
        ),
        ("stress.options.motion.name=x", "motion has no such option; received 'name'"),
        (
            "stress.options.motion.order=x",
            r"stress.options.motion: the option order is not one of .*; received 'x'; correct ord",
        ),
        (
            "stress.options.motion.window=[1, 0]",
            r"stress.options.motion: the option window is not two rising .*; received \(1.0, 0.0\)",
        ),
        (
            "stress.options.motion.order={a: 1}",
            r"stress.options.motion.order cannot take this value; received .*; give a number, a t",
        ),
        ("stress.options.motion=3", r"stress.options.motion cannot .*; received 3; give keys"),
        (
            "stress.options.moton.order=x",
            r"stress.options.moton is for no artifact, and .*; received 'moton'; take an artifact, "
            r"or name a variant .*; did you mean 'motion'\?",
        ),
        ("stress.options.motion_late.order=x", "is for no artifact, and for no variant of one"),
        ("stress.options.motion-.order=x", "is for no artifact, and for no variant of one"),
        ("stress.options.motion-a/b.order=x", "is for no artifact, and for no variant of one"),
        (
            "stress.artifacts=[motion-late]",
            "stress.artifacts has an unknown name; received 'motion-late'; did you mean 'motion'",
        ),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(assignment)


@pytest.mark.parametrize("text", ["motion", "motion=3", "order=interleaved=x"])
def test_a_text_that_names_no_option_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--options cannot be read; .* such as motion.order=inte"):
        given_options([text])


def test_an_option_on_the_command_line_is_named_by_what_gave_it() -> None:
    with pytest.raises(UserError, match=r"--options motion: the option order is not one of"):
        given_options(["motion.order=x"])


# Levels


def test_levels_that_ship_are_for_default_options_alone() -> None:
    shipped = dataclasses.replace(STRESS, grid="calibrated")
    with pytest.raises(
        UserError,
        match=r"the calibrated levels of motion were found with other options, .*; received "
        r"motion-late \(window: .*\) with levels of motion \(default options\); take the grid phy",
    ):
        knobs_of(shipped, "motion-late")
    assert knobs_of(shipped, "bias") == knobs_of(StressSettings(grid="calibrated"), "bias")
    same = dataclasses.replace(shipped, options={"motion-same": {"order": "echo_trains"}})
    assert knobs_of(same, "motion-same") == knobs_of(same, "motion")
    mine = dataclasses.replace(shipped, knobs={"motion-late": (1.0, 2.0, 3.0, 4.0, 5.0)})
    assert knobs_of(mine, "motion-late")[1] == 2.0


def test_physical_levels_hold_with_any_options() -> None:
    assert knobs_of(STRESS, "motion-late") == artifacts_sim.get("motion").knob.physical


def test_levels_of_a_file_are_for_the_options_that_it_names(tmp_path: Path) -> None:
    path, values = tmp_path / "levels.json", [1.0, 2.0, 3.0, 4.0, 5.0]
    artifacts = {
        "motion": {"values": [5.0, 6.0, 7.0, 8.0, 9.0]},
        "motion-other": {"values": values, "options": LATE},
    }
    record = {"format": "mrisweep-levels", "version": 1, "artifacts": artifacts}
    path.write_text(json.dumps(record))
    of_file = dataclasses.replace(STRESS, grid=str(path))
    assert knobs_of(of_file, "motion-late") == tuple(values), "whatever the file calls it"
    with pytest.raises(
        UserError, match=r"received motion \(order: interleaved, interleaves: 3\) w"
    ):
        knobs_of(of_file, "motion")

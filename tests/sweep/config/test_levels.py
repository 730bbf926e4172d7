"""What a level means: from a grid, from a user's table, or as a sweep recorded it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import artifacts_sim
from sweep.api.preflight import bind
from sweep.config.augment import AugmentSettings
from sweep.config.levels import augmentation, knob_of, unreached
from sweep.config.settings import StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell
from sweep.learn.stress import cells_of
from sweep.store import Store

MINE = {"rician": [0.01, 0.02, 0.03, 0.04, None], "bias": [0.4, 0.8, 1.2, 1.6, 2.0]}


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "levels.json"
    artifacts = {name: {"values": values} for name, values in MINE.items()}
    record = {"format": "mrisweep-levels", "version": 1, "artifacts": artifacts}
    path.write_text(json.dumps(record))
    return str(path)


def config_of(store: Store, **stress: Any) -> SweepConfig:
    data = {"store": str(store.path), "train": [1, 2], "validation": [3]}
    return SweepConfig.from_dict({"name": "levels", "data": data, "stress": stress})


def test_grids_have_their_own_values(table: str) -> None:
    bias = artifacts_sim.get("bias")
    assert knob_of(StressSettings(grid="calibrated"), "bias", 2) == bias.at(2)
    assert knob_of(StressSettings(grid="physical"), "bias", 2) == bias.knob.physical[1]
    assert knob_of(StressSettings(grid=table), "bias", 2) == 0.8


def test_what_is_written_goes_before_the_grid() -> None:
    written = StressSettings(grid="gone.json", knobs={"bias": (0.1, 0.2, 0.3, 0.4, None)})
    assert knob_of(written, "bias", 3) == 0.3
    assert knob_of(written, "bias", 5) is None


def test_a_level_that_is_not_reached_is_left_out_and_said(table: str) -> None:
    settings = StressSettings(artifacts=("rician", "bias"), levels=(1, 5), grid=table)
    cells = (CLEAN, Cell("rician", 1), Cell("bias", 1), Cell("bias", 5))
    assert cells_of(settings) == cells
    assert unreached(settings) == ("rician 5",)


def test_an_artifact_that_reaches_none_is_left_out_and_if_all_do_refused(
    table: str, store: Store
) -> None:
    config = config_of(store, artifacts=["rician", "bias"], levels=[5], grid=table)
    bound, _ = bind(config, store)
    assert cells_of(bound.stress) == (CLEAN, Cell("bias", 5))
    assert unreached(bound.stress) == ("rician 5",)
    with pytest.raises(
        UserError, match=r"no artifact reaches any .*; received rician at levels 5; ask for lower"
    ):
        bind(config_of(store, artifacts=["rician"], levels=[5], grid=table), store)


def test_augmentation_is_of_the_artifacts_that_reach_a_level(table: str) -> None:
    settings = StressSettings(grid=table)
    augment = AugmentSettings(artifacts=("rician", "bias"), levels=(5,), probability=0.5)
    shift = augmentation(settings, augment)
    weights = {
        steps[0].artifact.name if steps else "": w
        for steps, w in zip(shift.chains, shift.weights, strict=True)
    }
    assert weights == {"bias": 0.5, "": 0.5}
    with pytest.raises(UserError, match=r"no artifact reaches any"):
        augmentation(settings, dataclasses.replace(augment, artifacts=("rician",)))


def test_a_sweep_keeps_its_levels_whatever_is_calibrated_later(table: str, store: Store) -> None:
    bound, levels = bind(config_of(store, artifacts=["rician", "bias"], grid=table), store)
    assert levels is None
    Path(table).unlink()
    again = SweepConfig.from_dict(bound.to_plain())
    assert again == bound
    assert again.stress.knobs == {name: tuple(values) for name, values in MINE.items()}
    assert bind(again, store) == (bound, None)
    trial_config = again.trial({})
    assert (
        type(trial_config).from_plain(json.loads(json.dumps(trial_config.to_plain())))
        == trial_config
    )


def test_a_sweep_that_calibrated_never_does_so_again(store: Store) -> None:
    bound, levels = bind(config_of(store, artifacts=["bias"]), store)
    assert levels is not None
    assert bound.stress.grid == "auto"
    again = SweepConfig.from_dict(bound.to_plain())
    said: list[str] = []
    # Not even where what it rests on has changed, as the values stand in it.
    changed = again.replace({"stress.seed": 5})
    assert bind(changed, store, said.append) == (changed, None)
    assert said == []


def test_artifacts_of_the_augmentation_are_calibrated_too(store: Store) -> None:
    config = config_of(store, artifacts=["bias"]).replace({"train.augment.artifacts": ["spike"]})
    bound, _ = bind(config, store)
    assert set(bound.stress.knobs) == {"bias", "spike"}


def test_what_auto_means_is_not_known_before_a_sweep_begins(store: Store) -> None:
    with pytest.raises(UserError, match=r"calibrated as a sweep or fit\(\) begins.*; received .*"):
        cells_of(config_of(store).stress)


@pytest.mark.parametrize(
    ("grid", "content", "message"),
    [
        (
            "none.json",
            None,
            r"neither .* known nor a file .*; received 'none.json', looked for in .*; take auto,",
        ),
        ("bad.json", "{", r"cannot be used; received 'bad.json' \(Expecting"),
        ("list.json", "[1]", "cannot be used; received 'list.json'"),
        ("other.json", '{"format": "x"}', "received format 'x'"),
        (
            "falls.json",
            "falls",
            r"'bias' are not 5 that rise .*; received \[2, 1, None, None, None\]",
        ),
        (
            "empty.json",
            "empty",
            "the empty.json grid has no levels of this artifact; received 'rician'",
        ),
    ],
)
def test_bad_grids_are_refused(
    grid: str,
    content: str | None,
    message: str,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    tables = {
        "falls": {"bias": {"values": [2, 1, None, None, None]}},
        "empty": {"bias": {"values": [1, 2, 3, 4, 5]}},
    }
    if content in tables:
        record = {"format": "mrisweep-levels", "version": 1, "artifacts": tables[content]}
        content = json.dumps(record)
    if content is not None:
        Path(grid).write_text(content)
    with pytest.raises(UserError, match=message):
        bind(config_of(store, grid=grid), store)


def test_a_family_stands_for_its_members(store: Store) -> None:
    config = config_of(store, artifacts=["search"])
    assert config.stress.artifacts == artifacts_sim.families()["search"]
    with pytest.raises(UserError, match=r"stress.artifacts has an unknown name; received 'serch'"):
        config_of(store, artifacts=["serch"])
    with pytest.raises(
        UserError, match=r"artifacts cannot take this value; received .*; give each value once"
    ):
        config_of(store, artifacts=["search", "bias"])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"targets": None}, "targets are not what a calibration writes"),
        ({"measure": []}, "measure are not what a calibration writes"),
        ({"reference": 3}, "reference are not what a calibration writes"),
        ({"options": 3}, "options are not what a calibration writes"),
        ({"options": {"order": "bogus"}}, "options of bias"),
    ],
)
def test_a_damaged_file_of_levels_is_named(
    part: dict[str, Any], message: str, store: Store, table: str
) -> None:
    record = json.loads(Path(table).read_text())
    if "options" in part:
        record["artifacts"]["bias"] |= part
    Path(table).write_text(json.dumps(record | part))
    with pytest.raises(UserError, match=f"the file of levels cannot be used; .*{message}"):
        bind(config_of(store, artifacts=["rician"], grid=table), store)


def test_a_file_of_levels_is_read_as_it_is_now(table: str) -> None:
    settings = StressSettings(grid=table)
    before = knob_of(settings, "bias", 1)
    Path(table).write_text(Path(table).read_text().replace("0.4", "0.3"))
    assert (before, knob_of(settings, "bias", 1)) == (0.4, 0.3)

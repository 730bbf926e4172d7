"""What `check` remarks: settings that change nothing, and places that a run could not write to."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sweep.api.check import estimate
from sweep.api.effects import NEEDS, without_effect
from sweep.api.pace import Room
from sweep.api.places import about_places
from sweep.cli import main
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.store import Store
from tests.support.stores import make_store
from tests.support.sweeps import settings

NORMS = {"model.norm": {"choice": ["batch", "instance"]}}
ANY = {"search.trials": None}


def config_of(store: Store, **changes: Any) -> SweepConfig:
    return SweepConfig.from_dict(settings(store)).replace(changes)


def remarks(store: Store, *given: str, **changes: Any) -> str:
    return "\n".join(without_effect(config_of(store, **changes), given, store))


@pytest.mark.parametrize("name", NEEDS)
def test_a_setting_that_needs_another_is_remarked_where_it_was_given(
    name: str, store: Store
) -> None:
    assert f"{name} counts where {NEEDS[name]} is set" in remarks(store, name)
    assert remarks(store) == ""


def test_nothing_is_said_where_the_other_one_is_set_or_searched(store: Store) -> None:
    augment = {"train.augment.artifacts": ["bias"]}
    assert remarks(store, "train.augment.probability", **augment) == ""
    searched = {"search.space.train.mixstyle": {"choice": [0.0, 0.5]}}
    assert remarks(store, "train.mixstyle_alpha", **searched) == ""


def test_a_value_of_what_is_searched(store: Store) -> None:
    assert "model.norm is searched, and the value" in remarks(store, "model.norm")
    conditional = {
        "search.space.model.norm_groups": {"int": [2, 2 + 2], "when": {"model.norm": "group"}}
    }
    text = remarks(store, "model.norm_groups", **{**conditional, "model.width": 12})
    assert "model.norm_groups is searched" not in text


def test_groups_without_a_norm_that_has_any(store: Store) -> None:
    none = {"search.space": {"model.norm": {"choice": ["batch", "layer", "instance"]}}, **ANY}
    some = {"search.space": {"model.norm": {"choice": ["batch", "ws_group"]}}, **ANY}
    assert "none of batch, instance, layer has" in remarks(store, "model.norm_groups", **none)
    assert remarks(store, "model.norm_groups", **some) == ""


def test_a_batch_that_is_more_than_the_data(store: Store) -> None:
    slices = len(store.indices(config_of(store).data.train))
    assert f"train.batch_size {slices + 1} is more" in remarks(
        store, **{"train.batch_size": slices + 1}
    )
    assert remarks(store, **{"train.batch_size": slices}) == ""


def test_instance_norm_on_maps_of_one_pixel(tmp_path: Path) -> None:
    small, large = make_store(tmp_path / "8.h5", size=8), make_store(tmp_path / "24.h5")
    said = "the last maps have one pixel"
    assert said in remarks(small, **{"search.space": NORMS, **ANY, "model.stem_stride": 1})
    assert said in remarks(large, **{"search.space": NORMS, **ANY, "model.stem_stride": 3})
    assert said not in remarks(large, **{"search.space": NORMS, **ANY, "model.stem_stride": 2})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cluster.concurrent", 50, "cluster.concurrent 50 is more than there are trials, 6"),
        ("keep.top", 9, "keep.top 9 is more than there are trials, 6: all of them are the best"),
        ("train.patience", 5, "train.patience 5 ends no trial, as none has more epochs than 5"),
    ],
)
def test_limits_that_nothing_reaches(store: Store, name: str, value: int, said: str) -> None:
    changes = {"train.epochs": 5, "search.trials": 6}
    assert said in remarks(store, name, **changes, **{name: value})
    assert name not in remarks(store, name, **changes, **{name: 4})


def test_nothing_to_search(store: Store) -> None:
    nothing = {"search.space": {}, "search.stratify": None}
    assert "all 4 trials are the same training" in remarks(store, **nothing, **{"search.trials": 4})
    assert config_of(store, **nothing, **{"search.trials": None}).search.total == 1


@pytest.mark.parametrize(
    ("name", "kinds", "said"),
    [
        ("train.batch_size", {"uniform": [8, 32]}, r"uniform: .*; write \{int: \[8, 32\]\}"),
        ("model.width", {"log": [7.5, 32.5]}, r"draws others; .*; write \{int_log: \[8, 32\]\}"),
        ("model.stem_stride", {"uniform": [1, 1.5]}, "list them"),
        ("model.norm_groups", {"int": [2, 8]}, "search.space.model.norm_groups offers 3"),
        ("train.dropout", {"uniform": [0, 1]}, "no such setting"),
    ],
)
def test_what_a_range_has_between_its_ends_is_tried(
    name: str, kinds: dict[str, Any], said: str, store: Store
) -> None:
    with pytest.raises(UserError, match=said):
        config_of(store, **{f"search.space.{name}": kinds, "model.width": 16})


@pytest.fixture
def places(store: Store, tmp_path: Path) -> tuple[SweepConfig, Path]:
    return config_of(store), tmp_path / "out" / "sweep"


def said_of(config: SweepConfig, out: Path, store: Store) -> str:
    return "\n".join(about_places(config, out, estimate(config, store, Room(1))))


def test_places_where_all_is_well(places: tuple[SweepConfig, Path], store: Store) -> None:
    config, out = places
    assert said_of(config, out, store) == ""
    assert not out.parent.exists()


def test_a_folder_that_is_there(
    places: tuple[SweepConfig, Path], store: Store, sweep_folder: Path
) -> None:
    config, out = places
    shutil.copytree(sweep_folder, out)
    assert f"{out} is there already" in said_of(config, out, store)


def test_a_place_that_is_no_folder_is_refused_as_run_does(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(settings(store)))
    (tmp_path / "file").touch()
    out = str(tmp_path / "file" / "sweep")
    assert main(["check", str(tmp_path / "sweep.yaml"), "--out", out]) == 2
    said = capsys.readouterr()
    assert "a part of the output's path is no folder" in said.err
    assert said.out == ""


def test_a_disk_that_is_too_small(
    places: tuple[SweepConfig, Path], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = places
    usage = shutil.disk_usage(out.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert "has 1 kB left, and the folder may take" in said_of(config, out, store)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9", "Connection refused from http://127.0.0.1:9"),
        ("sqlite:///{path}/file/mlflow.db", "file is no folder that can be written"),
    ],
)
def test_a_tracking_server_that_takes_nothing(
    address: str, said: str, places: tuple[SweepConfig, Path], store: Store
) -> None:
    config, out = places
    (out.parent.parent / "file").touch()
    address = address.format(path=out.parent.parent)
    text = said_of(config.replace({"tracking.uri": address}), out, store)
    assert said in text
    assert "`mrisweep sync` fill it later" in text


def test_check_says_so(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    import yaml

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(settings(store)))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    arguments = ["--set", "model.norm=group", "--out", str(tmp_path / "taken")]
    assert main(["check", str(tmp_path / "sweep.yaml"), *arguments]) == 0
    said = capsys.readouterr().out
    assert "note         model.norm is searched" in said
    assert f"note         {tmp_path / 'taken'} is there already" in said

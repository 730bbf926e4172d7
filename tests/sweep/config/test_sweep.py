"""A sweep file: what it may say, and what a person is told when it says something else."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.config.reading import override
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

MINIMAL: dict[str, Any] = {
    "name": "knees",
    "data": {"store": "knee.h5", "train": [1, 2], "validation": [3]},
}


def config(*assignments: str) -> SweepConfig:
    return SweepConfig.from_dict(override(yaml.safe_load(yaml.safe_dump(MINIMAL)), assignments))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epoch=3", r"no such setting; received 'train.epoch'; did you mean 'epochs'\?"),
        ("trian.epochs=3", r"no such setting; received 'trian'; did you mean 'train'\?"),
        ("cluster.evaluator.gpus=1", r"'cluster.evaluator.gpus'; did you mean 'gpu'\?"),
        (
            "train.epochs=many",
            r"train.epochs cannot take this value; received 'many'; give an integer",
        ),
        (
            "train.epochs=true",
            r"train.epochs cannot take this value; received true; give an integer",
        ),
        (
            "search.limits={hours: yes}",
            r"search.limits.hours cannot take this value; received true; give a number or null",
        ),
        ("stress.levels=[1, true]", r"stress.levels\[1\] cannot take this value; received true"),
        ("train.epochs=0", r"train: epochs cannot take this value; received 0; give 1 or more"),
        ("train.lr=-1", r"train: lr cannot take this value; received -1; give a number above 0"),
        ("train.lr=.nan", r"train: lr cannot take this value; received nan; give a number above 0"),
        ("search.screen.patient=1", r"received 'search.screen.patient'; did you mean 'patients'"),
        (
            "search.screen=false",
            r"search.screen is a section; received false; .*: patients, levels, full, or null",
        ),
        ("search.limits=2", r"search.limits is a section; .* keys: hours, gpu_hours, epochs$"),
        ("train=fast", r"train is a section; received 'fast'; give it keys: epochs, batch_size,"),
        (
            "train.augment.probability=1.5",
            r"probability cannot take this value; received 1.5; give a number from 0 to 1",
        ),
        (
            "train.label_smoothing=1",
            r"label_smoothing cannot .* 1; give 0 or more, and",
        ),
        (
            "train.ema=1",
            r"ema cannot take .*; received 1; give null, or a number be",
        ),
        (
            "train.mixstyle=2",
            r"mixstyle cannot take this value; received 2; give a num",
        ),
        ("train.mixstyle_alpha=0", r"mixstyle_alpha cannot .*; received 0; give a finite number"),
        ("train.group_dro_step=.inf", r"group_dro_step cannot .*; received inf; give a finite num"),
        ("train.group_dro_adjustment=-1", r"group_dro_adjustment cannot .*; received -1; give"),
        ("model.norm=grup", r"model: .*norm.*; received 'grup'; did you mean 'group'\?"),
        ("model.width=0", r"model: width"),
        (
            "model={norm: group, width: 12, norm_groups: 5}",
            r"norm_groups does not divide the 12 channels of a layer; received 5; take one of",
        ),
        (
            "model={norm_groups: 4, norm_group_channels: 4}",
            r"the groups are given twice; received norm_groups=4 and norm_group_channels=4; drop",
        ),
        (
            "stress.artifacts=[rician, moton]",
            r"stress.artifacts has an unknown name; received 'moton'; did you mean 'motion'\?",
        ),
        (
            "stress.levels=[1, 6]",
            r"stress.levels cannot take this value; received \[1, 6\]; give levels of 1 to 5",
        ),
        (
            "stress.levels=[]",
            r"stress: levels cannot take this value; received \[\]; give at least one level",
        ),
        (
            "stress.levels=[1, 1]",
            r"stress: levels cannot take this value; received \[1, 1\]; give each value once",
        ),
        ("data.validation=[2]", r"'2' in train and in validation"),
        (
            "data.normalize=zcore",
            r"data.normalize cannot take this value; received 'zcore'; give robust, zscore,",
        ),
        (
            "search.objective=robust/auroc",
            r"search: objective has an unknown name; received 'robust/auroc'; did you mean",
        ),
        (
            "search.space.train.lr={lg: [1, 2]}",
            r"unknown kind; received 'lg'; did you mean 'log'\?",
        ),
        ("search.space.train.lr={log: [2, 1]}", r"is not 0 < low < high; received \[2.0, 1.0\]"),
        ("search.space.train.lr={log: [0, 1]}", r"is not 0 < low < high; received \[0.0, 1.0\]"),
        (
            "search.space.train.lr={uniform: [1]}",
            r"is not two finite numbers; received \[1\]; write it as \[low, high\]",
        ),
        (
            f"search.space.train.lr={{log: [1, 1{'0' * 400}]}}",
            r"is not two finite numbers; received \[1, 10",
        ),
        (
            "search.space.train.lr={log: [1, .inf]}",
            r"is not two finite numbers; received \[1, inf\]",
        ),
        (
            "search.space.train.epochs={int: [1, .inf]}",
            r"is not two whole numbers; received \[1, i",
        ),
        ("search.space.train.epochs={int: [1.5, 3]}", r"is not two whole numbers; received \[1.5,"),
        (
            "name=2024-02-30",
            r"the value of --set name is not YAML; received '2024-02-30' \(ValueErr",
        ),
        (
            r'name="a\0b"',
            r"name cannot take this value; received 'a\\x00b'; give a name that a folder",
        ),
        (
            r'name="a\tb"',
            r"name cannot take this value; received 'a\\tb'; give a name that a folder",
        ),
        (
            "data.store=/x/a #b.h5",
            r"data.store has a # after a space.*received '/x/a #b.h5', of which '/x/a' is left; "
            r"""quote it, as in --set 'data.store="/x/a #b.h5"'""",
        ),
        ("seed=#3", "--set seed has a # after a space, .* of which null is left"),
        ("search.trials=1000000000", "trials cannot take this value; .*; give 1 to 100,000"),
        ("name=..", r"name cannot take this value; received '..'; give a name that a folder"),
        ("tracking.to=mlflow", r"tracking.to cannot take .*; received 'mlflow'; give a list"),
        ("stress.knobs=3", r"stress.knobs cannot take .*; received 3; give keys with values"),
        (
            "search.space.train.lr=[1, 2]",
            r"is not one kind with its values; received \[1, 2\]; write it",
        ),
        (
            "search.space.train.lrr={log: [1, 2]}",
            r"offers 1: there is no such setting; received 'train.lrr'",
        ),
        (
            "search.space.norm={choice: [batch]}",
            r"no such setting; received 'norm'; .*'model.norm'",
        ),
        ("stress.levels=1-3", r"give a list of integers, such as \[1, 3\]"),
        ("data.train=1,2", r"give a list of text or integer, such as \[1, 2\]"),
        ("search.space.model.norm={choice: [batch, lyer]}", r"offers 'lyer': .*'layer'"),
        (
            "search.space.stress.seed={choice: [1, 2]}",
            r"a setting that cannot be searched, .*; received 'stress.seed'; search among",
        ),
        (
            "search.stratify=train.lr",
            r"search.stratify does not name a choice of search.space; received 'train.lr'; search",
        ),
        (
            "cluster.evaluators=0",
            r"cluster: evaluators cannot take this value; received 0; give 1 or more",
        ),
        (
            "cluster.trial={cpu: 0, gpu: 0}",
            r"cluster: trial cannot take this value; received .*; give a share of a CPU or a GPU",
        ),
        (
            "name=a/b",
            r"name cannot take this value; received 'a/b'; give a name that a folder can have",
        ),
        ("epochs", r"--set cannot be read; received 'epochs'; give key=value"),
        ("train.epochs=[1", r"the value of --set train.epochs is not YAML; received '\[1'"),
        ("name.first=x", r"'name.first' cannot be set; received 'name', which is a value"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(assignment)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as raised:
        config("train.epoch=1", "model.widht=3")
    assert "'epochs'" in str(raised.value)
    assert "'width'" in str(raised.value)


def test_what_has_no_default_must_be_given() -> None:
    with pytest.raises(UserError, match="data is missing"):
        SweepConfig.from_dict({"name": "x"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such sweep file; received"),
        ("a: [", "is not YAML"),
        ("stress: {levels: [1]}\nstress: {levels: [2]}", "the key 'stress' is there twice"),
        ("- 1", "does not hold keys with values; received"),
    ],
)
def test_an_unusable_file_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "sweep.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        SweepConfig.from_yaml(path)


def test_the_resolved_file_reads_back_as_the_same_sweep(tmp_path: Path) -> None:
    original = config(
        "search.space.model.norm={choice: [batch, group]}",
        "search.space.train.augment.artifacts={choice: [[], [rician, bias]]}",
        "train.lr=1e-4",
        "stress.levels=[2, 4]",
    )
    path = tmp_path / "sweep.yaml"
    path.write_text(original.to_yaml())
    assert SweepConfig.from_yaml(path) == original
    assert original.train.lr == 1e-4, "YAML reads 1e-4 as a text; it is a number all the same"


def test_a_trial_s_recipe_takes_the_searched_values() -> None:
    trial_config = config("search.space.train.lr={log: [1e-4, 1e-2]}").trial(
        {"train.lr": 0.005, "model.norm": "layer", "seed": 4}
    )
    assert (trial_config.train.lr, trial_config.model.norm, trial_config.seed) == (
        0.005,
        "layer",
        4,
    )


def test_groups_can_be_searched_beside_norms_that_have_none() -> None:
    searched = config(
        "model.width=16",
        "search.space.model.norm={choice: [batch, group, evonorm_s0]}",
        "search.space.model.norm_groups={choice: [2, 4, null]}",
    )
    for norm in ("batch", "group", "evonorm_s0"):
        model = searched.trial({"model.norm": norm, "model.norm_groups": 4}).model
        assert model.spec(n_outputs=2).norm_groups == 4
    with pytest.raises(UserError, match=r"norm_groups offers 3: .*does not divide the 16 channels"):
        config("model.width=16", "search.space.model.norm_groups={choice: [3, 4]}")


def test_sweeps_that_ship_are_valid() -> None:
    paths = sorted((Path(__file__).parents[3] / "deploy" / "sweeps").glob("*.yaml"))
    assert {path.stem for path in paths} >= {"demo", "brain_tumor"}
    for path in paths:
        assert SweepConfig.from_yaml(path).search.space


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "1.e-3", "1.0e-3", "+1e-3", "0.001"])
def test_a_number_may_be_written_with_a_power_of_ten(written: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "name: a\ndata: {store: s.h5, train: [1], validation: [2]}\n"
        f"search: {{space: {{train.lr: {{choice: [{written}, 1]}}}}}}\n"
    )
    read = SweepConfig.from_yaml(tmp_path / "sweep.yaml")
    assert read.search.space["train.lr"]["choice"] == [0.001, 1]
    assert override({}, [f"train.lr={written}"]) == {"train": {"lr": 0.001}}
    for text in ("e-3", "1e", "1e-3a", "2024e"):
        assert override({}, [f"name={text}"]) == {"name": text}


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: " + "[" * 3000 + "]" * 3000, "RecursionError|more than 50 levels"),
        ("name: " + "[" * 60 + "]" * 60, "more than 50 levels"),
        (LAUGHS, "holds more than 200000 values"),
        (LAUGHS.replace("[", "{<<: [").replace("]", "]}"), "."),
        ("name: &a [*a]", "a part holds itself"),
        ("data: {store: a, store: b}", "the key 'store' is there twice"),
        ("name: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("name: 2020-13-45", "month must be in"),
        ("name: a\0", "special characters"),
    ],
)
def test_yaml_without_end_is_refused_at_once(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"is not YAML; received .*sweep\.yaml' \(.*({said})"):
        SweepConfig.from_yaml(tmp_path / "sweep.yaml")


def test_parts_that_have_names_are_as_if_they_were_written_out(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "name: a\ndata: {store: s.h5, train: &folds [1], validation: [2]}\n"
        "train: &train {epochs: 3}\nmodel: {<<: {width: 4}}\n"
        "search: {space: {train.lr: {log: [1e-4, 1e-2]}}, start: [{train.lr: 1e-3}]}\n"
    )
    read = SweepConfig.from_yaml(tmp_path / "sweep.yaml")
    assert (read.train.epochs, read.model.width) == (3, 4)


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "large", "a\0b"])
def test_a_sweep_file_that_is_none_is_not_waited_for(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * (5 << 20))
    with pytest.raises(UserError, match=r"the sweep file cannot be read; received .*; give a text"):
        SweepConfig.from_yaml(tmp_path / place)


@pytest.mark.parametrize(
    "written", ['"/x/a #b.h5"', "'a # b'", "a#b", '["#", "a #b"]', "{a: '#', b: c#d}", "", "a: b"]
)
def test_a_mark_that_begins_no_comment_is_part_of_a_value(written: str) -> None:
    assert override({}, [f"name={written}"]) == {"name": yaml.safe_load(written)}

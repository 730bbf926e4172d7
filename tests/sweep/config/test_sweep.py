"""A sweep file: what it may say, and what a person is told when it says something else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.config.sweep import SweepConfig, override
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
        ("train.epoch=3", r"unknown setting 'train.epoch'; did you mean 'epochs'\?"),
        ("trian.epochs=3", r"unknown setting 'trian'; did you mean 'train'\?"),
        ("cluster.evaluator.gpus=1", r"'cluster.evaluator.gpus'; did you mean 'gpu'\?"),
        ("train.epochs=many", r"train.epochs: .*integer.*; received 'many'"),
        ("train.epochs=0", r"train: epochs must be 1 or more; received 0"),
        ("train.lr=-1", r"train: lr must be greater than 0; received -1"),
        ("train.lr=.nan", r"train: lr must be greater than 0; received nan"),
        ("train=fast", r"train: .*received 'fast'"),
        ("train.augment.probability=1.5", r"probability must be in \[0, 1\]; received 1.5"),
        ("model.norm=grup", r"norm must be one of .*'grup'; did you mean 'group'\?"),
        ("model.width=0", r"model: width"),
        ("stress.artifacts=[rician, moton]", r"'moton' does not exist; did you mean 'motion'\?"),
        ("stress.levels=[1, 6]", r"stress.levels must be levels of 1 to 5"),
        ("stress.levels=[]", r"stress: levels must be at least one level"),
        ("stress.levels=[1, 1]", r"stress: levels must be free of duplicates"),
        ("data.validation=[2]", r"'2' in train and in validation"),
        ("data.normalize=zcore", r"data.normalize: .*'zcore'"),
        ("search.objective=robust/auroc", r"'robust/auroc' does not exist; did you mean"),
        (
            "search.space.train.lr={lg: [1, 2]}",
            r"unknown kind; received 'lg'; did you mean 'log'\?",
        ),
        ("search.space.train.lr={log: [2, 1]}", r"must have 0 < low < high; received \[2.0, 1.0\]"),
        ("search.space.train.lr={log: [0, 1]}", r"must have 0 < low < high"),
        ("search.space.train.lr={uniform: [1]}", r"must be two numbers \[low, high\]"),
        ("search.space.train.lr=[1, 2]", r"must be one kind with its values"),
        ("search.space.train.lrr={log: [1, 2]}", r"offers 1.0: unknown setting 'train.lrr'"),
        ("search.space.model.norm={choice: [batch, lyer]}", r"offers 'lyer': .*'layer'"),
        ("search.space.stress.seed={choice: [1, 2]}", r"'stress.seed' cannot be searched"),
        ("search.stratify=train.lr", r"search.stratify must name a choice of search.space"),
        ("cluster.evaluators=0", r"cluster: evaluators must be 1 or more"),
        ("cluster.trial={cpu: 0, gpu: 0}", r"trial must be a share of a CPU or a GPU"),
        ("name=a/b", r"name must be usable as a folder's name"),
        ("epochs", r"--set takes key=value"),
        ("train.epochs=[1", r"--set train.epochs: the value is not YAML"),
        ("name.first=x", r"'name.first' cannot be set: 'name' is a value"),
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
    [(None, "no sweep file"), ("a: [", "is not YAML"), ("- 1", "must hold keys")],
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


def test_sweeps_that_ship_are_valid() -> None:
    paths = sorted((Path(__file__).parents[3] / "deploy" / "sweeps").glob("*.yaml"))
    assert {path.stem for path in paths} >= {"demo", "brain_tumor"}
    for path in paths:
        assert SweepConfig.from_yaml(path).search.space

"""Presets: what they say, and what a person is told who calls one by name."""

from pathlib import Path

import pytest
import torch
from torch import nn

import mrimodels
from sweep.config.presets import preset_text, presets, summary_of
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from tests.support.plugins import install

STORE = "data.store=knee.h5"


def study(*overrides: str) -> SweepConfig:
    return SweepConfig.from_yaml("madaan2023", [STORE, *overrides])


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_a_sweep_of_its_name_that_says_what_it_is(name: str) -> None:
    assert SweepConfig.from_yaml(name, [STORE]).name == name
    first, *_ = preset_text(name).splitlines()
    assert first == f"# {summary_of(name)}"
    with pytest.raises(UserError, match=r"data.store is missing .*, or by --set data.store=VALUE"):
        SweepConfig.from_yaml(name)


def test_the_study_s_grid_is_its_hundred_runs_for_each_norm() -> None:
    search = study().search
    values = {name: one.values for name, one in search.dimensions().items()}
    assert values == {
        "model.norm": ("batch", "group", "layer"),
        "train.lr": (1e-3, 1e-4, 1e-5, 1e-6),
        "train.weight_decay": (1e-1, 1e-2, 1e-3, 1e-4, 1e-5),
        "seed": (0, 1, 2, 3, 4),
    }
    assert search.total == 300
    assert search.strata() == ("batch", "group", "layer")
    assert (search.scheduler, search.objective) == ("none", "clean/auroc")


def test_the_study_s_training_is_on_clean_images_until_patience_ends() -> None:
    config = study()
    train = config.train
    assert (train.epochs, train.patience, train.batch_size) == (200, 5, 32)
    assert (train.sampler, train.schedule) == ("positives", "constant")
    assert train.augment.artifacts == ()
    assert config.stress.artifacts == ("rician", "motion", "ghosting", "spike", "bias")


@pytest.mark.parametrize(
    ("norm", "kind", "groups"),
    [("batch", nn.BatchNorm2d, None), ("group", nn.GroupNorm, 32), ("layer", nn.GroupNorm, 1)],
)
def test_the_study_s_network(norm: str, kind: type[nn.Module], groups: int | None) -> None:
    with torch.device("meta"):
        model = mrimodels.build(study().trial({"model.norm": norm}).model.spec(n_outputs=4), 0)
    norms = [module for module in model.modules() if mrimodels.is_norm(module)]
    assert all(isinstance(module, kind) for module in norms)
    assert {getattr(module, "num_groups", None) for module in norms} == {groups}
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    stem = convolutions[0]
    assert (stem.in_channels, stem.out_channels, stem.stride) == (1, 64, (1, 1))
    assert {module.out_channels for module in convolutions} == {64, 128, 256, 512}
    (linear,) = (module for module in model.modules() if isinstance(module, nn.Linear))
    assert (linear.in_features, linear.out_features) == (51_200, 4)


def test_the_command_line_makes_it_short() -> None:
    short = study(
        "search.space.seed={choice: [0]}",
        "search.space.train.lr={choice: [1.0e-3]}",
        "search.space.train.weight_decay={choice: [1.0e-2, 1.0e-3]}",
        "model.width=8",
        "train.epochs=2",
    )
    assert short.search.total == 6
    assert (short.model.width, short.train.epochs) == (8, 2)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("search.space.seed={choice: 0}", r"seed.choice is not a list of values; received 0"),
        ("search.space.seed=[0]", r"is not one kind with its values; received \[0\]"),
        ("search.spce.seed={choice: [0]}", r"received 'search.spce'; did you mean 'space'"),
        ("search.trials=6", r"received 6 for 300 combinations; leave it out or set it to 300"),
        ("search.space.train.lr={log: [1e-5, 1e-3]}", r"train.lr is a range, and a grid has"),
    ],
)
def test_what_does_not_make_it_short_is_told(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        study(assignment)


def test_a_misspelt_preset_is_no_file_and_the_nearest_is_named() -> None:
    for name in ("madan2023", "madaan2023.yml"):
        with pytest.raises(UserError, match=r"no such sweep file.*; did you mean 'madaan2023'\?"):
            SweepConfig.from_yaml(name)
    with pytest.raises(UserError, match=r"no such preset; received 'madan2023'; did you mean 'mad"):
        preset_text("madan2023")


def test_a_preset_goes_before_a_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("madaan2023").write_text("{name: mine, data: {store: s.h5, train: [1], validation: [2]}}")
    assert study().name == "madaan2023"
    assert SweepConfig.from_yaml("./madaan2023").name == "mine"


def test_an_installed_package_adds_a_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "quick.yaml"
    file.write_text("# A quick look\nname: quick\ndata: {train: [1], validation: [2]}\n")
    points = {"quick": "mine_presets:QUICK", "broken": "mine_presets:BROKEN"}
    source = f"from pathlib import Path\nQUICK = Path({str(file)!r})\nBROKEN = 'quick.yaml'\n"
    install(tmp_path / "site", monkeypatch, {"mrisweep.presets": points}, mine_presets=source)
    assert presets() == ("madaan2023", "broken", "quick")
    assert summary_of("quick") == "A quick look"
    assert SweepConfig.from_yaml("quick", [STORE]).name == "quick"
    with pytest.raises(UserError, match=r"'broken' of mrisweep.presets does not name the Path"):
        SweepConfig.from_yaml("broken")
    file.unlink()
    with pytest.raises(UserError, match=r"file of a preset cannot be read; received 'quick'"):
        preset_text("quick")

"""A sweep that learns from an earlier one: of the same yardstick, or not at all."""

from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sweep.api.warm_start import told_by
from sweep.config.search import START, SearchSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results.folder import SweepFolder
from sweep.search.study import Study, Told

LR = {"log": [1e-4, 1e-1]}
OBJECTIVE = SearchSettings().objective


def later(earlier: Path, **changes: Any) -> SweepConfig:
    """A sweep like the finished one that searches the learning rate, too."""
    config = SweepFolder.open(earlier).config()
    search = {
        "search.trials": 8,
        "search.space.train.lr": LR,
        "search.scheduler": "asha",
        "search.from": str(earlier),
    }
    return config.replace({**search, **changes})


def test_the_trials_of_an_earlier_sweep_are_as_if_of_this_one(sweep_folder: Path) -> None:
    folder = SweepFolder.open(sweep_folder)
    told = told_by(later(sweep_folder))
    assert len(told) == 2
    for one, record in zip(told, folder.trials(), strict=True):
        assert one.name == f"{folder.path}/{record.trial}"
        assert one.params == {"model.norm": record.norm, "train.lr": folder.config().train.lr}
        assert one.metrics == record.metrics
        assert set(one.reports) == {1, 2}
        assert not one.pruned


def test_a_trial_that_could_not_be_of_this_sweep_does_not_count(sweep_folder: Path) -> None:
    only_group = later(sweep_folder, **{"search.space.model.norm": {"choice": ["group", "layer"]}})
    assert [one.params["model.norm"] for one in told_by(only_group)] == ["group"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stress.levels": [1]}, r"not comparable .* another stress.levels in .*; set them as"),
        ({"stress.seed": 5}, r"another stress.seed in"),
        ({"data.validation": [2], "data.train": [1]}, r"another data.train, data.validation in"),
        (
            {"search.objective": "clean/auroc"},
            r"another search.objective, .* received robust/auroc_cvar in .*, clean/auroc here; set",
        ),
        (
            {"search.objectives": ["clean/auroc", "robust/auroc_cvar"], "search.objective": "auto"},
            r"another search.objectives, .* received robust/auroc_cvar in .*, clean/auroc and "
            r"robust/auroc_cvar here; set",
        ),
        (
            {"train.epochs": 3},
            r"no trial .* could be one of this sweep.* other train.epochs; leave",
        ),
        ({"search.space.train.lr": {"log": [0.1, 1.0]}}, r"with other train.lr; leave"),
        ({"search.from": "/nowhere"}, r"no such folder of a sweep"),
    ],
)
def test_another_yardstick_or_other_trials_are_refused(
    sweep_folder: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        told_by(later(sweep_folder, **changes))


def told(number: int, norm: str, rate: float, value: float | None) -> Told:
    metrics = {} if value is None else {OBJECTIVE: value}
    params = {"model.norm": norm, "train.lr": rate}
    return Told(f"/earlier/trial-{number:04d}", params, {}, value is None, metrics)


def test_what_was_told_is_learnt_from_and_is_no_trial(tmp_path: Path) -> None:
    space = {"model.norm": {"choice": ["batch", "group"]}, "train.lr": LR}
    settings = SearchSettings(trials=8, space=space, sampler="tpe")

    def study(folder: str) -> Study:
        (tmp_path / folder).mkdir(exist_ok=True)
        return Study(tmp_path / folder / "journal", "test", settings, 0)

    rates = [1e-4 * 10 ** (3 * n / 11) for n in range(12)]
    known = [
        told(n, "batch", rate, None if n > 8 else 0.5 + n / 100) for n, rate in enumerate(rates)
    ]
    cold, warm = study("cold"), study("warm")
    warm.learn_from("/earlier", known[:5])  # as if it was interrupted
    warm.learn_from("/earlier", known)
    assert study("warm").has_learnt()
    assert not cold.has_learnt()
    assert (warm.asked(), warm.unfinished()) == (0, [])
    assert len(warm.studies[0].trials) == len(known)
    batch, group = warm.ask(), warm.ask()
    assert (batch.trial, batch.stratum, group.stratum) == ("trial-0000", "batch", "group")
    points = [cold.ask(), cold.ask()]
    assert batch != points[0], "drawn from what is known"
    assert group == points[1], "a norm that nothing is known of begins with the same point"
    warm.tell(0, TrialState.COMPLETE, {OBJECTIVE: 0.7})
    assert (warm.status(0), warm.asked()) == ("finished", 2)
    assert len(known) > START

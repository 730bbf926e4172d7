"""Whose networks trackers get: the best of each norm, or of each arm, of those scored in full."""

from dataclasses import replace

import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import TrialRecord
from sweep.results.folder import SweepFolder
from sweep.results.kept_models import kept_models

SCORES = {  # of each trial: norm, status, score
    "trial-0000": ("batch", "finished", 0.7),
    "trial-0001": ("group", "finished", 0.9),
    "trial-0002": ("batch", "finished", 0.8),
    "trial-0003": ("batch", "pruned", 0.75),
    "trial-0004": ("group", "failed", None),
    "trial-0005": ("group", "pruned", -0.99),  # of a screening alone
}


def record(trial: str) -> TrialRecord:
    norm, status, score = SCORES[trial]
    name, number = "robust/auroc_cvar", int(trial[-4:])
    metrics = {} if score is None else {name if score > 0 else f"screen/{name}": abs(score)}
    best = None if score is None else 1
    params = {"model.norm": norm}
    return TrialRecord(trial, number, params, norm, 0, status, 0, 1, best, metrics)


@pytest.mark.parametrize(
    ("models", "kept"),
    [
        (0, []),
        (1, ["trial-0002", "trial-0001"]),
        (2, ["trial-0002", "trial-0003", "trial-0001"]),
        (9, ["trial-0002", "trial-0003", "trial-0000", "trial-0001"]),
        ("all", []),
    ],
)
def test_the_best_of_each_norm_are_kept(
    models: int | str, kept: list[str], folder: SweepFolder, config: SweepConfig
) -> None:
    folder.write_config(config.replace({"tracking.models": models}))
    for trial in SCORES:
        folder.write_trial(record(trial))
    assert [trial.trial for trial in kept_models(folder)] == kept


@pytest.mark.parametrize("models", [-1, "some", 0.5])
def test_another_number_is_refused(models: object, config: SweepConfig) -> None:
    with pytest.raises(UserError, match=r"tracking.*models"):
        config.replace({"tracking.models": models})


def test_a_sweep_file_of_before_gets_one_of_each_norm(config: SweepConfig) -> None:
    plain = config.to_plain()
    del plain["tracking"]["models"]
    assert SweepConfig.from_dict(plain).tracking.models == 1


def test_arms_are_compared_where_there_are_any(folder: SweepFolder, config: SweepConfig) -> None:
    folder.write_config(config.replace({"tracking.models": 1}))
    for trial in SCORES:
        one = record(trial)
        arm = "plain" if one.number < 2 else "augmented"
        folder.write_trial(replace(one, params={**one.params, "arm": arm}))
    assert [trial.trial for trial in kept_models(folder)] == ["trial-0002", "trial-0001"]

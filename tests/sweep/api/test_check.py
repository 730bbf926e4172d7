"""What a sweep will cost, measured on networks as they are trained."""

import shutil
from pathlib import Path

import pytest

from sweep.api.check import estimate
from sweep.api.preflight import about_evidence, bind
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.sweeps import settings


def test_a_network_that_draws_in_training_is_measured_and_its_average_weighed(
    store: Store,
) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    ).replace({"model.dropout": 0.1, "train.mixstyle": 0.5})
    plain = estimate(config, store, 1)
    averaged = estimate(config.replace({"train.ema": 0.9}), store, 1)
    assert plain.train_s > 0
    assert 1.9 * plain.checkpoint_bytes < averaged.checkpoint_bytes < 2.1 * plain.checkpoint_bytes


def test_averages_are_rows_too(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    )
    asked = config.replace({"stress.modes.names": ["blend"]})
    trials = config.search.total
    assert estimate(asked, store, 1).rows == 1, "the norms take turns, and one is batch norm"
    assert estimate(asked.replace({"train.ema": 0.9}), store, 1).rows == 1 + trials
    assert estimate(config.replace({"train.ema": 0.9}), store, 1).rows == trials


def test_what_is_expected_is_said_beside_what_it_is_at_most(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1, 5], "grid": "physical"})
    ).replace({"search.trials": 30, "train.epochs": 8, "search.limits.epochs": 100})
    short = estimate(config, store, 1)
    assert short.expected_share == (30 + 6 * 7) / (30 * 8), "a look at all, the best two of a norm"
    config = config.replace({"search.scheduler": "asha"})
    cost = estimate(config, store, 1)
    assert cost.expected_s < cost.seconds
    assert 1 / 4 < cost.expected_share < 1
    assert cost.screen_s is not None
    assert cost.screen_s < cost.evaluate_s
    share = f"{100 * cost.expected_share:.0f} % of the epochs"
    assert f"(asha), which trains {share} if scores are random" in cost.text()
    assert f"{100 * short.expected_share:.0f} % of the epochs\n" in short.text(), "no guess"
    assert "search.limits.epochs 100 allows about " in cost.text()
    whole = estimate(config.replace({"search.scheduler": "none", "search.limits": {}}), store, 1)
    assert whole.expected_share == 1
    assert "expected" not in whole.text()
    assert "limit" not in whole.text()


def test_few_patients_and_few_trials_are_noted(store: Store) -> None:
    config = SweepConfig.from_dict(settings(store))
    of_patients, of_trials, of_stopping = about_evidence(config, store)
    assert of_patients == (
        "scores will have no intervals, as a is shown by 4 validation patients; b is shown by 4 "
        "validation patients: fewer than 10. Chance moves scores of so few patients by much: put "
        "more into data.validation"
    )
    assert of_trials.startswith("3 trials for 3 strata; with fewer than 4 each")
    assert of_stopping.startswith("topk stops nothing, as the best 2 of 1 trial go on")
    enough = about_evidence(config.replace({"search.trials": 12}), store)
    assert enough == (of_patients,)


def test_an_earlier_sweep_that_run_would_refuse_is_refused(
    sweep_folder: Path, tmp_path: Path
) -> None:
    folder = SweepFolder.open(Path(shutil.copytree(sweep_folder, tmp_path / "earlier")))
    config = folder.config()
    data = Store.open(Path(config.data.store))
    folder.write_config(bind(config, data).config)
    good = config.replace({"search.from": str(folder.path), "search.scheduler": "asha"})
    assert estimate(good, data, 1).seconds > 0
    with pytest.raises(UserError, match=r"not comparable .* another stress.seed in"):
        estimate(good.replace({"stress.seed": 5}), data, 1)
    unknown = {
        "stress.grid": "calibrated",
        "stress.knobs": {},
        "search.scheduler": "asha",
        "search.from": "/nowhere",
    }
    with pytest.raises(UserError, match=r"no such folder of a sweep"):
        estimate(config.replace(unknown), data, 1)


def test_finalists_are_counted_and_their_stores_are_looked_at(store: Store, tmp_path: Path) -> None:
    stress = {"artifacts": ["bias"], "levels": [1], "grid": "physical"}
    config = SweepConfig.from_dict(settings(store, stress=stress)).replace(
        {"data.train": [1], "data.validation": [2], "data.test": [3]}
    )
    assert estimate(config, store, 1).finalists == ""
    asked = config.replace({"finalists": {"per_norm": 2, "seeds": 4, "holdout": ["blur"]}})
    said = estimate(asked, store, 1).text()
    assert "finalists    24 trainings (3 norms x 2 x 4 seeds), scored at validation, test" in said
    gone = {"name": "there", "store": str(tmp_path / "none.h5")}
    with pytest.raises(UserError, match="there is no such store"):
        estimate(asked.replace({"finalists.external": [gone]}), store, 1)

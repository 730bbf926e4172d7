"""What a sweep will cost, measured on networks as they are trained."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sweep.api import measure
from sweep.api.check import Cost, estimate
from sweep.api.measure import CONFIGURATIONS
from sweep.api.pace import Room
from sweep.api.preflight import about_evidence, bind
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, WorkError
from sweep.core.text import between, span
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.costs import made_up
from tests.support.sweeps import settings


def test_a_network_that_draws_in_training_is_measured_and_its_average_weighed(
    store: Store,
) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    ).replace({"model.dropout": 0.1, "train.mixstyle": 0.5})
    plain = estimate(config, store, Room(1))
    averaged = estimate(config.replace({"train.ema": 0.9}), store, Room(1))
    assert min(plain.train_s) > 0
    assert 1.9 * plain.checkpoint_bytes < averaged.checkpoint_bytes < 2.1 * plain.checkpoint_bytes


def test_averages_are_rows_too(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    )
    asked = config.replace({"stress.modes.names": ["blend"]})
    trials, averaged, known = config.search.total, {"train.ema": 0.9}, made_up(config)
    rows = estimate(asked, store, Room(1), known).rows
    assert rows == 1, "the norms take turns, and one is batch norm"
    assert estimate(asked.replace(averaged), store, Room(1), known).rows == 1 + trials
    assert estimate(config.replace(averaged), store, Room(1), known).rows == trials


def test_what_is_expected_is_said_beside_what_it_is_at_most(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1, 5], "grid": "physical"})
    ).replace({"search.trials": 30, "train.epochs": 8, "search.limits.epochs": 100})
    known = made_up(config)

    def cost_of(**changes: Any) -> Cost:
        values = {name.replace("__", "."): value for name, value in changes.items()}
        return estimate(config.replace(values), store, Room(1), known)

    short = cost_of()
    assert short.expected_share == (30 + 6 * 7) / (30 * 8), "a look at all, the best two of a norm"
    assert f"{100 * short.expected_share:.0f} % of the epochs\n" in short.text(), "no guess"
    cost = cost_of(search__scheduler="asha")
    assert 1 / 4 < cost.expected_share < 1
    assert cost.screen_share is not None
    assert 0 < cost.screen_share < 1
    share = f"{100 * cost.expected_share:.0f} % of the epochs"
    assert f"(asha), which trains {share} if scores are random" in cost.text()
    assert "search.limits.epochs 100 allows about " in cost.text()
    parts = cost.parts
    likely = f"about {span(parts.expected)} (between {between(parts.low, parts.high)})"
    assert f"whole sweep  {likely}, at most {span(parts.most)} if no trial is" in cost.text()
    whole = cost_of(search__scheduler="none", search__limits={})
    assert whole.expected_share == 1
    assert "at most" not in said_of("whole sweep", whole), "nothing can make it longer"
    assert "stopping" not in whole.text()
    assert "limit" not in whole.text()


def said_of(what: str, cost: Cost) -> str:
    """The line of the text that begins so."""
    (line,) = (line for line in cost.text().splitlines() if line.startswith(what))
    return line


def test_networks_that_are_searched_are_measured_each(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    ).replace(
        {
            "search.trials": 8,
            "search.stratify": None,
            "search.space": {
                "model.width": {"choice": [2, 16]},
                "train.lr": {"log": [1e-3, 1e-2]},
                "train.epochs": {"int": [1, 3]},
            },
        }
    )
    cost = estimate(config, store, Room(1))
    assert cost.sampled == (2, 2), "the rate and the epochs change nothing of a step"
    assert min(cost.train_s) < max(cost.train_s)
    assert "(measured on all 2 configurations that may differ in it)" in said_of("training", cost)
    assert "if all trials are of the slowest kind and no trial" in said_of("whole sweep", cost)
    many = {"model.width": {"int": [2, 40]}, "train.batch_size": {"choice": [4, 8]}}
    some = estimate(config.replace({"search.space": many, "search.trials": 20}), store, Room(1))
    measured, of = some.sampled
    assert measured <= CONFIGURATIONS < of <= 20
    assert f"(measured on {measured} of {of} " in said_of("training", some)


def test_every_part_has_its_seconds_with_a_unit(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    ).replace({"data.train": [1], "data.validation": [2], "data.test": [3]})
    asked = config.replace({"finalists": {"seeds": 2}, "stress.modes": {"names": ["blend"]}})
    cost = estimate(asked, store, Room(1, start_s=2.0), made_up(config, train_s=600, score_s=100))
    line = said_of("of that", cost)
    named = ("start 11 s", "trials 1 h 45 min", "modes 2 min", "finalists 14 h")
    assert all(one in line for one in named), line
    plain = estimate(config, store, Room(1), made_up(config))
    assert "modes" not in said_of("of that", plain)
    assert "finalists" not in plain.text()


def test_finalists_share_the_places(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    ).replace({"data.train": [1], "data.validation": [2], "data.test": [3]})
    asked = config.replace({"finalists": {"per_norm": 1, "seeds": 2}})
    known = made_up(config, train_s=100, score_s=10)

    def seconds(places: int) -> float:
        return estimate(asked, store, Room(1, places, start_s=0), known).parts.finalists

    assert seconds(1) > 6 * 3 * 100, "two seeds of three norms, three epochs"
    assert seconds(2) == pytest.approx(seconds(1) / 2)
    assert seconds(4) == pytest.approx(seconds(1) / 3), "six on four places: one after the other"


def test_few_patients_and_few_trials_are_noted(store: Store) -> None:
    config = SweepConfig.from_dict(settings(store))
    of_patients, of_trials, of_stopping = about_evidence(config, store)
    assert of_patients == (
        "scores will have no intervals, as a is shown by 4 validation patients; b is shown by 4 "
        "validation patients: fewer than 10. Chance moves scores of so few patients by much: put "
        "more into data.validation"
    )
    assert of_trials.startswith("3 trials for 3 strata; with fewer than 4 each")
    assert of_stopping.startswith(
        "topk stops no trial, as 2 of each group may go on to the end, and a"
    )
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
    assert estimate(good, data, Room(1)).parts.expected > 0
    with pytest.raises(UserError, match=r"not comparable .* another stress.seed in"):
        estimate(good.replace({"stress.seed": 5}), data, Room(1))
    unknown = {
        "stress.grid": "calibrated",
        "stress.knobs": {},
        "search.scheduler": "asha",
        "search.from": "/nowhere",
    }
    with pytest.raises(UserError, match=r"no such folder of a sweep"):
        estimate(config.replace(unknown), data, Room(1))


def test_finalists_are_counted_and_their_stores_are_looked_at(store: Store, tmp_path: Path) -> None:
    stress = {"artifacts": ["bias"], "levels": [1], "grid": "physical"}
    config = SweepConfig.from_dict(settings(store, stress=stress)).replace(
        {"data.train": [1], "data.validation": [2], "data.test": [3]}
    )
    known = made_up(config)
    assert estimate(config, store, Room(1), known).finalists == ""
    asked = config.replace({"finalists": {"per_norm": 2, "seeds": 4, "holdout": ["blur"]}})
    said = estimate(asked, store, Room(1), known).text()
    assert "finalists    24 trainings (3 norms x 2 x 4 seeds), scored at validation, test" in said
    gone = {"name": "there", "store": str(tmp_path / "none.h5")}
    with pytest.raises(UserError, match="there is no such store"):
        estimate(asked.replace({"finalists.external": [gone]}), store, Room(1))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 252247026564 bytes")],
)
def test_a_network_that_memory_does_not_hold_is_named(
    error: Exception, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    )
    monkeypatch.setattr(measure, "Trainer", refuse)
    said = r"does not fit the memory of this machine; received model.norm 'batch' .*lower model"
    with pytest.raises(WorkError, match=said):
        estimate(config, store, Room(1))

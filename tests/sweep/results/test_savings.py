"""What early stopping saved, from the records of a sweep."""

from typing import Any

import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.records import Status, TrialRecord
from sweep.results.savings import savings

NORMS = ["batch", "group"]


def config(space: dict[str, Any] | None = None, **search: Any) -> SweepConfig:
    both = {"model.norm": {"choice": NORMS}, **(space or {})}
    return SweepConfig.from_dict(
        {
            "name": "s",
            "data": {"store": "s.h5", "train": [1], "validation": [2]},
            "search": {"trials": 8, "space": both, "scheduler": "asha", **search},
            "train": {"epochs": 10},
        }
    )


def trial(number: int, status: Status, **params: Any) -> TrialRecord:
    norm = NORMS[number % 2]
    name = f"trial-{number:04d}"
    return TrialRecord(name, number, {"model.norm": norm, **params}, norm, 0, status, 0)


def line(config: SweepConfig, *trials: tuple[TrialRecord, int]) -> str | None:
    reported = {record.trial: epoch for record, epoch in trials}
    records = [record for record, _ in trials]
    return savings(config.search, config.train.epochs, records, reported.__getitem__)


def test_each_stratum_has_what_it_saved_of_what_it_was_to_have() -> None:
    found = line(
        config(),
        (trial(0, "finished"), 10),
        (trial(1, "pruned"), 3),
        (trial(2, "pruned"), 5),
        (trial(3, "pruned"), 4),
    )
    assert (
        found == "early stopping (asha) saved 18 of 40 epochs (45 %): batch 5 of 20, group 13 of 20"
    )


def test_a_trial_that_ended_by_itself_saved_nothing_and_one_that_runs_is_not_counted() -> None:
    found = line(
        config(scheduler="median"),
        (trial(0, "finished"), 2),
        (trial(1, "failed"), 1),
        (trial(2, "running"), 3),
    )
    assert (
        found == "early stopping (median) saved 0 of 20 epochs (0 %): batch 0 of 10, group 0 of 10"
    )


def test_a_trial_saves_of_its_own_epochs() -> None:
    searched = config({"train.epochs": {"choice": [4, 20]}})
    found = line(
        searched,
        (trial(0, "pruned", **{"train.epochs": 20}), 5),
        (trial(2, "finished", **{"train.epochs": 4}), 4),
    )
    assert found == "early stopping (asha) saved 15 of 24 epochs (62 %): batch 15 of 24"


def test_without_strata_there_is_one_number() -> None:
    found = line(config(stratify=None), (trial(0, "pruned"), 5))
    assert found == "early stopping (asha) saved 5 of 10 epochs (50 %)"


def test_of_a_look_at_all_trials_is_said_when_and_how_many_go_on() -> None:
    ended = (trial(0, "pruned"), 2), (trial(1, "finished"), 10)
    found = line(config(scheduler="topk"), *ended)
    how = "early stopping (topk: the best 2 of each norm go on after epoch 2)"
    assert found == f"{how} saved 8 of 20 epochs (40 %): batch 8 of 10, group 0 of 10"
    found = line(config(scheduler="topk", keep=1, stratify=None), *ended)
    assert found is not None
    assert found.startswith("early stopping (topk: the best 1 go on after epoch 2) saved")


@pytest.mark.parametrize("kind", ["none", "asha"])
def test_where_nothing_can_be_saved_nothing_is_said(kind: str) -> None:
    ended = [(trial(0, "finished"), 10)] if kind == "none" else [(trial(0, "running"), 1)]
    assert line(config(scheduler=kind), *ended) is None

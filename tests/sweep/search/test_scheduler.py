"""Early stopping as Tune's scheduler: strata apart, and a restart that changes no decision."""

import math

import pytest

from sweep.config.search import SearchSettings
from sweep.search.scheduler import StratifiedScheduler
from tests.support.stopping import METRIC, arriving, courses, record, scheduler_of, suggestion

KINDS = ("asha", "hyperband", "median", "pasha")  # of topk, where trials wait: test_waiting.py
EPOCHS = 8


def scheduler(kind: str = "asha", grace: int | None = 1) -> StratifiedScheduler:
    return scheduler_of(SearchSettings(scheduler=kind, grace_epochs=grace), EPOCHS)


def observe(
    asked: StratifiedScheduler, number: int, stratum: str, value: float, epoch: int = 1
) -> str:
    return asked.observe(suggestion(number, stratum), epoch, {METRIC: value})


def test_norms_do_not_stop_each_other() -> None:
    asked = scheduler()
    for number in range(4):
        assert observe(asked, number, "batch", 0.9) == "CONTINUE"
    assert observe(asked, 4, "layer", 0.6) == "CONTINUE"
    assert observe(asked, 5, "layer", 0.5) == "STOP"
    assert asked.stopped(suggestion(5).trial)
    assert not asked.stopped(suggestion(4).trial)


@pytest.mark.parametrize("kind", KINDS)
def test_partners_of_another_stratum_change_nothing(kind: str) -> None:
    values = courses(1, 24, EPOCHS)
    order = list(arriving(2, 24, EPOCHS))

    def stopped(strata: dict[int, str], kept: set[str]) -> set[str]:
        asked = scheduler(kind)
        for trial, epoch in order:
            if strata[trial % 3] in kept:
                observe(asked, trial, strata[trial % 3], values[trial][epoch - 1], epoch)
        return asked.ended_early

    names = dict(enumerate(("batch", "group", "layer")))
    together = stopped(names, set(names.values()))
    assert together == set.union(*(stopped(names, {name}) for name in names.values()))
    assert together == stopped(dict(enumerate(("layer", "batch", "group"))), set(names.values()))
    assert together


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 40, 77])
def test_replayed_records_decide_as_the_live_reports_did(kind: str, cut: int) -> None:
    values = courses(3, 20, EPOCHS)
    order = list(arriving(4, 20, EPOCHS))
    live, replayed = scheduler(kind), scheduler(kind)
    decisions = []
    kept = []
    for at, (trial, epoch) in enumerate(order):
        asked, value = suggestion(trial), values[trial][epoch - 1]
        if at < cut and not live.stopped(asked.trial):  # what was stopped reports no more
            kept.append((asked, record(asked, epoch, value, at)))
        decisions.append(observe(live, trial, "batch", value, epoch))
    replayed.replay(kept)
    last = {asked.number: (asked, one) for asked, one in kept}
    for asked, one in last.values():  # a resumed trial says its last epoch again
        said = replayed.observe(asked, one.epoch, one.metrics)
        assert (said == "STOP") == replayed.stopped(asked.trial)
    rest = [
        observe(replayed, trial, "batch", values[trial][epoch - 1], epoch)
        for trial, epoch in order[cut:]
    ]
    assert rest == decisions[cut:]
    assert replayed.ended_early == live.ended_early
    assert {"STOP", "CONTINUE"} == set(decisions)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_with_a_later_epoch_went_on_whatever_the_clocks_say(kind: str) -> None:
    """Two workers' clocks may give an order that is not that of the driver."""
    asked = scheduler(kind)
    first, others = suggestion(96), [suggestion(number) for number in range(0, 96, 8)]
    reports = [(other, record(other, 1, 0.9, at=1)) for other in others]
    reports += [(first, record(first, 1, 0.1, at=2)), (first, record(first, 2, 0.95, at=3))]
    asked.replay(reports[:-1])
    assert asked.stopped(first.trial)
    asked = scheduler(kind)
    asked.replay(reports)
    assert not asked.stopped(first.trial) or kind == "pasha", "which ends it at the second rung"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("epoch", "value"), [(1, math.nan), (2, -math.inf), (EPOCHS, 0.0)])
def test_a_missing_value_and_a_last_epoch_stop_nothing_and_count_for_nothing(
    kind: str, epoch: int, value: float
) -> None:
    asked = scheduler(kind)
    for number in range(6):
        assert observe(asked, number, "s", value, epoch) == "CONTINUE"
    assert not asked.strata
    for number in range(6, 12):
        observe(asked, number, "s", 0.9, epoch)
    assert observe(asked, 12, "s", value, epoch) == "CONTINUE"


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_epoch_is_the_trials_own(kind: str) -> None:
    asked = scheduler(kind)
    for number in range(0, 96, 8):
        asked.observe(suggestion(number), 1, {METRIC: 0.9})
    short = suggestion(96, **{"train.epochs": 1})
    assert asked.observe(short, 1, {METRIC: 0.1}) == "CONTINUE"
    assert asked.observe(suggestion(104), 1, {METRIC: 0.1}) == "STOP"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_trial_is_told_so_again(kind: str) -> None:
    asked = scheduler(kind)
    for number in range(0, 96, 8):
        observe(asked, number, "s", 0.9)
    assert observe(asked, 96, "s", 0.1) == "STOP"
    assert observe(asked, 96, "s", 0.1) == "STOP"
    assert observe(asked, 96, "s", 1.0, epoch=5) == "STOP"
    assert observe(asked, 104, "s", 0.95) == "CONTINUE"

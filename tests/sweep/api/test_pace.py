"""How long a sweep takes by what its steps take: laws, and what limits allow."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sweep.api.measure import Taken
from sweep.api.pace import BEGIN, LEAVE, MODEL, REPORT, Pace, Parts, Room, allowed
from sweep.config.sweep import SweepConfig
from tests.support.costs import made_up

PLAIN: dict[str, Any] = {
    "name": "x",
    "data": {"store": "a.h5", "train": [1], "validation": [2]},
    "train": {"epochs": 8},
    "search": {
        "trials": 12,
        "scheduler": "none",
        "screen": None,
        "space": {"model.norm": {"choice": ["batch", "group"]}},
    },
}
AT_ONCE = 1e-9  # seconds that a worker takes to start, where only the work counts
ONE = Room(1, start_s=AT_ONCE)


def config_of(changes: Mapping[str, Any] | None = None) -> SweepConfig:
    return SweepConfig.from_dict(PLAIN).replace(changes or {})


def pace_of(config: SweepConfig, room: Room, share: float | None = None, **seconds: float) -> Pace:
    return Pace(config, made_up(config, **seconds), room, share)


def parts_of(config: SweepConfig, room: Room = ONE, **seconds: float) -> Parts:
    pace = pace_of(config, room, **seconds)
    return pace.parts(pace.expected(), 0, 0.0)


def trials_s(config: SweepConfig, room: Room = ONE, **seconds: float) -> float:
    return parts_of(config, room, **seconds).trials


def test_the_last_epoch_is_scored_when_all_are_trained() -> None:
    """A trial on one place: its epochs, then what its last scores take."""
    assert trials_s(config_of({"search.trials": 2})) == pytest.approx(2 * (8 * 10 + 4))


def test_where_scoring_takes_longer_than_training_it_decides() -> None:
    found = trials_s(config_of(), replace(ONE, trials=4), train_s=1, score_s=10)
    assert found == pytest.approx(96 * 10, rel=0.02)
    pool = config_of({"cluster.evaluators": 2})
    both = trials_s(pool, replace(ONE, trials=4), train_s=1, score_s=10)
    assert both == pytest.approx(found / 2, rel=0.02)


def test_twice_the_trials_take_twice_as_long() -> None:
    some, double = (trials_s(config_of({"search.trials": n})) for n in (12, 24))
    assert double == pytest.approx(2 * some)


@pytest.mark.parametrize("scheduler", ["asha", "hyperband", "median", "topk", "pasha"])
def test_stopping_early_never_takes_longer(scheduler: str) -> None:
    pruned = parts_of(config_of({"search.scheduler": scheduler}))
    assert pruned.trials < trials_s(config_of())
    assert pruned.shorter <= pruned.trials <= pruned.longer <= pruned.unpruned
    assert pruned.low < pruned.expected < pruned.high <= pruned.most


@pytest.mark.parametrize("scheduler", ["none", "asha", "topk"])
def test_more_places_never_take_longer(scheduler: str) -> None:
    config = config_of({"search.scheduler": scheduler})
    found = [trials_s(config, replace(ONE, trials=places)) for places in (1, 2, 4, 12, 50)]
    assert found == sorted(found, reverse=True)
    assert found[1] < 0.7 * found[0]
    assert found[-1] == found[-2], "no trial has two places"


def test_more_threads_than_cpus_share_them() -> None:
    four = replace(ONE, trials=4)
    enough, few = (trials_s(config_of(), replace(four, cpus=n)) for n in (5, 2))
    assert enough == trials_s(config_of(), four)
    assert few == pytest.approx(96 * (10 + 4) / 2)


def test_searched_epochs_count_by_their_mean_and_at_most_by_the_most() -> None:
    config = config_of({"search.space": {"train.epochs": {"choice": [2, 6, 10]}}})
    even = config.replace({"search.trials": 60, "search.sampler": "sobol"})
    found = parts_of(even, score_s=0)
    assert found.trials == pytest.approx(60 * 6 * 10, rel=0.05)
    assert found.unpruned == pytest.approx(60 * 10 * 10)
    assert found.most > 1.5 * found.high


def test_a_sampler_that_learns_is_drawn_half_of_the_way_to_more_epochs() -> None:
    config = config_of({"search.space": {"train.epochs": {"choice": [2, 10]}}})
    blind, learns = (
        parts_of(config.replace({"search.trials": 24, "search.sampler": name}), score_s=0)
        for name in ("sobol", "gp")
    )
    assert blind.trials == blind.longer == pytest.approx(24 * 6 * 10)
    assert learns.longer == pytest.approx((4 * 6 + 20 * 10) * 10), "after its first four points"
    assert learns.trials == pytest.approx((blind.trials + learns.longer) / 2)
    assert learns.shorter == blind.shorter


def test_of_configurations_that_differ_the_mean_counts_and_at_most_the_slowest() -> None:
    config = config_of({"search.sampler": "sobol"})
    slow, fast = Taken(3, 30, 0, 0), Taken(1, 10, 0, 0)
    measured = replace(made_up(config), taken=(slow, fast) * 6, distinct=2, measured=2)
    pace = Pace(config, measured, ONE, None)
    found = pace.parts(pace.expected(), 0, 0.0)
    assert found.trials == pytest.approx(12 * 8 * 20)
    assert found.unpruned == pytest.approx(12 * 8 * 30)


def test_screened_epochs_take_what_a_screening_takes() -> None:
    config = config_of({"search.screen": {"full": [4]}, "search.trials": 2})
    pace = pace_of(config, ONE, 0.1, train_s=0, score_s=10)
    # Six are screened, the fourth is scored in full, with the last one the best of the trial too.
    assert pace.parts(pace.expected(), 0, 0.0).trials == pytest.approx(2 * (6 * 1 + 10 + 2 * 10))


def test_inputs_are_made_once_where_they_are_kept() -> None:
    config = config_of({"search.trials": 2})
    usual = trials_s(config, train_s=0, score_s=10)
    assert trials_s(config, train_s=0, score_s=10, inputs_s=7) == pytest.approx(usual + 7)
    measured = replace(made_up(config, train_s=0, score_s=10, inputs_s=7), kept=0.0)
    pace = Pace(config, measured, ONE, None)
    anew = pace.parts(pace.expected(), 0, 0.0).trials
    assert anew == pytest.approx(usual + 2 * 8 * 7), "for every epoch"


def test_start_and_end_go_with_the_start_of_a_worker() -> None:
    config = config_of()
    some, double = (parts_of(config, replace(ONE, start_s=n)) for n in (3, 6))
    assert double.start == pytest.approx(2 * some.start)
    each = BEGIN + LEAVE + REPORT * (8 + 1)
    assert double.trials - some.trials == pytest.approx(12 * 3 * each, rel=0.2)
    none = config.replace({"tracking.models": 0})
    without = parts_of(none, replace(ONE, start_s=3))
    assert some.end - without.end == pytest.approx(3 * MODEL * 2), "a network of each norm"
    nobody = parts_of(config.replace({"tracking.to": ["jsonl"]}), replace(ONE, start_s=3))
    assert nobody.end < without.end


def test_a_tracker_that_is_behind_is_waited_for() -> None:
    config = config_of({"tracking.models": "all"})
    quick = parts_of(config, replace(ONE, start_s=3), train_s=0.01, score_s=0.01)
    slow = parts_of(config, replace(ONE, start_s=3), train_s=100)
    assert quick.end > slow.end + 12 * 3


def test_rows_of_modes_are_passes_of_all_evaluators() -> None:
    pace = pace_of(config_of({"cluster.evaluators": 2}), ONE)
    assert pace.parts(pace.expected(), 5, 0.0).rows == pytest.approx(5 * 4 / 2)
    assert pace.parts(pace.expected(), 5, 60.0).finalists == pytest.approx(60)


def limits(config: SweepConfig, seconds: float) -> list[str]:
    pace = pace_of(config, Room(4))
    return list(allowed(config, pace.expected(), seconds, pace))


def test_what_limits_allow() -> None:
    """Nothing is stopped: four trials side by side end together, at 32, 64 and 96 epochs."""
    shares = {"cluster.evaluators": 2, "cluster.trial.gpu": 0.25, "cluster.evaluator.gpu": 0.5}
    config = config_of(shares)
    assert limits(config, 7200) == []
    (epochs,) = limits(config.replace({"search.limits.epochs": 70}), 7200)
    assert epochs == "search.limits.epochs 70 allows about 8 of 12 trials; about 96 for all"
    both = {"search.limits.hours": 1, "search.limits.gpu_hours": 4.5}
    hours, gpus = limits(config.replace(both), 7200)
    assert hours == "search.limits.hours 1 allows about 4 of 12 trials; about 2 for all"
    # Two hours of four quarters and two halves of a GPU.
    assert gpus == "search.limits.gpu_hours 4.5 is not expected to be reached"

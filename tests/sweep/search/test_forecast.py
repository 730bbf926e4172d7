"""A search played through: what is known of it without a play must come out."""

from typing import Any

import pytest

from sweep.config.search import SearchSettings
from sweep.search.forecast import Course, forecast

NORMS = {"model.norm": {"choice": ["batch", "group", "layer"]}}


def settings(trials: int, scheduler: Any = "asha", **changes: Any) -> SearchSettings:
    return SearchSettings(trials=trials, space=NORMS, scheduler=scheduler, **changes)


def test_with_topk_the_best_few_of_each_stratum_run_to_their_end() -> None:
    found = forecast(settings(30, "topk", grace_epochs=2, keep=3), 8, 4)
    assert found.reached == (30, 30, 9, 9, 9, 9, 9, 9)
    assert found.trials_within(60) == 30 - 9  # those that waited in vain end together


def test_where_nothing_is_stopped_every_epoch_is_trained() -> None:
    found = forecast(settings(6, scheduler="none"), 5, 2)
    assert found.reached == (6,) * 5
    assert found.epochs == 30
    assert found.trials_within(8) == 0
    assert found.trials_within(10) == 2  # side by side, they end one after the other
    assert found.trials_within(30) == 6


@pytest.mark.parametrize("reduction", [2.0, 3.0, 4.0])
def test_of_many_trials_asha_lets_one_part_pass_each_rung(reduction: float) -> None:
    """And a little more, as each is compared with those before it alone, the first with none."""
    asha = settings(1500, grace_epochs=1, reduction=reduction)
    reached = forecast(asha, 12, 4).reached
    rungs = asha.rungs(12)
    for number, rung in enumerate(rungs[:2], start=1):
        assert 0.95 < reached[rung] / 1500 * reduction**number < 1.5
    assert list(reached) == sorted(reached, reverse=True)


def test_of_few_trials_less_is_saved() -> None:
    few, many = (forecast(settings(n, grace_epochs=1), 16, 2).epochs / n for n in (6, 300))
    assert many < few < 16


def test_no_trial_is_stopped_before_the_grace() -> None:
    reached = forecast(settings(30, grace_epochs=4), 16, 2).reached
    assert reached[:4] == (30,) * 4
    assert reached[4] < 30


@pytest.mark.parametrize("scheduler", ["asha", "hyperband", "median", "topk", "pasha"])
@pytest.mark.parametrize("two", [(), ("clean/auroc", "robust/auroc_mean")])
def test_every_rule_can_be_played_and_says_the_same_again(
    scheduler: str, two: tuple[str, ...]
) -> None:
    search = settings(30, scheduler=scheduler, objectives=two)
    found = forecast(search, 8, 3)
    assert found == forecast(search, 8, 3)
    assert found.reached[0] == 30
    assert 30 < found.epochs < 30 * 8
    assert found.trials_within(found.epochs * 2) == 30


def test_where_epochs_are_searched_each_trial_has_those_of_its_point() -> None:
    space = {**NORMS, "train.epochs": {"choice": [4, 10]}}
    search = SearchSettings(trials=60, space=space, scheduler="none")
    reached = forecast(search, 4, 1).reached
    assert len(reached) == 10
    assert reached[:4] == (60,) * 4
    assert reached[4:] == (30,) * 6, "half of them have ten"


def test_a_stopped_trial_has_trained_an_epoch_more_than_it_reported() -> None:
    """Its scores come while the next epoch trains; with topk it waits for them."""
    asha, topk = settings(30), settings(30, "topk")
    ahead, behind = forecast(asha, 16, 4), forecast(topk, 16, 4)
    stopped = 30 - ahead.reached[-1]
    assert ahead.training_s == pytest.approx(ahead.epochs + stopped, rel=0.01)
    assert behind.training_s == behind.epochs


def test_places_that_are_free_are_taken_at_once() -> None:
    """Two places, three trials of four, two and two seconds."""
    search = settings(3, "none")
    courses = [Course(4), Course(2), Course(2)]
    assert forecast(search, 4, 2, courses).seconds == (4,)
    assert forecast(search, 4, 1, courses).seconds == (8,)
    assert forecast(search, 4, 3, courses).seconds == (4,)


def test_a_trial_waits_for_the_scores_of_its_last_epoch_and_for_what_is_left() -> None:
    course = Course(3, 1.0, (5.0, 5.0, 5.0), again_s=2.0, begin_s=0.5, report_s=0.1, end_s=0.2)
    (seconds,) = forecast(settings(3, "none"), 3, 1, [course] * 3).seconds
    # The evaluators get the third checkpoint as the first is reported and its epoch is trained.
    one = 0.5 + 1 + 3 * 5 + 0.1 + 2 + 0.2
    assert seconds == pytest.approx(3 * one)

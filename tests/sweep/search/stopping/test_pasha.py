"""PASHA: no further than the ranking takes."""

import math
from collections.abc import Sequence

import pytest

from sweep.search.stopping.asha import Asha
from sweep.search.stopping.pasha import Pasha
from tests.support.stopping import arriving, courses, decided

RUNGS, EPOCHS = (1, 2, 4), 8


def trained(rule: Pasha, courses: Sequence[Sequence[float]]) -> list[int | None]:
    """The epoch at which each trial is stopped, one after the other."""
    order = [(trial, epoch + 1) for trial, one in enumerate(courses) for epoch in range(len(one))]
    stopped = decided(rule, courses, order)
    return [stopped.get(trial) for trial in range(len(courses))]


def test_while_the_ranking_stays_every_trial_ends_at_the_second_rung() -> None:
    rule = Pasha(RUNGS, 2)
    better_and_better = [[0.5 + trial / 100] * 7 for trial in range(12)]
    assert trained(rule, better_and_better) == [2] * 12
    assert rule.cap == 2


def test_where_two_change_places_later_trials_go_further() -> None:
    rule = Pasha(RUNGS, 2)
    first, weaker_later = [0.5, 0.9], [0.6, 0.8]
    assert trained(rule, [first, weaker_later]) == [2, 2], "the second is below the cut as well"
    assert rule.cap == 4
    later = Pasha(RUNGS, 2)
    found = trained(later, [first, weaker_later, [0.95] * 7, [0.97] * 7])
    assert found == [2, 2, 4, 4]
    ahead_later = Pasha(RUNGS, 2)
    assert trained(ahead_later, [[0.5, 0.6, 0.7], [0.5, 0.4], [0.6, 0.55, 0.8]])[0] == 2


def test_above_the_highest_rung_trials_run_to_their_end() -> None:
    rule = Pasha(RUNGS, 2)
    swaps = [[0.5, 0.9], [0.6, 0.8], [0.7, 0.95, 0.9, 0.99], [0.8, 0.96, 0.9, 0.98]]
    trained(rule, swaps)
    assert rule.cap == math.inf
    assert not any(rule.stops(9, epoch, (1.0,)) for epoch in range(1, EPOCHS))


@pytest.mark.parametrize(
    ("start", "cap"),
    [
        (0.4, 4),  # behind, ahead, behind: they cross twice, and noise explains the change
        (0.55, 8),  # ahead, then behind: it is a change of ranking
    ],
)
def test_pairs_that_cross_twice_say_how_far_noise_sets_trials_apart(start: float, cap: int) -> None:
    rule = Pasha((2, 4, 8), 2)
    one = [0.5, 0.60, 0.6, 0.72]
    other = [start, 0.61, 0.5 if start < 0.5 else 0.61, 0.70]
    trained(rule, [one, other])
    assert rule.cap == cap


def test_noise_does_not_explain_more_than_its_own_size() -> None:
    rule = Pasha((2, 4, 8), 2)
    trained(rule, [[0.5, 0.60, 0.6, 0.72], [0.4, 0.65, 0.5, 0.70]])
    assert rule.cap == 8


@pytest.mark.parametrize("rungs", [(), (2,)])
def test_of_fewer_than_two_rungs_it_is_asha(rungs: tuple[int, ...]) -> None:
    values, order = courses(7, 40, EPOCHS), list(arriving(8, 40, EPOCHS))
    assert decided(Pasha(rungs, 2), values, order) == decided(Asha(rungs, 2), values, order)


@pytest.mark.parametrize("key", range(6))
def test_no_trial_goes_beyond_the_last_rung(key: int) -> None:
    values, order = courses(key, 60, 32), list(arriving(key, 60, 32))
    rule = Pasha((1, 2, 4, 8, 16), 2)
    went: dict[int, int] = {}
    ended: set[int] = set()
    for trial, epoch in order:
        if trial in ended:
            continue
        cap = rule.cap
        assert epoch <= cap
        if rule.stops(trial, epoch, (values[trial][epoch - 1],)):
            ended.add(trial)
        elif epoch == cap:
            assert rule.cap > cap
        went[trial] = epoch
    assert sum(went.values()) < 60 * 32 / 2


def test_of_two_objectives_trials_of_one_front_are_equals() -> None:
    """They may change places; one that falls behind another's front changes the ranking."""

    def cap(*ends: tuple[float, float]) -> float:
        rule = Pasha(RUNGS, 2)
        for trial, (start, end) in enumerate(zip([(0.5, 0.6), (0.6, 0.5)], ends, strict=True)):
            rule.stops(trial, 1, start)
            rule.stops(trial, 2, end)
        return rule.cap

    assert cap((0.7, 0.8), (0.8, 0.7)) == cap((0.8, 0.7), (0.7, 0.8)) == 2

    swapped = Pasha(RUNGS, 2)
    for trial, (start, end) in enumerate([((0.5, 0.5), (0.9, 0.9)), ((0.6, 0.6), (0.8, 0.8))]):
        swapped.stops(trial, 1, start)
        swapped.stops(trial, 2, end)
    assert swapped.cap == 4

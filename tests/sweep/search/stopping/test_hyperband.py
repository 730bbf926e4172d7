"""Hyperband: brackets that follow from a trial's place, each an ASHA of its own."""

from collections import Counter

import pytest

from sweep.search.stopping.asha import Asha
from sweep.search.stopping.hyperband import Hyperband
from tests.support.stopping import arriving, courses, decided

RUNGS, EPOCHS = (2, 4, 8), 16


def test_every_stratum_has_the_same_brackets_in_the_same_order() -> None:
    one, three = Hyperband(RUNGS, 2), Hyperband(RUNGS, 2, shares=3)
    for place in range(40):
        assert {three.bracket(3 * place + stratum) for stratum in range(3)} == {one.bracket(place)}


@pytest.mark.parametrize("reduction", [2.0, 3.0])
def test_the_brackets_have_trials_by_the_weights_of_the_paper(reduction: float) -> None:
    rule = Hyperband(RUNGS, reduction)
    weights = [4 / (s + 1) * reduction**s for s in (3, 2, 1, 0)]
    for trials in (30, 300, 3000):
        found = Counter(map(rule.bracket, range(trials)))
        for bracket, weight in enumerate(weights):
            assert abs(found[bracket] - trials * weight / sum(weights)) < 3


def test_each_bracket_decides_as_asha_among_its_own_trials() -> None:
    values, order = courses(5, 90, EPOCHS), list(arriving(6, 90, EPOCHS))
    rule = Hyperband(RUNGS, 2)
    together = decided(rule, values, order)
    apart: dict[int, int] = {}
    for bracket in range(len(RUNGS) + 1):
        own = [(trial, epoch) for trial, epoch in order if rule.bracket(trial) == bracket]
        alone = decided(Asha(RUNGS[bracket:], 2), values, own)
        assert bool(alone) == (bracket < len(RUNGS)), "the last bracket stops nothing"
        apart |= alone
    assert together == apart


def test_without_rungs_nothing_is_stopped() -> None:
    rule = Hyperband((), 2)
    assert not any(rule.stops(trial, 1, (-float(trial),)) for trial in range(20))

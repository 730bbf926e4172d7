"""The time that a search still takes: sweeps are played, and what was said of them is compared."""

import heapq
from typing import Any

import numpy as np
import pytest

from sweep.config.search import SearchSettings
from sweep.core.keys import generator
from sweep.search.forecast import forecast
from sweep.search.left import Begun, Work, time_left

TRIALS, EPOCHS, AT_A_TIME = 24, 6, 3
ALL = [float(TRIALS)] * EPOCHS  # all trials come to all epochs
LIKE, UNLIKE = 0.05, 0.5  # SD of the logarithm of the seconds of an epoch


def play(number: int, unlike: float, at: float) -> tuple[Work, float]:
    """The work at a part of a sweep whose trials take unlike times, and the seconds left."""
    draws = generator("left", number)
    epoch_s = np.exp(unlike * draws.standard_normal(TRIALS))
    free = [(0.0, slot) for slot in range(AT_A_TIME)]
    heapq.heapify(free)
    spans = []
    for seconds in epoch_s:
        began, slot = heapq.heappop(free)
        spans.append((began, began + EPOCHS * seconds))
        heapq.heappush(free, (spans[-1][1], slot))
    end = max(stop for _, stop in spans)
    now = at * end
    trained = [
        min(EPOCHS, max(0.0, (now - began) / seconds))
        for (began, _), seconds in zip(spans, epoch_s, strict=True)
    ]
    known = {at: float(epoch_s[at]) for at, epochs in enumerate(trained) if epochs >= 1}
    running = [
        Begun(epochs, EPOCHS, float(epoch_s[at]) if epochs > 0.1 else None)
        for at, epochs in enumerate(trained)
        if 0 < epochs < EPOCHS
    ]
    unbegun = sum(epochs == 0 for epochs in trained)
    return Work(running, (), unbegun, [EPOCHS], list(known.values()), AT_A_TIME), end - now


@pytest.mark.parametrize("unlike", [LIKE, UNLIKE])
@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_what_is_said_is_right_three_times_of_four(at: float, unlike: float) -> None:
    right, ratios = 0, []
    for number in range(200):
        work, truth = play(number, unlike, at)
        left = time_left(work, ALL)
        assert left is not None
        right += left.low <= truth * (1 + 1e-9) and truth * (1 - 1e-9) <= left.high
        ratios.append(left.likely / truth)
    assert right >= 150
    assert 0.85 < np.median(ratios) < 1.2


def test_trials_alike_make_it_sure() -> None:
    widths = []
    for unlike in (LIKE, UNLIKE):
        left = time_left(play(0, unlike, 0.5)[0], ALL)
        assert left is not None
        widths.append(left.high / left.low)
    assert 1 < widths[0] < widths[1]


@pytest.mark.parametrize("scheduler", ["asha", "topk"])
def test_a_search_that_stops_trials_is_expected_to(scheduler: Any) -> None:
    """Sweeps of trials alike: what is left is what the forecast has left."""
    settings = SearchSettings(trials=24, scheduler=scheduler)
    reached = forecast(settings, 8, 1).reached
    work = Work((), (), 24, [8], [10.0] * 50, 1)
    left, whole = time_left(work, reached), time_left(work, [24.0] * 8)
    assert left is not None
    assert whole is not None
    assert left.likely == pytest.approx(10.0 * sum(reached), rel=0.1)
    assert whole.likely == pytest.approx(24 * 8 * 10.0, rel=0.05)


def test_trials_that_wait_go_on_as_often_as_expected() -> None:
    work = Work((), [Begun(1, 4, 10.0)] * 24, 0, [4], [10.0] * 50, 1)
    left = time_left(work, [24.0, 6.0, 6.0, 6.0])
    assert left is not None
    assert left.low < 6 * 3 * 10.0 < left.high


def test_the_longest_that_runs_decides_the_end() -> None:
    running = [Begun(1, 10, 10.0), Begun(9, 10, 10.0)]
    left = time_left(Work(running, (), 0, [10], [10.0, 10.0], 2), [2.0] * 10)
    assert left == (90.0, 90.0, 90.0)


def test_of_thousands_it_is_said_as_of_hundreds() -> None:
    small, large = (
        time_left(Work((), (), count, [5], [10.0] * 50, 10), [1.0] * 5) for count in (150, 1500)
    )
    assert small is not None
    assert large is not None
    assert large.likely / small.likely == pytest.approx(10, rel=0.1)


def test_nothing_is_said_before_anything_is_timed() -> None:
    assert time_left(Work([Begun(0.5, 2, None)], (), 1, [2], [], 1), [2.0, 2.0]) is None

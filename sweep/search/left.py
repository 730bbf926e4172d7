"""How long a search still takes: played on from where it is, by what its trials took so far."""

import heapq
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep.core.keys import generator

PLAYS = 100
QUANTILES = (0.1, 0.5, 0.9)  # what is said is to be right four times of five
# SD of the logarithm of the seconds of an epoch between trials: what is taken for it before there
# is anything to tell, which counts as much as so many trials.
SPREAD, WORTH = 0.4, 2
MOST_PLAYED = 200  # trials; of more it is their sum that counts, and not who comes last

Plays = NDArray[np.float64]
"""(P, T) a value for each play and each trial."""


class TimeLeft(NamedTuple):
    """Seconds that a search still takes.

    Attributes:
        low: One search of ten takes less.
        likely: As many take more as less.
        high: One search of ten takes more.

    """

    low: float
    likely: float
    high: float


class Begun(NamedTuple):
    """A trial that has begun and not ended.

    Attributes:
        trained: The epochs that it has, a part of one as such.
        most: How many it may have.
        epoch_s: The seconds of one of them; None: not known yet.

    """

    trained: float
    most: int
    epoch_s: float | None


class Work(NamedTuple):
    """Where a search is.

    Attributes:
        running: Trials that run.
        waiting: Trials that wait for others, and may go on.
        unbegun: How many trials have not begun.
        most: The epochs that a trial may have, of each that was seen.
        epoch_s: The seconds of an epoch, of each trial that they are known of.
        at_a_time: Trials that run side by side.

    """

    running: Sequence[Begun]
    waiting: Sequence[Begun]
    unbegun: int
    most: Sequence[int]
    epoch_s: Sequence[float]
    at_a_time: int


def time_left(work: Work, reached: Sequence[float]) -> TimeLeft | None:
    """What a search still takes; None: nothing is known of its pace.

    Args:
        work: Where it is.
        reached: (E,) how many trials are to be expected to come to each epoch, the first first; as
            many to each where none is stopped early.

    """
    if not work.epoch_s:
        return None
    draws = generator("time left")
    begun = [*work.running, *work.waiting]
    trials = len(begun) + work.unbegun
    logs = np.log(work.epoch_s)
    known = len(logs) - 1 + WORTH
    squares = float(np.sum((logs - logs.mean()) ** 2)) + WORTH * SPREAD**2
    # Neither the mean nor the SD of a few is that of all: each play has its own.
    spread = np.sqrt(squares / draws.chisquare(known, (PLAYS, 1)))
    centre = logs.mean() + spread / math.sqrt(len(logs)) * draws.standard_normal((PLAYS, 1))
    seconds: Plays = np.exp(centre + spread * draws.standard_normal((PLAYS, trials)))
    for at, one in enumerate(begun):
        if one.epoch_s is not None:
            seconds[:, at] = one.epoch_s
    most = draws.choice(np.array(work.most), (PLAYS, trials))
    most[:, : len(begun)] = [one.most for one in begun]
    trained = np.array([one.trained for one in begun] + [0.0] * work.unbegun)
    ends = _ends(np.minimum(trained, most), most, reached, draws.random((PLAYS, trials)))
    spans = np.maximum(0.0, ends - trained) * seconds
    left = [_side_by_side(play, len(work.running), work.at_a_time) for play in spans]
    return TimeLeft(*map(float, np.quantile(left, QUANTILES)))


def _ends(
    trained: Plays, most: NDArray[np.int64], reached: Sequence[float], chance: Plays
) -> Plays:
    """The last epoch of each trial: those that came as far as it is go on as often as expected."""
    come = np.array(reached, float) / max(reached[0], 1e-12)
    come = np.pad(come, (1, max(0, int(most.max()) - len(come))), constant_values=(1.0, come[-1]))
    # Of an epoch under way it is not known yet whether another follows; the epoch itself is sure.
    now = np.ceil(trained).astype(np.int64)
    goal = chance * come[now]
    # As many epochs as more than this part of all trials come to.
    ends = np.searchsorted(-come, -goal, side="right") - 1
    return np.clip(ends, now, most).astype(float)


def _side_by_side(spans: NDArray[np.float64], running: int, at_a_time: int) -> float:
    """Until the last trial has ended, each taking the first place that gets free."""
    if len(spans) > MOST_PLAYED:
        return float(spans.sum() / at_a_time + spans.mean() / 2)
    places = sorted(spans[:running].tolist())
    places = [0.0] * (at_a_time - len(places)) + places
    last = max(places, default=0.0)
    for span in spans[running:].tolist():
        end = heapq.heappop(places) + span
        heapq.heappush(places, end)
        last = max(last, end)
    return last

"""How many epochs a search will take: played through, with random scores and its very rules."""

from collections import deque
from typing import NamedTuple

import numpy as np

from sweep.config.search import SearchSettings
from sweep.core.keys import generator
from sweep.search.stopping.rules import make_rule
from sweep.search.stopping.topk import TopK

PLAYS = 32  # of a search of tens of trials; their mean is then known to a few hundredths
REPORTS = 50_000  # in all plays together, about a second's work


class Forecast(NamedTuple):
    """What is to be expected of a search.

    Attributes:
        reached: (E,) how many trials are reported at each epoch, on average over the plays.
        ends: For each play the epochs of all trials together when each trial ended, in order.

    """

    reached: tuple[float, ...]
    ends: tuple[tuple[int, ...], ...]

    @property
    def epochs(self) -> float:
        """Of all trials together."""
        return sum(self.reached)

    def trials_within(self, epochs: float) -> float:
        """How many trials have ended when so many epochs are used."""
        return float(np.mean([sum(end <= epochs for end in play) for play in self.ends]))


def forecast(search: SearchSettings, epochs: int, concurrent: int) -> Forecast:
    """Play a search.

    Each trial has a quality of its own, an independent draw, which is what it scores in every
    epoch; trials side by side come to their next epoch in turns. Nothing of a search that learns is
    in it: late trials, which are better than those before them, are stopped less often.

    Args:
        search: The search; its strata take turns.
        epochs: ``train.epochs`` as set. Where they are searched, every trial has the most of them.
        concurrent: Trials at a time.

    """
    most = search.most_epochs(epochs)
    random = search.scheduler != "none"
    plays = max(1, min(PLAYS, REPORTS // (search.total * most))) if random else 1
    played = [_play(search, epochs, concurrent, number) for number in range(plays)]
    reached = [
        sum(reported.count(epoch) for reported, _ in played) / plays for epoch in range(1, most + 1)
    ]
    return Forecast(tuple(reached), tuple(ends for _, ends in played))


def _play(
    search: SearchSettings, epochs: int, concurrent: int, number: int
) -> tuple[list[int], tuple[int, ...]]:
    """The epochs that are reported, in order, and how many they are when each trial ends."""
    total, last = search.total, search.most_epochs(epochs)
    strata = max(1, len(search.strata()))
    stops = search.scheduler != "none"
    rules = [make_rule(search, epochs) for _ in range(strata)] if stops else []
    compared = len(search.compared({}))
    draws = generator("forecast", number).random((total, compared))
    quality = [tuple(row) for row in draws.tolist()]
    ready = deque((trial, 1) for trial in range(total))
    running = deque(ready.popleft() for _ in range(min(concurrent, total)))
    waiting: dict[int, int] = {}
    reported: list[int] = []
    ends: list[int] = []
    while running:
        trial, epoch = running.popleft()
        reported.append(epoch)
        rule = rules[trial % strata] if rules and epoch < last else None
        if epoch < last and not (rule and rule.stops(trial, epoch, quality[trial])):
            running.append((trial, epoch + 1))
            continue
        if isinstance(rule, TopK):
            waiting[trial] = epoch
        else:
            ends.append(len(reported))
        if not (ready or running):
            chosen = {one for rule in rules if isinstance(rule, TopK) for one in rule.choose()}
            ends += [len(reported)] * len(waiting.keys() - chosen)
            ready.extend((one, waiting[one] + 1) for one in sorted(waiting.keys() & chosen))
            waiting.clear()
        while ready and len(running) < concurrent:
            running.append(ready.popleft())
    return reported, tuple(ends)

"""How many epochs a search will take: played through, with random scores and its very rules."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from sweep.config.search import SearchSettings
from sweep.core.keys import generator
from sweep.search.scheduler import StratifiedASHA

PLAYS = 32  # of a search of tens of trials; their mean is then known to a few hundredths
REPORTS = 50_000  # in all plays together, about a second's work


class Rule(Protocol):
    """Decides which trials of one stratum end early."""

    def stops(self, trial: int, epoch: int, values: tuple[float, ...]) -> bool:
        """Whether the trial ends at this report."""


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
        epochs: Those of a trial that runs to its end.
        concurrent: Trials at a time.

    """
    if search.scheduler == "none":
        plays = [_play(search, epochs, concurrent, None, 0)]
    else:
        count = max(1, min(PLAYS, REPORTS // (search.total * epochs)))
        plays = [
            _play(search, epochs, concurrent, _rule_of(search, epochs), n) for n in range(count)
        ]
    reached = np.mean(
        [[play.count(epoch) for epoch in range(1, epochs + 1)] for play, _ in plays], 0
    )
    return Forecast(tuple(reached.tolist()), tuple(ends for _, ends in plays))


def _play(
    search: SearchSettings,
    epochs: int,
    concurrent: int,
    new_rule: Callable[[], Rule] | None,
    number: int,
) -> tuple[list[int], tuple[int, ...]]:
    """The epochs that are reported, in order, and how many they are when each trial ends."""
    draws = generator("forecast", number)
    strata = max(1, len(search.strata()))
    rules = [new_rule() for _ in range(strata)] if new_rule else []
    quality = draws.random(search.total).tolist()
    waiting = deque(range(search.total))
    running = deque((waiting.popleft(), 1) for _ in range(min(concurrent, search.total)))
    reported: list[int] = []
    ends: list[int] = []
    while running:
        trial, epoch = running.popleft()
        reported.append(epoch)
        rule = rules[trial % strata] if rules else None
        if epoch < epochs and not (rule and rule.stops(trial, epoch, (quality[trial],))):
            running.append((trial, epoch + 1))
            continue
        ends.append(len(reported))
        if waiting:
            running.append((waiting.popleft(), 1))
    return reported, tuple(ends)


class _Asha:
    """ASHA for one stratum."""

    def __init__(self, search: SearchSettings, epochs: int) -> None:
        name, grace, reduction = search.objective, search.grace_epochs, search.reduction
        self.scheduler = StratifiedASHA(name, epochs, grace, reduction)

    def stops(self, trial: int, epoch: int, values: tuple[float, ...]) -> bool:
        """See ``Rule``."""
        return self.scheduler.observe(str(trial), "", epoch, values[0]) == "STOP"


def _rule_of(search: SearchSettings, epochs: int) -> Callable[[], Rule]:
    return lambda: _Asha(search, epochs)

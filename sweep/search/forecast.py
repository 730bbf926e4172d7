"""How a search will go: played through, with random scores, its very rules and its places."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple

import numpy as np

from sweep.config.search import EPOCHS, SearchSettings, epochs_of
from sweep.core.keys import generator
from sweep.search.points import points
from sweep.search.stopping.base import StoppingRule
from sweep.search.stopping.rules import make_rule
from sweep.search.stopping.topk import TopK

PLAYS = 32  # of a search of tens of trials; their mean is then known to a few hundredths
REPORTS = 50_000  # in all plays together, about a second's work


class Course(NamedTuple):
    """What a trial takes of time, which is in seconds; by default an epoch takes one.

    Attributes:
        epochs: How many it has if nothing stops it.
        train_s: An epoch's training.
        scoring_s: (epochs,) the scoring of each, by all evaluators; empty: none takes any time.
        again_s: The scoring that is left when it has come to its end.
        begin_s: Until its first step, here and where it goes on after it has waited.
        report_s: Of an epoch, until its trial goes on.
        end_s: From its last report until its place is free.

    """

    epochs: int
    train_s: float = 1.0
    scoring_s: tuple[float, ...] = ()
    again_s: float = 0.0
    begin_s: float = 0.0
    report_s: float = 0.0
    end_s: float = 0.0

    def score_s(self, epoch: int) -> float:
        """The scoring of an epoch by its number."""
        return self.scoring_s[epoch - 1] if self.scoring_s else 0.0


class Forecast(NamedTuple):
    """What is to be expected of a search.

    Attributes:
        reached: (E,) how many trials are reported at each epoch, on average over the plays.
        ends: For each play the epochs of all trials together when each trial ended, in order.
        seconds: For each play how long all trials take.
        training_s: The seconds in which places train, all together, on average.
        scoring_s: The seconds in which the evaluators score, on average.

    """

    reached: tuple[float, ...]
    ends: tuple[tuple[int, ...], ...]
    seconds: tuple[float, ...]
    training_s: float
    scoring_s: float

    @property
    def epochs(self) -> float:
        """Of all trials together."""
        return sum(self.reached)

    def trials_within(self, epochs: float) -> float:
        """How many trials have ended when so many epochs are used."""
        return float(np.mean([sum(end <= epochs for end in play) for play in self.ends]))


def forecast(
    search: SearchSettings,
    epochs: int,
    concurrent: int,
    courses: Sequence[Course] = (),
    first_s: float = 0.0,
    seed: int = 0,
) -> Forecast:
    """Play a search.

    Each trial has a quality of its own, an independent draw, which is what it scores in every
    epoch. As in a sweep, a trial trains its next epoch while the last one is scored, so that one
    that is stopped has mostly trained an epoch more than it reported; the evaluators take
    checkpoints in the order in which they come. Nothing of a search that learns is in it: late
    trials, which are better than those before them, are stopped less often.

    Args:
        search: The search; its strata take turns.
        epochs: ``train.epochs`` as set. Where they are searched, each trial has those of its point.
        concurrent: Trials at a time.
        courses: What each trial takes, one for each; none: an epoch of any takes a second.
        first_s: Seconds that the evaluators need once, before their first answer.
        seed: The seed of the sweep, for the points.

    """
    if not courses:
        courses = [Course(number) for number in _epochs(search, epochs, seed)]
    most = search.most_epochs(epochs)
    random = search.scheduler != "none"
    plays = max(1, min(PLAYS, REPORTS // sum(one.epochs for one in courses))) if random else 1
    played = [
        _Play(search, epochs, concurrent, courses, first_s).to_end(number)
        for number in range(plays)
    ]
    reached = [
        sum(one.reported.count(epoch) for one in played) / plays for epoch in range(1, most + 1)
    ]
    return Forecast(
        tuple(reached),
        tuple(tuple(one.ends) for one in played),
        tuple(one.now for one in played),
        sum(one.training_s for one in played) / plays,
        sum(one.scoring_s for one in played) / plays,
    )


def unpruned(search: SearchSettings) -> SearchSettings:
    """The same search where nothing stops a trial early."""
    return replace(search, scheduler="none")


def _epochs(search: SearchSettings, epochs: int, seed: int) -> list[int]:
    """Those that each trial has at most."""
    if EPOCHS not in search.dimensions():
        return [epochs] * search.total
    return [epochs_of(params, epochs) for params in points(search, seed)]


class _Event(NamedTuple):
    """What happens next to a trial: an epoch was trained, or it is reported.

    Attributes:
        at: When, in seconds.
        order: Of those at the same time.
        trial: Its number.
        epoch: Which.
        trained: Of a report, the epoch that has been trained by then; 0: this is no report.

    """

    at: float
    order: int
    trial: int
    epoch: int
    trained: int = 0


@dataclass
class _Play:
    """One play of a search, see ``forecast``."""

    search: SearchSettings
    epochs: int
    concurrent: int
    courses: Sequence[Course]
    first_s: float
    now: float = 0.0
    training_s: float = 0.0
    scoring_s: float = 0.0
    reported: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def to_end(self, number: int) -> "_Play":
        """Play it, with the random scores of that number."""
        search, total = self.search, self.search.total
        strata = max(1, len(search.strata()))
        stops = search.scheduler != "none"
        self.rules = [make_rule(search, self.epochs) for _ in range(strata)] if stops else []
        draws = generator("forecast", number).random((total, len(search.compared({}))))
        self.quality = [tuple(row) for row in draws.tolist()]
        self.waits_after = search.waits_after(self.epochs)
        self.events: list[_Event] = []
        self.order = count()
        self.pool_free = 0.0
        self.scored: dict[tuple[int, int], float] = {}
        self.waiting: dict[int, int] = {}
        self.running = 0
        self.ready = deque((trial, 1) for trial in range(total))
        self._fill(0.0)
        while self.events:
            event = heapq.heappop(self.events)
            self.now = max(self.now, event.at)
            if event.trained:
                self._report(event)
            else:
                self._hand_in(event)
        return self

    def _fill(self, at: float) -> None:
        """Trials that are ready take the places that are free."""
        while self.ready and self.running < self.concurrent:
            trial, epoch = self.ready.popleft()
            self.running += 1
            self._train(at + self.courses[trial].begin_s, trial, epoch)

    def _train(self, at: float, trial: int, epoch: int) -> None:
        train_s = self.courses[trial].train_s
        self.training_s += train_s
        heapq.heappush(self.events, _Event(at + train_s, next(self.order), trial, epoch))

    def _say(self, at: float, trial: int, epoch: int, trained: int) -> None:
        """An epoch is reported once its scores are there."""
        at = max(at, self.scored.pop((trial, epoch))) + self.courses[trial].report_s
        heapq.heappush(self.events, _Event(at, next(self.order), trial, epoch, trained))

    def _score(self, at: float, seconds: float) -> float:
        """When the evaluators have done so many seconds of work that comes to them now."""
        self.scoring_s += seconds + self.first_s
        self.pool_free = max(at, self.pool_free) + seconds + self.first_s
        self.first_s = 0.0
        return self.pool_free

    def _hand_in(self, event: _Event) -> None:
        """A trained epoch goes to the evaluators; the one before it is waited for."""
        at, _, trial, epoch, _ = event
        course = self.courses[trial]
        self.scored[trial, epoch] = self._score(at, course.score_s(epoch))
        if (trial, epoch - 1) in self.scored:
            self._say(at, trial, epoch - 1, epoch)
        elif epoch in (course.epochs, self.waits_after):
            self._say(at, trial, epoch, epoch)
        else:
            self._train(at, trial, epoch + 1)

    def _report(self, event: _Event) -> None:
        at, _, trial, epoch, trained = event
        self.reported.append(epoch)
        course = self.courses[trial]
        rule = self.rules[trial % len(self.rules)] if self.rules else None
        if epoch == course.epochs:
            again = self._score(at, course.again_s) if course.again_s else at
            self._leave(max(at, again) + course.end_s, trial, epoch, None)
        elif rule is not None and rule.stops(trial, epoch, self.quality[trial]):
            self.scored.pop((trial, trained), None)
            self._leave(at + course.end_s, trial, epoch, rule)
        elif trained > epoch and trained in (course.epochs, self.waits_after):
            self._say(at, trial, trained, trained)
        else:
            self._train(at, trial, trained + 1)

    def _leave(self, at: float, trial: int, epoch: int, rule: StoppingRule | None) -> None:
        """A trial has ended, or waits until all have come as far, and its place is free."""
        self.now = max(self.now, at)
        self.running -= 1
        if isinstance(rule, TopK):
            self.waiting[trial] = epoch
        else:
            self.ends.append(len(self.reported))
        if not (self.ready or self.running):
            rules = [one for one in self.rules if isinstance(one, TopK)]
            chosen = {one for rule in rules for one in rule.choose()}
            self.ends += [len(self.reported)] * len(self.waiting.keys() - chosen)
            going = sorted(self.waiting.keys() & chosen)
            self.ready.extend((one, self.waiting[one] + 1) for one in going)
            self.waiting.clear()
        self._fill(at)

"""PASHA: ASHA that goes no further than ranking trials takes (Bohdal et al., arXiv 2207.06940)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from sweep.search.order import Values, ahead
from sweep.search.stopping.asha import Asha

NOISE = 90  # percentile of the distances between trials that noise alone tells apart


class Pasha:
    """ASHA up to a last rung, where all trials end, while that ranks them as the rung before did.

    At first the second rung is the last. When a trial comes to the last rung, all that did are
    ranked by what they had there and by what they had at the rung before. Where the rankings
    agree, more epochs would not change the choice, and the trial ends. Where they do not, the next
    rung is the last from now on; beyond the highest, trials run to their end. In the paper, trials
    that ended go on when the last rung moves; here they have ended for good.

    The ranking is soft: the two trials at a place of both rankings may differ by epsilon in what
    they had at the lower rung. Epsilon is how far noise alone sets trials apart: of all pairs at
    the last rung whose courses cross at least twice (one ahead, behind, and ahead again), the 90th
    percentile of their distance there; without such a pair it is 0. Each of several objectives has
    an epsilon; those with as many trials ahead of them are equal.

    Args:
        rungs: The epochs at which trials are compared.
        reduction: Above 1.

    """

    def __init__(self, rungs: Sequence[int], reduction: float) -> None:
        self.rungs = rungs
        self.asha = Asha(rungs, reduction)
        self.last = 1  # the place of the last rung in ``rungs``
        self.courses: dict[int, dict[int, Values]] = {}
        self.distances: dict[int, list[float]] = {}  # objective -> of pairs at the last rung

    @property
    def cap(self) -> float:
        """The epoch beyond which no trial goes."""
        return self.rungs[self.last] if self.last < len(self.rungs) else math.inf

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """See ``StoppingRule``."""
        course = self.courses.setdefault(trial, {})
        if epoch in course:
            return False
        course[epoch] = values
        weak = self.asha.stops(trial, epoch, values)
        while epoch > self.cap:  # seen in a replay alone, in which another trial may be ahead
            self._raise()
        if epoch < self.cap:
            return weak
        self._measure(trial)
        if self._ranked_alike():
            return True
        self._raise()
        return weak

    def _raise(self) -> None:
        """The next rung is the last."""
        self.last += 1
        self.distances = {}

    def _measure(self, trial: int) -> None:
        """Note how far the trial is from those at the last rung that it crosses."""
        for other in self.asha.rungs[self.rungs[self.last]]:
            mine, theirs = self.courses[trial], self.courses[other]
            common = sorted(mine.keys() & theirs.keys())
            apart = [np.subtract(mine[epoch], theirs[epoch]) for epoch in common]
            for objective, gaps in enumerate(zip(*apart, strict=True)):
                if _crossings(gaps) >= 2:
                    self.distances.setdefault(objective, []).append(abs(gaps[-1]))

    def _ranked_alike(self) -> bool:
        """Whether the last rung ranks its trials as the rung before did, but for noise."""
        before, there = (self.asha.rungs[self.rungs[place]] for place in (self.last - 1, self.last))
        both = before.keys() & there.keys()
        if not both:
            return True
        old = {trial: before[trial] for trial in both}
        behind = {trial: ahead(list(old.values()), old[trial]) for trial in both}
        near = {one: np.percentile(gaps, NOISE) for one, gaps in self.distances.items()}
        rankings = zip(_ranked(old), _ranked({one: there[one] for one in both}), strict=True)
        return all(
            behind[a] == behind[b]
            or all(
                abs(x - y) <= near.get(objective, 0.0)
                for objective, (x, y) in enumerate(zip(old[a], old[b], strict=True))
            )
            for a, b in rankings
        )


def _crossings(gaps: Iterable[float]) -> int:
    """How often the one that is ahead changes."""
    signs = [gap > 0 for gap in gaps if gap]
    return sum(a != b for a, b in pairwise(signs))


def _ranked(values: Mapping[int, Values]) -> list[int]:
    """Trials, best first."""
    them = list(values.values())
    return sorted(values, key=lambda trial: (ahead(them, values[trial]), trial))

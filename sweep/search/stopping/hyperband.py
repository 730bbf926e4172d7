"""Hyperband without waiting: ASHAs that begin later and later (arXiv 1603.06560, 1810.05934).

A first rung that comes too early stops trials that would have won, one that comes late saves
little. Hyperband does not choose: it tries each.
"""

from collections.abc import Sequence
from itertools import accumulate

from sweep.search.order import Values
from sweep.search.stopping.asha import Asha

GOLDEN = (5**0.5 - 1) / 2  # multiples of it, without their whole part, fill [0, 1) evenly


class Hyperband:
    """Brackets of trials; bracket b is ASHA without the first b rungs, and the last stops nothing.

    Trials are compared within their bracket. A bracket gets trials by the weights of Hyperband (Li
    et al., section 3), which spend about as many epochs in each: of K rungs, bracket b has s = K -
    b left, and the weight (K + 1) / (s + 1) * reduction^s. The bracket of a trial follows from its
    place in its stratum alone, so a resumed sweep gives it the same, and every stratum has the
    same brackets in the same order.

    Args:
        rungs: The epochs at which trials are compared.
        reduction: Above 1.
        shares: How many strata take turns: the trial n has the place n // ``shares`` in its own.

    """

    def __init__(self, rungs: Sequence[int], reduction: float, shares: int = 1) -> None:
        left = range(len(rungs), -1, -1)
        weights = [(len(rungs) + 1) / (s + 1) * reduction**s for s in left]
        self.ends = [end / sum(weights) for end in accumulate(weights[:-1])]
        self.shares = shares
        self.brackets = [Asha(rungs[b:], reduction) for b in range(len(rungs) + 1)]

    def bracket(self, trial: int) -> int:
        """Which bracket a trial is in, from 0."""
        point = trial // self.shares * GOLDEN % 1
        return sum(end <= point for end in self.ends)

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """See ``StoppingRule``."""
        return self.brackets[self.bracket(trial)].stops(trial, epoch, values)

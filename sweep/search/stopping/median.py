"""The median rule of Vizier (Golovin et al., KDD 2017, doi 10.1145/3097983.3098043)."""

from sweep.search.order import Values, falls_below

FEWEST = 4  # others to be compared with; a median of fewer is luck


class Median:
    """Stops a trial whose best so far lies below the median of how others did up to its epoch.

    How another trial did is the mean of its values from the grace on up to that epoch, whether it
    was stopped there or runs. These are the decisions of Tune's ``MedianStoppingRule``. Of several
    objectives, means and bests are of each by itself, which is kind to a trial that is good at one
    thing now and at another later.

    Args:
        grace: The first epoch at which a trial may be stopped.

    """

    def __init__(self, grace: int) -> None:
        self.grace = grace
        self.best: dict[int, Values] = {}
        self.sums: dict[int, tuple[int, Values]] = {}  # how many values, and their sums
        self.means: dict[int, dict[int, Values]] = {}  # epoch -> trial -> its mean up to there

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """See ``StoppingRule``."""
        means = self.means.setdefault(epoch, {})
        if trial in means:
            return False
        best = self.best.get(trial, values)
        self.best[trial] = tuple(map(max, best, values))
        if epoch < self.grace:
            return False
        others = list(means.values())
        count, sums = self.sums.get(trial, (0, (0.0,) * len(values)))
        count, sums = count + 1, tuple(a + b for a, b in zip(sums, values, strict=True))
        self.sums[trial] = count, sums
        means[trial] = tuple(value / count for value in sums)
        return len(others) >= FEWEST and falls_below(others, self.best[trial], 0.5)

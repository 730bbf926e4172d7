"""ASHA: successive halving without waiting (Li et al., arXiv 1810.05934)."""

from collections.abc import Sequence

from sweep.search.order import Values, falls_below


class Asha:
    """Lets the best 1 / ``reduction`` of those that reached a rung go on, as known at the moment.

    A trial is compared once at each rung, with those that reached it before; the first goes on, and
    so does one that equals the cut. These are the decisions of Tune's ``AsyncHyperBandScheduler``
    with one bracket, but for a trial without a value at a rung: there Tune takes its next value
    instead; here it is not compared, as a rung has the values of one epoch alone.

    Args:
        rungs: The epochs at which trials are compared.
        reduction: Above 1.

    """

    def __init__(self, rungs: Sequence[int], reduction: float) -> None:
        self.reduction = reduction
        self.rungs: dict[int, dict[int, Values]] = {epoch: {} for epoch in rungs}

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """See ``StoppingRule``."""
        rung = self.rungs.get(epoch)
        if rung is None or trial in rung:
            return False
        others = list(rung.values())
        rung[trial] = values
        return falls_below(others, values, 1 - 1 / self.reduction)

"""All but the best few stop after the first epochs (Egele et al., arXiv 2307.15422)."""

from sweep.search.order import Values, best


class TopK:
    """After the grace a trial waits, until all have come there; the best ``keep`` then go on.

    They run to their end, and the others stop. That needs no guess from the trials that happened to
    come first: whatever their order, the same trials go on.

    Args:
        grace: The epoch after which trials are compared.
        keep: How many go on.

    """

    def __init__(self, grace: int, keep: int) -> None:
        self.grace, self.keep = grace, keep
        self.reached: dict[int, Values] = {}
        self.chosen: set[int] = set()

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """See ``StoppingRule``: it stops here, for good unless it is chosen later."""
        if epoch != self.grace:
            return False
        self.reached.setdefault(trial, values)
        return trial not in self.chosen

    def choose(self) -> set[int]:
        """The numbers of those that go on, of all that have come to the grace so far.

        Trials that are equal go on in the order of their numbers, those of one Pareto front as they
        are spread over it. Those that were chosen before others came have gone on, and count among
        the best no more than any other.
        """
        numbers = sorted(self.reached)
        places = best([self.reached[trial] for trial in numbers], self.keep)
        chosen = {numbers[place] for place in places}
        self.chosen |= chosen
        return chosen

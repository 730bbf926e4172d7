"""All but the best few stop after the first epochs (Egele et al., arXiv 2307.15422)."""

from sweep.search.order import Values, ahead


class TopK:
    """A trial goes on after the grace if it is then among the best ``keep``, and runs to its end.

    The paper compares all trials once all have had their epoch. Here none waits, and a trial is
    compared with those that came before: the first ``keep`` always go on, and so does each later
    one that fewer than ``keep`` before it are ahead of. So more than ``keep`` run to their end: of
    n trials in no order about ``keep`` (1 + ln(n / ``keep``)).

    Args:
        grace: The epoch after which trials are compared.
        keep: How many go on.

    """

    def __init__(self, grace: int, keep: int) -> None:
        self.grace, self.keep = grace, keep
        self.reached: dict[int, Values] = {}

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """See ``StoppingRule``."""
        if epoch != self.grace or trial in self.reached:
            return False
        others = list(self.reached.values())
        self.reached[trial] = values
        return ahead(others, values) >= self.keep

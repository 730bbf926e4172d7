"""Which scores of an epoch stand beside those of other trials: all of the same fidelity."""

from collections.abc import Mapping

from sweep.config.search import SearchSettings
from sweep.core.records import screening_of


class Fidelity:
    """Of the scores of a report those that trials are compared by at its epoch.

    The fidelity depends on the epoch alone. An epoch that was screened first and scored in full
    later, as it was the best of its trial, is compared by its screening all the same.

    Args:
        search: The search.
        epochs: Those of a trial, as set.

    """

    def __init__(self, search: SearchSettings, epochs: int) -> None:
        screening = search.screening(epochs)
        self.screens = screening is not None
        self.full = frozenset(screening.full or ()) if screening else frozenset()
        self.last = search.most_epochs(epochs)

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """The scores by their plain names."""
        if not self.screens or epoch >= self.last or epoch in self.full:
            return metrics
        return screening_of(metrics)

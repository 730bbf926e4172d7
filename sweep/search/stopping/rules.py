"""The rule that the settings of a search ask for."""

from sweep.config.search import SearchSettings
from sweep.search.stopping.asha import Asha
from sweep.search.stopping.base import StoppingRule


def make_rule(settings: SearchSettings, epochs: int) -> StoppingRule:
    """A rule for one stratum, which knows of no trial yet.

    Args:
        settings: The search, whose scheduler is not ``none``.
        epochs: ``train.epochs`` as set.

    """
    return Asha(settings.rungs(epochs), settings.reduction)

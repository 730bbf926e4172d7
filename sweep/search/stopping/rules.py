"""The rule that the settings of a search ask for."""

from sweep.config.search import SearchSettings
from sweep.search.stopping.asha import Asha
from sweep.search.stopping.base import StoppingRule
from sweep.search.stopping.hyperband import Hyperband
from sweep.search.stopping.median import Median
from sweep.search.stopping.pasha import Pasha
from sweep.search.stopping.topk import TopK


def make_rule(settings: SearchSettings, epochs: int) -> StoppingRule:
    """A rule for one stratum, which knows of no trial yet.

    Args:
        settings: The search, whose scheduler is not ``none``.
        epochs: ``train.epochs`` as set.

    """
    rungs, grace = settings.rungs(epochs), settings.grace(epochs)
    match settings.scheduler:
        case "hyperband":
            return Hyperband(rungs, settings.reduction, settings.shares())
        case "median":
            return Median(grace)
        case "topk":
            return TopK(grace, settings.kept())
        case "pasha":
            return Pasha(rungs, settings.reduction)
        case _:
            return Asha(rungs, settings.reduction)

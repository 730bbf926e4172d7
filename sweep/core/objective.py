"""What a sweep maximises, as a user writes it: a metric, or a weighted sum of metrics."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

TERM = re.compile(r"(\d*\.?\d+(?:[eE][-+]?\d+)?)\s+(\S+)")


@lru_cache(maxsize=256)
def terms(objective: str) -> Mapping[str, float]:
    """The metrics of ``0.5 clean/auroc + 0.5 robust/auroc_cvar``, each with its weight.

    A metric without a number before it has the weight 1, and so has a text that is no such sum: it
    is the name of a metric, known or not.
    """
    found: dict[str, float] = {}
    for term in re.split(r"\s+\+\s+", objective.strip()):
        match = TERM.fullmatch(term)
        weight, name = (float(match[1]), match[2]) if match else (1.0, term)
        found[name] = found.get(name, 0.0) + weight
    return MappingProxyType(found)


def short_name(objective: str) -> str:
    """What an objective is called in a line of text, where a sum of metrics is too long."""
    return objective if len(terms(objective)) == 1 else "objective"


def mean_of(names: Sequence[str]) -> str:
    """The mean of some metrics, as it is written."""
    return " + ".join(f"{1 / len(names):g} {name}" for name in names)


def value_of(metrics: Mapping[str, float], objective: str) -> float:
    """The value of an objective; NaN where a metric of it is missing or absent."""
    if objective in metrics:
        return metrics[objective]
    return sum(weight * metrics.get(name, math.nan) for name, weight in terms(objective).items())


def leading(objective: str) -> str:
    """The metric of an objective that is named first."""
    return next(iter(terms(objective)))

"""The search space in Optuna's terms."""

import json
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sweep.config.space import Dimension

PRIMITIVE = (bool, int, float, str, type(None))


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """The distribution that Optuna draws a dimension from."""
    kind, values = dimension.kind, dimension.values
    if kind == "choice":
        return CategoricalDistribution([encode(value) for value in values])
    low, high = values
    if kind.startswith("int"):
        return IntDistribution(low, high, log=kind == "int_log")
    return FloatDistribution(low, high, log=kind == "log")


def encode(value: Any) -> Any:
    """A value as Optuna stores it: plain values only, so a list stands as its JSON."""
    return value if isinstance(value, PRIMITIVE) else json.dumps(value)


def decode(dimension: Dimension, value: Any) -> Any:
    """Back from ``encode``.

    Raises:
        ValueError: It is none of the choices.

    """
    if dimension.kind != "choice":
        return value
    for choice in dimension.values:
        if encode(choice) == value:
            return choice
    raise ValueError(f"{value!r:.80} is none of the choices {list(dimension.values)}")

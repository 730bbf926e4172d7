"""Points that fill the search space evenly, whatever comes of them."""

import math
from collections.abc import Mapping
from typing import Any

from sweep.config.space import Dimension
from sweep.core.keys import seed_of


def sobol_point(dimensions: Mapping[str, Dimension], seed: int, place: int) -> dict[str, Any]:
    """One point of a scrambled Sobol sequence (Owen 1998, doi 10.1006/jcom.1998.0487).

    It depends on the seed, the place and the names of the dimensions, not on their order nor on
    what was drawn before. One that does not apply to a trial has its coordinate all the same, so
    that two trials of one place agree in all that they have in common.

    Args:
        dimensions: What is searched, by dotted name.
        seed: The seed of the sweep.
        place: The number of the point, from 0.

    """
    from scipy.stats.qmc import Sobol  # scipy.stats takes a second to import

    if not dimensions:
        return {}
    names = sorted(dimensions)
    engine = Sobol(len(names), scramble=True, rng=seed_of("sobol", seed))
    if place:
        engine.fast_forward(place)
    (point,) = engine.random(1).tolist()
    return {name: _value(dimensions[name], u) for name, u in zip(names, point, strict=True)}


def _value(dimension: Dimension, u: float) -> Any:
    """The value at a coordinate in [0, 1)."""
    kind, values = dimension.kind, dimension.values
    if kind == "choice":
        return values[math.floor(u * len(values))]
    low, high = values
    if kind == "int":
        return low + math.floor(u * (high - low + 1))
    if kind == "int_log":  # each whole number has its half on either side, as in Optuna
        return min(max(round(_between_logs(low - 0.5, high + 0.5, u)), low), high)
    found = _between_logs(low, high, u) if kind == "log" else low + u * (high - low)
    return min(max(found, low), high)


def _between_logs(low: float, high: float, u: float) -> float:
    return float(low * (high / low) ** u)

"""How the values of trials are compared: how many are ahead of one, and whether one lags behind.

Values are tuples, one value for each objective, each to be maximised, none missing.
"""

from collections.abc import Sequence

import numpy as np

from sweep.core import pareto

Values = tuple[float, ...]


def ahead(others: Sequence[Values], mine: Values) -> int:
    """How many others are strictly ahead.

    Of one objective those that are greater; of two those of a better Pareto front, when all are
    sorted into fronts. Trials of one front are equals: none is ahead of another.

    Args:
        others: Values of other trials, as many objectives each.
        mine: Values of one trial.

    """
    if len(mine) == 1:
        return sum(other > mine[0] for (other,) in others)
    return pareto.ahead(others, mine)


def best(values: Sequence[Values], count: int) -> list[int]:
    """The places of the best, so many of them, best first; of equals the first.

    Of two objectives front after front, and of a front those that are spread over it, see
    ``sweep.core.pareto``.

    Args:
        values: Of trials.
        count: How many.

    """
    if values and len(values[0]) > 1:
        return pareto.best(values, count)
    return sorted(range(len(values)), key=lambda place: (-values[place][0], place))[:count]


def falls_below(others: Sequence[Values], mine: Values, share: float) -> bool:
    """Whether a trial lies strictly below a quantile of others; nobody lies below nobody.

    Of one objective the quantile is NumPy's, with linear interpolation, as Tune's schedulers take
    it. Of several there is none; there the place among the others decides, which says the same
    wherever the quantile is one of their values.

    Args:
        others: Values of other trials.
        mine: Values of the trial.
        share: Which quantile, from 0 to 1; at 0.5 it is the median.

    """
    if not others:
        return False
    if len(mine) == 1:
        return bool(mine[0] < np.percentile([other[0] for other in others], share * 100))
    place = len(others) - ahead(others, mine) - 0.5  # between those behind and those ahead
    return place < share * (len(others) - 1)

"""The falling curve nearest to measured values."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def falling_fit(values: Iterable[float]) -> NDArray[np.float64]:
    """Return the non-increasing sequence nearest to `values` in the sum of squares.

    Pool adjacent violators: neighbours that rise are replaced by their common mean until nothing
    rises. Source: Ayer et al., Ann Math Stat 26:641 (1955).

    Args:
        values: K numbers.

    Returns:
        (K,).

    """
    means: list[float] = []
    counts: list[int] = []
    for value in values:
        mean, count = float(value), 1
        while means and means[-1] < mean:
            other, others = means.pop(), counts.pop()
            mean = (mean * count + other * others) / (count + others)
            count += others
        means.append(mean)
        counts.append(count)
    return np.repeat(np.array(means, dtype=np.float64), counts)

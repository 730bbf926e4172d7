"""When each phase-encode line is acquired."""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.acquisition.geometry import Lines

Order = Literal["sequential", "interleaved", "centre_out", "echo_trains"]
ORDERS: tuple[str, ...] = get_args(Order)


def acquisition_times(
    acquired: Lines, order: Order, interleaves: int, echo_train: int
) -> NDArray[np.float64]:
    """Return when each line is acquired, as a fraction of the scan: (PE,) from 0 to below 1.

    Sequential: one line after the other. Interleaved: every n-th line, then those beside them.
    Centre out: DC first, then the lines to either side in turn. Echo trains: k-space in as many
    bands as a train has echoes, and each excitation reads one line of every band (turbo spin echo;
    Hennig et al., Magn Reson Med 3:823 (1986)).

    Args:
        acquired: (PE,), the lines that are acquired; the time of the others, 0, means nothing.
        order: One of ``ORDERS``.
        interleaves: The number of passes of the interleaved order.
        echo_train: The number of echoes of a train.

    """
    (lines,) = np.nonzero(acquired)
    place, count = np.arange(len(lines)), len(lines)
    if order == "interleaved":
        rank = _ranks(place % interleaves, place)
    elif order == "centre_out":
        k = lines - len(acquired) // 2
        rank = _ranks(np.abs(k), k > 0)
    elif order == "echo_trains":
        rank = _ranks(place % math.ceil(count / echo_train), place)
    else:
        rank = place
    times = np.zeros(len(acquired))
    times[lines] = rank / count
    return times


def _ranks(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.int64]:
    """The place of each line in the order of two keys."""
    ranks = np.empty(len(first), np.int64)
    ranks[np.lexsort((second, first))] = np.arange(len(first))
    return ranks

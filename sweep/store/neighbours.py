"""Which slices of a scan lie beside which, by their numbers in it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sweep.store.layout import UNNUMBERED

# Between the places of two scans: more than any two numbers of 32 bits are apart.
_APART = 1 << 33


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The order of N slices in their scans.

    A slice that has no number is alone, as nothing says what lies beside it. A scan of which the
    store has every second slice counts in twos: its step is the most frequent distance of two
    numbers that follow each other, of several the least.

    Attributes:
        place: (N,) its number in the scan, the scans one after the other with gaps between them.
        order: (N,) the slices by ``place``, ascending.
        ascending: (N,) their places in that order.
        step: (N,) the step of its scan; 1 where it is alone.

    """

    place: NDArray[np.int64]
    order: NDArray[np.int64]
    ascending: NDArray[np.int64]
    step: NDArray[np.int64]

    @classmethod
    def of(cls, scans: NDArray[np.str_], numbers: NDArray[np.int32]) -> Self:
        """Those of slices with these scans and numbers, both (N,)."""
        count = len(scans)
        _, scan = np.unique(scans, return_inverse=True)
        alone = numbers == UNNUMBERED
        scan = np.where(alone, count + np.arange(count), scan.reshape(-1)).astype(np.int64)
        place = scan * _APART + np.where(alone, 0, numbers)
        order = np.argsort(place, kind="stable").astype(np.int64)
        return cls(place, order, place[order], _steps(scan[order], place[order])[order.argsort()])

    def around(self, rows: NDArray[np.integer], context: int) -> NDArray[np.int64]:
        """Each slice amid those beside it in its scan, in the order of their numbers.

        Where there is none with the number that is asked for, at an end of the scan or because the
        store leaves it out, the nearest one towards the slice itself stands in its place; so the
        last slice of a scan is followed by itself.

        Args:
            rows: (B,) slices.
            context: How many on either side.

        Returns:
            (B, 2 context + 1) slices; those in the middle are ``rows``.

        """
        rows = np.asarray(rows, np.int64)
        there, place = self.ascending, self.place[rows]
        columns = [rows]
        for number in range(1, context + 1):
            # No further than any scan is long, so that another one is never reached.
            distance = np.minimum(number * self.step[rows], _APART // 2)
            before = np.searchsorted(there, place - distance, side="left")
            after = np.searchsorted(there, place + distance, side="right") - 1
            columns = [self.order[before], *columns, self.order[after]]
        return np.stack(columns, axis=1)

    def others(self, rows: NDArray[np.integer], context: int) -> NDArray[np.bool_]:
        """(B, 2 context + 1) which of ``around`` are other slices than those in the middle."""
        around = self.around(rows, context)
        return np.asarray(around != around[:, [context]])


def _steps(scan: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most frequent distance of a scan's slices, of several the least; else 1; all (N,).

    Args:
        scan: The number of the scan of each slice, ascending.
        place: Its place, ascending.

    """
    apart = np.diff(place)
    pairs = np.stack([scan[1:], apart], axis=1)[(np.diff(scan) == 0) & (apart > 0)]
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    best = found[np.lexsort((found[:, 1], -counts, found[:, 0]))]
    scans, first = np.unique(best[:, 0], return_index=True)
    steps = np.ones(len(scan), np.int64)
    for one, step in zip(scans, best[first, 1], strict=True):
        steps[np.searchsorted(scan, one) : np.searchsorted(scan, one, side="right")] = step
    return steps

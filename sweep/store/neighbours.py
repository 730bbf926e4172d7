"""Which slices of a scan lie beside which, by their numbers in it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sweep.store.layout import UNNUMBERED

# Between the places of two scans: more than any two numbers of 32 bits, and a distance, are apart.
_APART = 1 << 33


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The order of N slices in their scans.

    A slice that has no number is alone, as nothing says what lies beside it.

    Attributes:
        place: (N,) its number in the scan, the scans one after the other with gaps between them.
        order: (N,) the slices by ``place``, ascending.

    """

    place: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, scans: NDArray[np.str_], numbers: NDArray[np.int32]) -> Self:
        """Those of slices with these scans and numbers, both (N,)."""
        _, scan = np.unique(scans, return_inverse=True)
        alone = numbers == UNNUMBERED
        apart = np.where(alone, len(scans) + np.arange(len(scans)), scan.reshape(-1))
        place = apart.astype(np.int64) * _APART + np.where(alone, 0, numbers)
        return cls(place, np.argsort(place, kind="stable").astype(np.int64))

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
        there = self.place[self.order]
        columns = [rows]
        for distance in range(1, context + 1):
            before = np.searchsorted(there, self.place[rows] - distance, side="left")
            after = np.searchsorted(there, self.place[rows] + distance, side="right") - 1
            columns = [self.order[before], *columns, self.order[after]]
        return np.stack(columns, axis=1)

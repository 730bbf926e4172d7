"""A value with what says how sure it is: its resamples, and the influence of every patient.

Values of the same patients can be added, averaged and subtracted, and stay such values: so a macro
mean, a mean of cells and a paired difference are one line each, on common resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sweep.core.keys import generator

RESAMPLES = 2000
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """One value of P patients.

    Attributes:
        value: With every patient once; NaN where it is missing.
        draws: (R,) the value in resamples of the patients; NaN where it is undefined in one.
        influence: (P,) of each patient, by the jackknife: (P - 1) / P times what the value loses
            without it, less the mean of that.

    """

    value: float
    draws: Array
    influence: Array

    def __sub__(self, other: Self) -> "Estimate":
        """The paired difference of two values of the same patients and resamples."""
        return weighted((self, other), (1.0, -1.0))


def weighted(parts: Sequence[Estimate], weights: Sequence[float] | Array) -> Estimate:
    """A sum of values of the same patients, each with a weight that is fixed.

    One that has the weight 0 does not count, even where it is missing.
    """
    counted = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight]
    return Estimate(
        value=float(sum(weight * part.value for part, weight in counted)),
        draws=np.sum([weight * part.draws for part, weight in counted], axis=0),
        influence=np.sum([weight * part.influence for part, weight in counted], axis=0),
    )


def mean(parts: Sequence[Estimate]) -> Estimate:
    """The mean of values of the same patients."""
    return weighted(parts, np.full(len(parts), 1 / len(parts)))


def resampled_patients(patients: int, resamples: int = RESAMPLES, seed: int = 0) -> Array:
    """How often each patient is drawn when as many as there are are drawn with replacement.

    Args:
        patients: Their number P.
        resamples: The number R of draws.
        seed: Key of the draws; the same seed and number of patients give the same resamples, so
            that models are compared on the same ones.

    Returns:
        (R, P), each row sums to P.

    """
    shares = np.full(patients, 1 / patients)
    draws = generator(seed, "patients", patients)
    return draws.multinomial(patients, shares, size=resamples).astype(np.float64)


def numbered(patients: Sequence[str]) -> tuple[int, NDArray[np.intp]]:
    """The number of patients, and which of them each slice is of, in the order of their names."""
    names, of_slice = np.unique(np.asarray(patients), return_inverse=True)
    return len(names), of_slice

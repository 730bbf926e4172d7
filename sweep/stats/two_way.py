"""What the patients add to the spread of a norm's mean, or of a difference of two.

The mixed model holds the patients fixed: it says what other configurations and seeds would score on
these patients. A norm may suit just these patients, in all its runs alike, and that no spread of
runs shows. The resamples of the patients, common to all runs, show it: over them the mean of a norm
moves by a part of its own, and by the mean of what moves each configuration by itself. The latter
is in the spread of configurations already and is taken off.

With the patients' variance added to that of the mixed model, configurations, seeds and patients are
all drawn again. A bootstrap that draws the three at once does the same in principle and not with so
few configurations: its intervals hold the truth in .83 to 1.00 where .95 is promised, these in .93
to .99 (``benchmarks/norm_effect.py``; on resampling both ways cf. Owen, Annals of Applied
Statistics 2007).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sweep.stats.estimate import Array
from sweep.stats.interval import MOST_UNDEFINED
from sweep.stats.mixed import Run


def patient_variance(runs: Sequence[Run], draws: Array, weights: Mapping[str, float]) -> float:
    """The variance over patients of a weighted sum of norms, beside that between their units.

    Args:
        runs: Of which.
        draws: (runs, R) the value of each in resamples of the patients, common to all; NaN where it
            is undefined.
        weights: By norm, such as 1 and -1 for a difference.

    Returns:
        0 or more; NaN where over one resample in twenty is undefined.

    """
    used = [at for at, run in enumerate(runs) if run.norm in weights]
    defined = ~np.isnan(draws[used]).any(axis=0)
    if 1 - defined.mean() > MOST_UNDEFINED:
        return float("nan")
    summed, own = np.zeros(int(defined.sum())), 0.0
    for norm, weight in weights.items():
        units = _unit_means(runs, draws[:, defined], norm)
        moved = units - units.mean(axis=1, keepdims=True)
        summed += weight * moved.mean(axis=0)
        if len(units) > 1:
            own += weight**2 * float(moved.var(axis=0, ddof=1).mean()) / len(units)
    return max(0.0, float(summed.var(ddof=1)) - own)


def _unit_means(runs: Sequence[Run], draws: Array, norm: str) -> Array:
    """(units, R) of the configurations of a norm; of its runs where it has one configuration."""
    at = [number for number, run in enumerate(runs) if run.norm == norm]
    configs = list(dict.fromkeys(runs[number].config for number in at))
    if len(configs) == 1:
        return draws[at]
    return np.stack(
        [draws[[n for n in at if runs[n].config == config]].mean(axis=0) for config in configs]
    )

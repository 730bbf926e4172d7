"""Intervals that hold neither the patients nor the trainings fixed: both are drawn again.

Configurations are drawn within their norm, seeds in common for all norms, and the patients by the
resamples that the runs were scored on; the spread of all three together. With three configurations
it is a rough guide: their resamples are few (cf. Owen, Annals of Applied Statistics 2007).
"""

from collections.abc import Sequence

import numpy as np

from sweep.core.keys import generator
from sweep.stats.estimate import Array
from sweep.stats.mixed import Run


def two_way(runs: Sequence[Run], draws: Array, seed: int = 0) -> dict[str, Array]:
    """The mean of every norm in resamples of configurations, seeds and patients.

    Args:
        runs: Of which.
        draws: (runs, R) the value of each in resamples of the patients, common to all.
        seed: Key of the draws.

    Returns:
        By norm (R,); NaN where a resample has no run of it.

    """
    resamples = draws.shape[1]
    seeds = sorted({run.seed for run in runs})
    keyed = generator("two-way", seed, len(runs))
    shares = np.full(len(seeds), 1 / len(seeds))
    of_seeds = keyed.multinomial(len(seeds), shares, size=resamples)
    found = {}
    for norm in dict.fromkeys(run.norm for run in runs):
        at = [number for number, run in enumerate(runs) if run.norm == norm]
        configs = sorted({str(runs[number].config) for number in at})
        shares = np.full(len(configs), 1 / len(configs))
        of_configs = keyed.multinomial(len(configs), shares, size=resamples)
        weights = np.stack(
            [
                of_configs[:, configs.index(str(runs[number].config))]
                * of_seeds[:, seeds.index(runs[number].seed)]
                for number in at
            ]
        ).astype(np.float64)
        total = weights.sum(axis=0)
        summed = (weights * draws[at]).sum(axis=0)
        found[norm] = np.divide(summed, total, out=np.full(resamples, np.nan), where=total > 0)
    return found

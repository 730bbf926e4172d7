"""Made-up runs of norms, with what configurations, seeds and the rest add."""

import numpy as np

from sweep.stats.mixed import Run

NORMS = ("batch", "group", "layer")


def drawn_runs(
    key: int,
    *,
    means: tuple[float, ...] = (0.8, 0.8, 0.8),
    configs: int = 3,
    seeds: int = 5,
    sd: tuple[float, float, float] = (0.01, 0.01, 0.01),
    by_norm: float = 0.0,
    missing: int = 0,
) -> list[Run]:
    """Runs of as many norms as there are means.

    Args:
        key: Of the draws.
        means: Of the norms.
        configs: Of each norm.
        seeds: That all configurations share.
        sd: Standard deviations of configurations, of seeds and of the rest.
        by_norm: Standard deviation of what a seed adds to the runs of one norm.
        missing: How many runs are not there.

    """
    generator = np.random.default_rng(key)
    of_seed = generator.normal(0, sd[1], seeds)
    of_norm = dict(zip(NORMS, generator.normal(0, by_norm, (len(NORMS), seeds)), strict=True))
    runs = [
        Run(
            norm,
            config,
            seed,
            mean + added + of_seed[seed] + own[seed] + generator.normal(0, sd[2]),
        )
        for norm, mean in zip(NORMS, means, strict=False)
        for config in range(configs)
        for added, own in [(generator.normal(0, sd[0]), of_norm[norm])]
        for seed in range(seeds)
    ]
    left = generator.permutation(len(runs))[missing:]
    return [runs[at] for at in sorted(left)]

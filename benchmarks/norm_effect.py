"""How often norms that are alike are said to differ, and norms that differ are found to.

    python benchmarks/norm_effect.py --save

Made-up tables of runs: three norms, their configurations, seeds that all share, and a part that
every norm owes to the patients. Beside the mixed model the naive ways: runs taken for independent,
and the best of each norm compared over patients. Two minutes on one core.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from results import Record
from scipy.stats import t

from sweep.core.keys import generator
from sweep.stats.mixed import Run, fit_mixed
from sweep.stats.permutation import permuted

SD_SEED, SD_REST = 0.01, 0.01
SHAPES = ((3, 5), (3, 2), (4, 1), (2, 5))  # configurations of a norm, seeds
SPREADS = (0.0, 0.01, 0.03)  # between configurations


def table(key: int, configs: int, seeds: int, sd: float, effect: float = 0.0) -> list[Run]:
    """Runs of three norms, of which the first is better by ``effect``."""
    draws = generator("norm_effect", key, configs, seeds, f"{sd}")
    of_seed = draws.normal(0, SD_SEED, seeds)
    return [
        Run(norm, config, seed, 0.8 + better + added + of_seed[seed] + draws.normal(0, SD_REST))
        for norm, better in (("a", effect), ("b", 0.0), ("c", 0.0))
        for config in range(configs)
        for added in [draws.normal(0, sd)]
        for seed in range(seeds)
    ]


def naive(runs: Sequence[Run]) -> float:
    """P of a t test that takes every run for a unit of its own."""
    one, two = ([run.value for run in runs if run.norm == norm] for norm in ("a", "b"))
    pooled = np.sqrt(np.var(one, ddof=1) / len(one) + np.var(two, ddof=1) / len(two))
    distance = abs(np.mean(one) - np.mean(two))
    return float(2 * t.sf(distance / pooled, len(one) + len(two) - 2))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and print what comes out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--save", action="store_true", help="write results/norm_effect.json")
    options = parser.parse_args(arguments)
    record = Record("norm_effect")
    for configs, seeds in SHAPES:
        for sd in SPREADS:
            row = f"{configs} configurations, {seeds} seeds, SD {sd:g}"
            found: dict[str, list[bool]] = {}
            for key in range(options.repetitions):
                runs = table(key, configs, seeds, sd)
                contrast = fit_mixed(runs).contrast("a", "b")
                found.setdefault("mixed model", []).append(contrast.p < 0.05)
                exchanged = permuted(runs, "a", "b")
                found.setdefault("exchanged", []).append(exchanged.p < 0.05)
                found.setdefault("runs as units", []).append(naive(runs) < 0.05)
                for effect in (0.02, 0.05):
                    moved = table(key, configs, seeds, sd, effect)
                    other = fit_mixed(moved).contrast("a", "b")
                    found.setdefault(f"power at {effect:g}", []).append(other.p < 0.05)
                    if effect == 0.05:
                        low, high = other.interval()
                        held = low <= effect <= high
                        found.setdefault("interval covers", []).append(held)
            for column, values in found.items():
                record.add("false findings", row, column, f"{np.mean(values):.3f}")
            said = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in found.items())
            print(f"{row}: {said}", flush=True)
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

"""How well each sampler finds what is known to be best, and whether it comes back to what diverges.

    python benchmarks/search_synthetic.py
    python benchmarks/search_synthetic.py --samplers tpe random --repeats 300

Nothing is trained: see landscapes.py. Three norms have their best learning rates up to a decade
apart; the regret is that of the norm that came off worst, in brackets is the standard error.
"""

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from landscapes import DIFFERENT, Landscape, diverging, in_order, regret, search
from optuna.trial import TrialState
from results import Record

from sweep.config.search import SearchSettings

MARKS = (12, 30, 60)
FIRST, TRIALS = 15, 40  # of these trials those from the first on are counted
SAMPLERS: dict[str, dict[str, Any]] = {
    "one study, norms in turns": {"sampler": "tpe", "budget": "turns"},
    "random": {"sampler": "random"},
    "sobol": {"sampler": "sobol"},
    "tpe": {"sampler": "tpe"},
    "gp": {"sampler": "gp"},
}


def settings(landscape: Landscape, trials: int, chosen: dict[str, Any]) -> SearchSettings:
    """A search of a landscape in which nothing is stopped early."""
    space = landscape.space()
    return SearchSettings(trials=trials, space=space, scheduler="none", **chosen)


def mean(values: Iterable[float], digits: int) -> str:
    """A mean with its standard error."""
    found = list(values)
    error = statistics.stdev(found) / len(found) ** 0.5
    return f"{statistics.fmean(found):.{digits}f} ({error:.{digits}f})"


def norms_apart(record: Record, name: str, seeds: Sequence[int]) -> None:
    """Regret and order of the norms after some trials."""
    asked = settings(DIFFERENT, max(MARKS), SAMPLERS[name])
    runs = [search(DIFFERENT, asked, seed, TrialState.PRUNED) for seed in seeds]
    for trials in MARKS:
        worst = mean((1000 * regret(DIFFERENT, run[:trials]) for run in runs), 0)
        right = mean((in_order(DIFFERENT, run[:trials]) for run in runs), 2)
        record.add("regret x 1000", name, f"{trials} trials", worst)
        record.add("norms in their order", name, f"{trials} trials", right)
        print(f"{name:<28}{trials:>4} trials   regret {worst}   order {right}", flush=True)


def diverged_again(
    record: Record, name: str, seeds: Sequence[int], told: TrialState, row: str
) -> None:
    """The share of later trials that diverge."""
    for best in (2e-3, 3e-4):
        landscape = diverging(best)
        asked = settings(landscape, TRIALS, SAMPLERS[name])
        runs = [search(landscape, asked, seed, told) for seed in seeds]
        later = (sum(one.score is None for one in run[FIRST:]) for run in runs)
        share = mean((count / (TRIALS - FIRST) for count in later), 2)
        record.add("trials 16 to 40 that diverge", row, f"best at {best:g}", share)
        print(f"{row:<28}best at {best:g}   diverge {share}", flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    parser.add_argument("--repeats", type=int, default=100, help="searches of each sampler")
    parser.add_argument("--gp-repeats", type=int, default=20, help="of gp, which takes longest")
    parser.add_argument("--save", action="store_true", help="write results/search_synthetic.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    options = parse(arguments)
    record = Record("search_synthetic")
    repeats = dict.fromkeys(options.samplers, options.repeats) | {"gp": options.gp_repeats}
    for name in options.samplers:
        norms_apart(record, name, range(repeats[name]))
    for name in options.samplers:
        if name in ("tpe", "gp"):
            diverged_again(record, name, range(repeats[name]), TrialState.PRUNED, name)
        if name == "tpe":
            failed = "tpe, told as failed"
            diverged_again(record, name, range(repeats[name]), TrialState.FAIL, failed)
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What each way to search finds for its passes, replayed on recorded trials of MR classifiers.

    python benchmarks/search.py
    python benchmarks/search.py --methods default 'random + asha' --costs 0.1 --repeats 50

Nothing is trained: see replay.py, and search_table.py for what was recorded. Each method gets so
many trials that it costs the same share of the passes of the full grid with one seed, in which
every norm is tried at every point and each epoch is scored in full.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from replay import BEHIND, Recorded, Setting, Trial, chosen, read, replayed, seen_of
from results import Record
from scipy.stats import spearmanr

TABLE = Path(__file__).parent / "search_table.parquet"
COSTS = (0.1, 0.15)
PROBES = 6  # searches that tell what a number of trials costs
MOST = 128  # trials of a norm
GOLDEN = (5**0.5 - 1) / 2
GRID = "full grid, one seed"


Method = dict[str, Any]  # the settings of a search
QUARTER = {"patients": 0.25, "levels": 1}  # the default
SCREENINGS = {
    "a quarter of patients, 1 level": QUARTER,
    "half of patients, 1 level": {"patients": 0.5, "levels": 1},
    "half of patients, 2 levels": {"patients": 0.5, "levels": 2},
    "all patients, 1 level": {"patients": 1.0, "levels": 1},
}


def method(sampler: str, scheduler: str, screen: Any = None, **more: Any) -> Method:
    """A way to search, by the settings of a sweep."""
    return {"sampler": sampler, "scheduler": scheduler, "screen": screen, **more}


METHODS: dict[str, Method] = {
    "default (topk, screened)": {},
    "random": method("random", "none"),
    "sobol": method("sobol", "none"),
    "gp": method("gp", "none"),
    "tpe as it was": method("tpe", "asha", budget="turns", grace_epochs=1),
    "plain asha": method("random", "asha", grace_epochs=1),
    "plain asha, a quarter goes on": method("random", "asha", grace_epochs=1, reduction=4.0),
    "topk": method("random", "topk", grace_epochs=1),
    "tpe + asha": method("tpe", "asha"),
    "random, screened": method("random", "none", QUARTER),
    "gp, screened": method("gp", "none", QUARTER),
    **{
        f"tpe + {scheduler}, screened": method("tpe", scheduler, QUARTER)
        for scheduler in ("asha", "hyperband", "median", "pasha")
    },
    **{
        f"default, {name}": {"screen": screen}
        for name, screen in SCREENINGS.items()
        if screen is not QUARTER
    },
    **{f"default, keep {keep}": {"keep": keep} for keep in (1, 3)},
    "default, grace 2": {"grace_epochs": 2},
}


class Outcome(NamedTuple):
    """What came of one search.

    Attributes:
        cost: Share of the passes of the full grid.
        regrets: Norm -> how far the chosen configuration is below the norm's best.
        winner: How far that of the norm that came out first is below the best of all.
        in_order: Whether the norms, by what was seen, come in their true order.
        trials: How many.
        finished: How many ran to their end.

    """

    cost: float
    regrets: Mapping[str, float]
    winner: float
    in_order: bool
    trials: int
    finished: int

    @property
    def regret(self) -> float:
        """The mean over norms."""
        return statistics.fmean(self.regrets.values())


def outcome(recorded: Recorded, trials: Sequence[Trial]) -> Outcome:
    """Judge a search."""
    found = chosen(trials)
    ranked = sorted(found, key=lambda norm: seen_of(found[norm]), reverse=True)
    best = dict(zip(recorded.norms, recorded.truth.max(axis=1).tolist(), strict=True))
    return Outcome(
        cost=sum(trial.passes for trial in trials) / recorded.grid_passes(),
        regrets={norm: best[norm] - found[norm].truth for norm in recorded.norms},
        winner=max(best.values()) - found[ranked[0]].truth,
        in_order=ranked == recorded.ranked,
        trials=len(trials),
        finished=sum(trial.over for trial in trials),
    )


def grid(recorded: Recorded) -> Method:
    """Every norm at every point; a learning rate stands for its point."""
    rates = recorded.values["train.lr"].tolist()
    space = {"model.norm": {"choice": list(recorded.norms)}, "train.lr": {"choice": rates}}
    return method("grid", "none", space=space)


class Searches:
    """Searches of one method on the trials of one data set.

    Args:
        recorded: The trials.
        method: The method.
        behind: Epochs that a trial trains ahead of its report.

    """

    def __init__(self, recorded: Recorded, method: Method, behind: int = BEHIND) -> None:
        self.recorded, self.behind = recorded, behind
        self.setting = Setting.of(recorded, method)

    def run(self, each: int, seed: int) -> Outcome:
        """One search with so many trials of each norm."""
        return outcome(self.recorded, replayed(self.setting, each, seed, behind=self.behind))

    def trials_for(self, cost: float) -> float:
        """How many trials of each norm cost so much, between whole numbers as if it rose evenly."""
        low, high = 1, 2
        costs = {each: self._cost(each) for each in (low, high)}
        while costs[high] < cost and high < MOST:
            low, high = high, 2 * high
            costs[high] = self._cost(high)
        while high - low > 1:
            share = (cost - costs[low]) / (costs[high] - costs[low])
            middle = min(max(round(low + share * (high - low)), low + 1), high - 1)
            costs[middle] = self._cost(middle)
            low, high = (middle, high) if costs[middle] < cost else (low, middle)
        share = (cost - costs[low]) / (costs[high] - costs[low])
        return low + min(max(share, 0.0), 1.0)

    def at_cost(self, cost: float, repeats: int) -> list[Outcome]:
        """Searches that cost so much on average: some have one trial of each norm more."""
        each = self.trials_for(cost)
        more = [seed * GOLDEN % 1 < each % 1 for seed in range(repeats)]
        return [self.run(math.floor(each) + extra, seed) for seed, extra in enumerate(more)]

    def _cost(self, each: int) -> float:
        return statistics.fmean(self.run(each, seed).cost for seed in range(PROBES))


def with_error(values: Iterable[float], digits: int) -> str:
    """A mean with its standard error."""
    found = list(values)
    error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else math.nan
    return f"{statistics.fmean(found):.{digits}f} ({error:.{digits}f})"


def figures(recorded: Recorded, runs: Sequence[Outcome]) -> dict[str, str]:
    """Column -> what a table says of searches of one kind."""
    return {
        "cost": f"{100 * statistics.fmean(run.cost for run in runs):.1f} %",
        **{
            norm: with_error((1000 * run.regrets[norm] for run in runs), 1)
            for norm in recorded.norms
        },
        "mean of norms": with_error((1000 * run.regret for run in runs), 1),
        "winner": with_error((1000 * run.winner for run in runs), 1),
        "in order": with_error((run.in_order for run in runs), 2),
        "trials": f"{statistics.fmean(run.trials for run in runs):.1f}",
        "finished": f"{statistics.fmean(run.finished for run in runs):.1f}",
    }


def agreement(record: Record, recorded: Recorded) -> None:
    """How well the score of an epoch ranks the configurations of a norm."""
    scores = {"all patients, all cells": recorded.full}
    for name, screen in SCREENINGS.items():
        scores[name] = Setting.of(recorded, {"screen": screen}).screened
    for name, found in scores.items():
        for epoch in range(recorded.epochs):
            value = statistics.fmean(
                spearmanr(found[norm, :, seed, epoch], recorded.truth[norm]).statistic
                for norm, seed in np.ndindex(found.shape[0], found.shape[2])
            )
            title = f"rank correlation, {recorded.sweep.name}"
            record.add(title, name, f"epoch {epoch + 1}", f"{value:.2f}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=TABLE, help="what search_table.py recorded")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--costs", nargs="+", type=float, default=COSTS, help="shares of the grid")
    parser.add_argument("--repeats", type=int, default=200, help="searches of each method")
    parser.add_argument(
        "--behind", type=int, default=BEHIND, help="epochs trained ahead of a report, as in a sweep"
    )
    parser.add_argument("--save", action="store_true", help="write results/search.json")
    return parser.parse_args(arguments)


def add(record: Record, title: str, row: str, found: Mapping[str, str]) -> None:
    """Note a row and print it."""
    for column, value in found.items():
        record.add(title, row, column, value)
    print(f"{title}  {row:<30}", "  ".join(f"{k} {v}" for k, v in found.items()), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    options = parse(arguments)
    record = Record("search")
    for recorded in read(options.table):
        whole = Searches(recorded, grid(recorded))
        runs = [whole.run(recorded.points, seed) for seed in range(options.repeats)]
        for cost in options.costs:
            title = f"{recorded.sweep.name}, {100 * cost:g} % of the grid"
            add(record, title, GRID, figures(recorded, runs))
            for name in options.methods:
                began = time.monotonic()
                searches = Searches(recorded, METHODS[name], options.behind)
                found = searches.at_cost(cost, options.repeats)
                add(record, title, name, figures(recorded, found))
                print(f"  {time.monotonic() - began:.0f} s", flush=True)
        agreement(record, recorded)
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

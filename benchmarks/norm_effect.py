"""How often norms that are alike are said to differ, and norms that differ are found to.

    python benchmarks/norm_effect.py --save

Made-up tables of runs: three norms, their configurations, seeds that all share, the rest; and what
patients add to all runs, to those of one norm, and to one run. Beside the mixed model the ways that
look like it: its variance of configurations cut at 0, labels of single runs exchanged, runs taken
for independent, one run of each norm compared over patients, all drawn again in a bootstrap. A
quarter of an hour on one core; for a look ``--repetitions 100``.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from results import Record
from scipy.special import stdtr

from sweep.core.keys import generator
from sweep.stats.mixed import Measured, Run, fit_mixed
from sweep.stats.permutation import permuted
from sweep.stats.two_way import patient_variance

REST = 0.01  # standard deviation of a run beside its configuration and seed
OF_CONFIGS = (0.0, 0.005, 0.01, 0.03)
OF_SEEDS = (0.005, 0.015)
EFFECTS = (0.02, 0.05)
LEVEL = 0.05
RESAMPLES = 300


class Shape(NamedTuple):
    """A table: norms, configurations of each, seeds, and the share of runs that are missing."""

    norms: int
    configs: int
    seeds: int
    missing: float = 0.0

    def __str__(self) -> str:
        seeds = f"{self.seeds} seed{'s' if self.seeds > 1 else ''}"
        lost = f", {self.missing:.0%} missing" if self.missing else ""
        return f"{self.norms} norms x {self.configs} configurations x {seeds}{lost}"


class Patients(NamedTuple):
    """Standard deviation of what patients add: to all runs, to those of a norm, to one run."""

    common: float = 0.0
    norm: float = 0.0
    run: float = 0.0


SHAPES = (
    Shape(3, 3, 5),
    Shape(3, 3, 5, 0.2),
    Shape(3, 4, 1),
    Shape(3, 3, 2),
    Shape(3, 2, 5),
    Shape(2, 3, 5),
    Shape(2, 2, 5),
)
PATIENTS = {
    ".02 to all": Patients(0.02),
    ".02 to all, .01 to a run": Patients(0.02, 0.0, 0.01),
    ".02 to all, .01 to a run, .01 to a norm": Patients(0.02, 0.01, 0.01),
    ".02 to all, .01 to a run, .02 to a norm": Patients(0.02, 0.02, 0.01),
}


class Table(NamedTuple):
    """Runs, and their values in resamples of the patients, (runs, R)."""

    runs: list[Run]
    draws: np.ndarray


def drawn(
    shape: Shape, configs: float, seeds: float, key: int, patients: Patients | None = None
) -> Table:
    """A table in which norms are alike."""
    draws = generator("norm_effect", key, str(shape), f"{configs} {seeds}", str(patients))
    norms, own, common, missing = shape
    size = (norms, own, common)
    values = draws.normal(0, configs, (norms, own, 1)) + draws.normal(0, seeds, common)
    values = 0.8 + values + draws.normal(0, REST, size)
    moved = np.zeros((*size, 1))
    if patients is not None:
        columns = RESAMPLES + 1  # the patients that there are, and their resamples
        moved = draws.normal(0, patients.common, columns)
        moved = moved + draws.normal(0, patients.norm, (norms, 1, 1, columns))
        moved = moved + draws.normal(0, patients.run, (*size, columns))
        values = values + moved[..., 0]
    there = draws.random(size) >= missing
    runs, rows = [], []
    for place in map(tuple, np.argwhere(there)):
        runs.append(Run("abc"[place[0]], int(place[1]), int(place[2]), float(values[place])))
        rows.append(values[place] + moved[place][1:])
    return Table(runs, np.array(rows))


def cut_at_zero(table: np.ndarray) -> float:
    """P of two norms of a complete table (norms, configurations, seeds), no variance below 0."""
    norms, configs, seeds = table.shape
    centres = table.mean(axis=2)
    between = norms * (configs - 1)
    centred = table - centres[..., None]
    common = centred - centred.mean(axis=(0, 1))
    within = (norms * configs - 1) * (seeds - 1)
    of_configs = seeds * centres.var(axis=1, ddof=1).mean()
    of_rest = (common**2).sum() / within if within else np.inf
    error, df = of_configs, between
    if within and of_configs < of_rest:
        error = (of_configs * between + of_rest * within) / (between + within)
        df = between + within
    distance = abs(centres[0].mean() - centres[1].mean())
    return float(2 * stdtr(df, -distance / np.sqrt(2 * error / (configs * seeds))))


def runs_exchanged(table: np.ndarray, key: int) -> float:
    """P of two norms of a complete table by exchanging the labels of single runs within seeds."""
    two = table[:2].reshape(-1, table.shape[2])
    order = np.argsort(generator("runs", key).random((500, *two.shape)), axis=1)
    first = np.take_along_axis(two[None], order[:, : len(two) // 2], axis=1).mean(axis=(1, 2))
    observed = abs(table[0].mean() - table[1].mean())
    far = np.abs(2 * (first - two.mean())) >= observed - 1e-12
    return float((far.sum() + 1) / (len(far) + 1))


def independent(runs: Sequence[Run]) -> float:
    """P of a t test that takes every run for a unit of its own."""
    one, two = ([run.value for run in runs if run.norm == norm] for norm in "ab")
    error = np.sqrt(np.var(one, ddof=1) / len(one) + np.var(two, ddof=1) / len(two))
    return float(2 * stdtr(len(one) + len(two) - 2, -abs(np.mean(one) - np.mean(two)) / error))


def one_run_each(table: Table) -> float:
    """P of the first run of each norm against the other's, over the patients' resamples."""
    at = [next(n for n, run in enumerate(table.runs) if run.norm == norm) for norm in "ab"]
    distance = abs(table.runs[at[0]].value - table.runs[at[1]].value)
    error = float((table.draws[at[0]] - table.draws[at[1]]).std())
    return float(2 * stdtr(1e9, -distance / error)) if error > 0 else float(distance == 0)


def bootstrapped(table: Table, shape: Shape, key: int) -> bool:
    """Whether the percentile interval lacks 0: configurations, seeds, patients drawn at once."""
    keyed = generator("bootstrap", key)
    draws = table.draws.reshape(shape.norms, shape.configs, shape.seeds, RESAMPLES)
    seeds = keyed.multinomial(shape.seeds, np.full(shape.seeds, 1 / shape.seeds), RESAMPLES)
    means = []
    for norm in draws[:2]:
        share = np.full(shape.configs, 1 / shape.configs)
        configs = keyed.multinomial(shape.configs, share, RESAMPLES)
        means.append(np.einsum("rc,rs,csr->r", configs, seeds, norm))
    low, high = np.quantile(means[0] - means[1], (LEVEL / 2, 1 - LEVEL / 2))
    return not low <= 0 <= high


def fixed_patients(record: Record, repetitions: int) -> None:
    """Nothing but runs: what is found where norms are alike, and where they are not."""
    for shape in SHAPES:
        for configs in OF_CONFIGS:
            row = f"{shape}, SD of configurations {configs:g}"
            found, power = defaultdict(list), defaultdict(list)
            for seeds in OF_SEEDS:
                for key in range(repetitions):
                    runs = drawn(shape, configs, seeds, key).runs
                    contrast = fit_mixed(runs).contrast("a", "b")
                    found["mixed model"].append(contrast.p < LEVEL)
                    if not shape.missing:
                        table = np.array([run.value for run in runs]).reshape(shape[:3])
                        found["variance cut at 0"].append(cut_at_zero(table) < LEVEL)
                    norms = "abc"[: shape.norms]
                    found["configurations exchanged"].append(permuted(runs, norms).p <= LEVEL)
                    if not shape.missing:
                        found["runs exchanged"].append(runs_exchanged(table, key) <= LEVEL)
                    found["runs as units"].append(independent(runs) < LEVEL)
                    # Another mean of a norm moves the difference and nothing else.
                    for effect in EFFECTS:
                        moved = contrast._replace(value=contrast.value + effect)
                        power[f"finds {effect:g}"].append(moved.p < LEVEL)
                    low, high = contrast.interval()
                    power["95 % interval holds the truth"].append(low <= 0 <= high)
                    power["its half width"].append((high - low) / 2)
            for title, columns in (("found where there is nothing", found), ("power", power)):
                for column, values in columns.items():
                    record.add(title, row, column, f"{np.mean(values):.3f}")
                said = ", ".join(f"{name} {np.mean(v):.3f}" for name, v in columns.items())
                print(f"{row}: {said}", flush=True)


def drawn_patients(record: Record, repetitions: int) -> None:
    """With what patients add: what is found where norms are alike on all patients."""
    for shape in (SHAPES[0], SHAPES[2], SHAPES[3]):
        for name, patients in PATIENTS.items():
            for configs in OF_CONFIGS[::2]:
                row = f"{shape}, SD of configurations {configs:g}; patients add {name}"
                found = defaultdict(list)
                for key in range(repetitions):
                    table = drawn(shape, configs, OF_SEEDS[1], key, patients)
                    model = fit_mixed(table.runs)
                    fixed = model.contrast("a", "b")
                    both = widened(fixed, table, {"a": 1.0, "b": -1.0})
                    found["these patients"].append(fixed.p < LEVEL)
                    found["patients, too"].append(both.p < LEVEL)
                    low, high = widened(model.mean("a"), table, {"a": 1.0}).interval()
                    found["mean of a norm"].append(not low <= 0.8 <= high)
                    found["bootstrap"].append(bootstrapped(table, shape, key))
                    found["one run each"].append(one_run_each(table) < LEVEL)
                for column, values in found.items():
                    record.add("patients", row, column, f"{np.mean(values):.3f}")
                said = ", ".join(f"{name} {np.mean(v):.3f}" for name, v in found.items())
                print(f"{row}: {said}", flush=True)


def widened(found: Measured, table: Table, weights: dict[str, float]) -> Measured:
    """With the patients drawn again."""
    return found.widened(patient_variance(table.runs, table.draws, weights))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and print what comes out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--save", action="store_true", help="write results/norm_effect.json")
    options = parser.parse_args(arguments)
    record = Record("norm_effect")
    fixed_patients(record, options.repetitions)
    drawn_patients(record, options.repetitions)
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

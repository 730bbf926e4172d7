"""How often norms that are alike are said to differ, and norms that differ are found to.

    python benchmarks/norm_effect.py --save

Made-up tables of runs: norms, their configurations, seeds that all share, what a seed adds to one
norm, the rest; and what patients add to all runs, to those of one norm, and to one run. Beside the
mixed model the ways that look like it: means of configurations as units, labels of single runs
exchanged, runs taken for independent, one run of each norm compared over patients, all drawn again
in a bootstrap. A quarter of an hour on one core; for a look ``--repetitions 100``.
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
OF_CONFIGS = (0.0, 0.01, 0.03)
OF_SEEDS = (0.005, 0.015)  # of all norms alike, in every other table
OF_NORM_SEEDS = (0.0, 0.01)  # of each norm by itself
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
    shape: Shape, configs: float, key: int, by_norm: float = 0.0, patients: Patients | None = None
) -> Table:
    """A table in which norms are alike."""
    draws = generator("norm_effect", key, str(shape), f"{configs} {by_norm}", str(patients))
    norms, own, common, missing = shape
    size = (norms, own, common)
    values = draws.normal(0, configs, (norms, own, 1))
    values = values + draws.normal(0, OF_SEEDS[key % 2], common)
    values = values + draws.normal(0, by_norm, (norms, 1, common))
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


def configurations(table: np.ndarray) -> float:
    """P of two norms of a complete table by t, the means of configurations as the units."""
    norms, configs, _ = table.shape
    centres = table.mean(axis=2)
    error = np.sqrt(2 * centres.var(axis=1, ddof=1).mean() / configs)
    distance = abs(centres[0].mean() - centres[1].mean())
    return float(2 * stdtr(norms * (configs - 1), -distance / error))


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
            found, power, widths = defaultdict(list), defaultdict(list), []
            for by_norm in OF_NORM_SEEDS:
                also = ", norm x seed" if by_norm else ""
                for key in range(repetitions):
                    runs = drawn(shape, configs, key, by_norm).runs
                    contrast = fit_mixed(runs).contrast("a", "b")
                    found[f"mixed model{also}"].append(contrast.p < LEVEL)
                    exchanged = permuted(runs, "abc"[: shape.norms])
                    found[f"configurations exchanged{also}"].append(exchanged.p <= LEVEL)
                    if not shape.missing:
                        table = np.array([run.value for run in runs]).reshape(shape[:3])
                        found[f"means of configurations{also}"].append(
                            configurations(table) < LEVEL
                        )
                    if by_norm:
                        continue
                    if not shape.missing:
                        found["runs exchanged"].append(runs_exchanged(table, key) <= LEVEL)
                    found["runs as units"].append(independent(runs) < LEVEL)
                    # Another mean of a norm moves the difference and nothing else.
                    for effect in EFFECTS:
                        moved = contrast._replace(value=contrast.value + effect)
                        power[f"finds {effect:g}"].append(moved.p < LEVEL)
                    low, high = contrast.interval()
                    power["95 % interval holds the truth"].append(low <= 0 <= high)
                    widths.append((high - low) / 2)
            power["its half width, median"] = [np.median(widths)]
            for title, columns in (("found where there is nothing", found), ("power", power)):
                note(record, title, row, columns)


def drawn_patients(record: Record, repetitions: int) -> None:
    """With what patients add: what is found where norms are alike on all patients."""
    for shape in (SHAPES[0], SHAPES[2], SHAPES[6]):
        for name, patients in PATIENTS.items():
            for configs in OF_CONFIGS[:2]:
                row = f"{shape}, SD of configurations {configs:g}; patients add {name}"
                found = defaultdict(list)
                for key in range(repetitions):
                    table = drawn(shape, configs, key, 0.0, patients)
                    model = fit_mixed(table.runs)
                    fixed = model.contrast("a", "b")
                    both = widened(fixed, table, {"a": 1.0, "b": -1.0})
                    found["these patients"].append(fixed.p < LEVEL)
                    found["patients, too"].append(both.p < LEVEL)
                    low, high = widened(model.mean("a"), table, {"a": 1.0}).interval()
                    found["mean of a norm"].append(not low <= 0.8 <= high)
                    found["bootstrap"].append(bootstrapped(table, shape, key))
                    found["one run each"].append(one_run_each(table) < LEVEL)
                note(record, "patients", row, found)


def note(record: Record, title: str, row: str, columns: dict[str, list]) -> None:
    """The means of what was found, in the record and on the screen."""
    for column, values in columns.items():
        record.add(title, row, column, f"{np.mean(values):.3f}")
    said = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in columns.items())
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

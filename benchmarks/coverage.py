"""Whether 95 % intervals hold what they promise, and a winner's corrected score what it is worth.

    python benchmarks/coverage.py --save

Patients of unequal size with an effect of their own, some of whom show the label; scores are
normal in slices with and without it, with another distance in every cell, so that the true AUROC of
each cell is known. Many such studies are drawn, two fifths as many for winners, a tenth for the
best of 300. A quarter of an hour on one core; for a look ``--repetitions 60``.
"""

import argparse
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from results import Record

from sweep.core.keys import generator
from sweep.metrics.functions import auroc
from sweep.metrics.robustness import worst_weights
from sweep.stats.clustered import estimate
from sweep.stats.estimate import Estimate, mean, resampled_patients, weighted
from sweep.stats.interval import interval, p_value
from sweep.stats.winner import Candidate, left_out, optimism

NORMAL = NormalDist()
# Of a variance of 1 among the slices of a class, what a patient and what a slice adds: in all cells
# of all models, in all cells of one model, in one cell of one model. As in a sweep of brain
# tumours, where ranks of one model correlate by .76 (median) between cells and by .42 with those of
# another model, and two fifths of their variance lie between patients.
COMMON, MODEL, CELL = (0.22, 0.20), (0.12, 0.22), (0.06, 0.18)
CELLS = 15
SPREAD = np.linspace(0.70, 0.90, CELLS)  # AUROC of the cells of a model
FLAT = np.full(CELLS, 0.80)
CLEAN = 0.85
EPOCH_SD = 0.01  # of the true AUROC, from epoch to epoch and from trial to trial


class Study(NamedTuple):
    """Patients, slices, and which of them show the label."""

    of: np.ndarray
    truth: np.ndarray
    patients: int


def study(patients: int, seed: int) -> Study:
    """1 to 40 slices each, median about 12; two in five patients show the label, in 7 of 10."""
    draws = generator("coverage", patients, seed)
    sizes = np.clip(np.round(np.exp(draws.normal(2.5, 0.7, patients))), 1, 40).astype(int)
    of = np.repeat(np.arange(patients), sizes)
    shows = draws.permutation(patients) < round(0.4 * patients)
    return Study(of, shows[of] & (draws.random(len(of)) < 0.7), patients)


def distance(true: float) -> float:
    """Between the means of slices with and without the label, for an AUROC between patients."""
    return NORMAL.inv_cdf(true) * float(np.sqrt(2))


def added(of: Study, shares: tuple[float, float], draws: np.random.Generator) -> np.ndarray:
    """(N,) what the patients and the slices add."""
    patients, slices = np.sqrt(shares)
    own = draws.normal(0, slices, len(of.of))
    return draws.normal(0, patients, of.patients)[of.of] + own


def scores(of: Study, truths: Sequence[float], seed: int, model: int) -> Iterator[np.ndarray]:
    """(N,) of a model in every cell."""
    common = added(of, COMMON, generator("common", of.patients, seed))
    draws = generator("model", of.patients, seed, model)
    common += added(of, MODEL, draws)
    for true in truths:
        yield distance(true) * of.truth + common + added(of, CELL, draws)


def cells_of(of: Study, truths: Sequence[float], seed: int, model: int) -> list[Estimate]:
    """The estimate of every cell."""
    weights = resampled_patients(of.patients)
    return [
        estimate(auroc, one, of.truth, of.of, weights) for one in scores(of, truths, seed, model)
    ]


def tail(parts: Sequence[Estimate], fixed: np.ndarray | None) -> Estimate:
    """CVaR: over cells that are fixed, or over those that are worst in each resample."""
    if fixed is not None:
        return weighted(parts, fixed)
    draws = np.stack([part.draws for part in parts], axis=-1)
    values = np.array([part.value for part in parts])
    point = weighted(parts, worst_weights(values))
    drawn = (draws * worst_weights(draws)).sum(axis=-1)
    return Estimate(point.value, drawn, point.influence)


def percentile(one: Estimate) -> tuple[float, float]:
    """The plain percentile interval."""
    low, high = np.quantile(one.draws, (0.025, 0.975))
    return float(low), float(high)


def covered(patients: int, repetitions: int) -> dict[str, tuple[float, float, float]]:
    """Of each score: coverage of the interval, of the plain percentile interval, mean error."""
    fixed = worst_weights(SPREAD)
    true = {
        "clean": CLEAN,
        "mean of cells": float(SPREAD.mean()),
        "CVaR, cells fixed": float((SPREAD * fixed).sum()),
        "CVaR, cells chosen": float((SPREAD * fixed).sum()),
        "CVaR, cells chosen, all alike": 0.80,
        "paired difference of means": float(SPREAD.mean() - FLAT.mean()),
        "paired difference of CVaR, cells fixed": float((SPREAD * fixed).sum()) - 0.80,
    }
    held: dict[str, list[tuple[bool, bool, float]]] = {name: [] for name in true}
    wrong = []
    for seed in range(repetitions):
        drawn = study(patients, seed)
        (clean,) = cells_of(drawn, [CLEAN], seed, 0)
        one, two = cells_of(drawn, SPREAD, seed, 1), cells_of(drawn, FLAT, seed, 2)
        same = cells_of(drawn, FLAT, seed, 3)
        found = {
            "clean": clean,
            "mean of cells": mean(one),
            "CVaR, cells fixed": tail(one, fixed),
            "CVaR, cells chosen": tail(one, None),
            "CVaR, cells chosen, all alike": tail(two, None),
            "paired difference of means": mean(one) - mean(two),
            "paired difference of CVaR, cells fixed": tail(one, fixed) - tail(two, fixed),
        }
        for name, value in found.items():
            low, high, _ = interval(value)
            plain = percentile(value)
            inside = low <= true[name] <= high, plain[0] <= true[name] <= plain[1]
            held[name].append((*inside, value.value - true[name]))
        wrong.append(p_value(mean(two) - mean(same)) < 0.05)
    result = {name: tuple(map(float, np.mean(rows, axis=0))) for name, rows in held.items()}
    return {**result, "P < .05 of two models alike": (float(np.mean(wrong)), np.nan, np.nan)}


def winners(patients: int, trials: int, repetitions: int, cells: np.ndarray) -> tuple[float, float]:
    """Mean error of the winner's score by CVaR: as it is, and corrected.

    The truth is what the winner is worth in the cells that were its worst among these patients.
    What all trials and cells have in common by the patients that were drawn has a mean of 0 and
    most of the variance; it is taken off by regression.
    """
    errors, common = [], []
    for seed in range(repetitions):
        drawn = study(patients, seed)
        weights = resampled_patients(patients, 200)
        both = np.concatenate([weights, left_out(weights)])
        luck = generator("trials", seed).normal(0, EPOCH_SD, trials)
        candidates = []
        for trial in range(trials):
            truths = [CLEAN, *(cells + luck[trial])]
            parts = [
                estimate(auroc, one, drawn.truth, drawn.of, both)
                for one in scores(drawn, truths, seed, trial + 10)
            ]
            draws = np.stack([one.draws for one in parts], axis=-1).astype(np.float32)
            values = np.array([one.value for one in parts])
            candidates.append(Candidate("all", values, *np.split(draws, 2)))
        found = optimism(candidates, "cvar")[None]
        values = np.stack([one.value[1:] for one in candidates])
        counted = worst_weights(values)
        chosen = int((counted * values).sum(axis=-1).argmax())
        true = float((counted[chosen] * (cells + luck[chosen])).sum())
        errors.append((found.naive - true, found.corrected - true))
        common.append(float((values - cells - luck[:, None]).mean()))
    slope = np.polyfit(common, errors, 1)[0]
    naive, corrected = np.mean(errors - np.outer(common, slope), axis=0)
    return float(naive), float(corrected)


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and print what comes out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--save", action="store_true", help="write results/coverage.json")
    options = parser.parse_args(arguments)
    record = Record("coverage")
    for patients in (40, 160):
        for name, (ours, plain, error) in covered(patients, options.repetitions).items():
            said = f"{ours:.3f}" if np.isnan(plain) else f"{ours:.3f} ({plain:.3f}; {error:+.3f})"
            record.add("coverage", name, f"{patients} patients", said)
            print(f"{name:<42} {patients:>4} patients  {said}", flush=True)
    for patients, trials, truths, studies in (
        (40, 12, SPREAD, options.repetitions * 2 // 5),
        (160, 12, SPREAD, options.repetitions * 2 // 5),
        (40, 300, SPREAD, options.repetitions // 10),
        (40, 12, FLAT, options.repetitions * 2 // 5),
    ):
        naive, corrected = winners(patients, trials, studies, truths)
        alike = ", cells alike" if truths is FLAT else ""
        row = f"best of {trials}, {patients} patients{alike}"
        record.add("winner", row, "as it is", f"{naive:+.3f}")
        record.add("winner", row, "corrected", f"{corrected:+.3f}")
        print(f"{row:<42} {naive:+.3f}, corrected {corrected:+.3f}", flush=True)
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()

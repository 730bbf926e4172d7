"""The effect of norms, with configurations and seeds as the units: all that is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from sweep.stats.equivalence import Verdict, verdict
from sweep.stats.estimate import Array
from sweep.stats.mixed import Run, fit_mixed
from sweep.stats.multiplicity import holm
from sweep.stats.permutation import permuted
from sweep.stats.two_way import two_way

Ends = tuple[float, float]
NONE = (float("nan"), float("nan"))


@dataclass(frozen=True)
class NormMean:
    """What one norm came to.

    Attributes:
        norm: Which.
        mean: Of the means of its configurations.
        configs: How many.
        runs: How many trainings came to a score.
        sd_configs: Standard deviation of the means of configurations; NaN of one.
        sd_seeds: Within configurations, pooled; NaN where each has one run.
        interval: 95 %, by the two-way bootstrap; NaN where the patients' resamples are not known.

    """

    norm: str
    mean: float
    configs: int
    runs: int
    sd_configs: float
    sd_seeds: float
    interval: Ends


@dataclass(frozen=True)
class NormDifference:
    """Two norms.

    Attributes:
        first: A norm.
        second: Another.
        difference: The first less the second, by the mixed model.
        interval: 95 %, by the mixed model.
        narrow: 90 %, by the mixed model.
        df: Degrees of freedom.
        p: By the mixed model.
        p_holm: Over all differences that were asked for.
        p_permuted: By exchanging configurations.
        p_least: The smallest P that so many configurations can give there.
        two_way: 95 %, by the two-way bootstrap; NaN where the patients' resamples are not known.
        verdict: On the first, against the margin.

    """

    first: str
    second: str
    difference: float
    interval: Ends
    narrow: Ends
    df: float
    p: float
    p_holm: float
    p_permuted: float
    p_least: float
    two_way: Ends
    verdict: Verdict


@dataclass(frozen=True)
class NormEffects:
    """What is said of norms.

    Attributes:
        norms: Each by itself.
        differences: To the reference, or each with each.
        margin: What does not matter.
        notes: What is missing, and why something cannot be said.

    """

    norms: tuple[NormMean, ...]
    differences: tuple[NormDifference, ...]
    margin: float
    notes: tuple[str, ...]


def norm_effects(
    runs: Sequence[Run],
    margin: float,
    reference: str | None = None,
    draws: Array | None = None,
    seed: int = 0,
    higher_is_better: bool = True,
) -> NormEffects:
    """Compare norms by their runs.

    Args:
        runs: Of finalists, or of trials; a missing value is left out, and said to be.
        margin: The largest difference that does not matter.
        reference: The norm that all others are compared with; None, or one that is not there: each
            with each.
        draws: (runs, R) the value of each run in common resamples of the patients; None: not known.
        seed: Key of the draws of configurations and seeds.
        higher_is_better: Of the values.

    """
    notes = []
    there = [at for at, run in enumerate(runs) if np.isfinite(run.value)]
    if len(there) < len(runs):
        lost = sorted({run.norm for run in runs if not np.isfinite(run.value)})
        notes.append(
            f"{len(runs) - len(there)} of {len(runs)} runs have no value ({', '.join(lost)}) and "
            "are left out"
        )
    kept = [runs[at] for at in there]
    norms = tuple(sorted({run.norm for run in kept}))
    resampled = two_way(kept, draws[there], seed) if draws is not None and kept else {}
    means = tuple(_norm_mean(kept, norm, resampled.get(norm)) for norm in norms)
    notes += _notes(means, kept)
    if reference is not None and reference not in norms:
        notes.append(f"there is no run of the reference, {reference}: each is compared with each")
    pairs = (
        [(norm, reference) for norm in norms if norm != reference]
        if reference in norms
        else [(a, b) for at, a in enumerate(norms) for b in norms[at + 1 :]]
    )
    try:
        differences = (
            _differences(kept, pairs, margin, resampled, seed, higher_is_better) if pairs else ()
        )
    except ValueError:
        differences = ()
        notes.append("no differences: there are no more runs than norms, so no spread is known")
    return NormEffects(means, differences, margin, tuple(notes))


def _norm_mean(runs: Sequence[Run], norm: str, draws: Array | None) -> NormMean:
    own: dict[object, list[float]] = {}
    for run in runs:
        if run.norm == norm:
            own.setdefault(run.config, []).append(run.value)
    centres = [fmean(values) for values in own.values()]
    freedom = sum(len(values) - 1 for values in own.values())
    squares = sum((v - fmean(values)) ** 2 for values in own.values() for v in values)
    return NormMean(
        norm=norm,
        mean=fmean(centres),
        configs=len(own),
        runs=sum(map(len, own.values())),
        sd_configs=stdev(centres) if len(centres) > 1 else float("nan"),
        sd_seeds=(squares / freedom) ** 0.5 if freedom else float("nan"),
        interval=NONE if draws is None else _ends(draws),
    )


def _differences(
    runs: Sequence[Run],
    pairs: Sequence[tuple[str, str]],
    margin: float,
    resampled: dict[str, Array],
    seed: int,
    higher_is_better: bool,
) -> tuple[NormDifference, ...]:
    model = fit_mixed(runs)
    contrasts = [model.contrast(*pair) for pair in pairs]
    adjusted = holm([one.p for one in contrasts])
    found = []
    for one, p_holm in zip(contrasts, adjusted, strict=True):
        exchanged = permuted(runs, one.first, one.second, seed)
        wide, narrow = one.interval(0.95), one.interval(0.90)
        gained = (narrow, wide) if higher_is_better else (_mirrored(narrow), _mirrored(wide))
        drawn = resampled.get(one.first), resampled.get(one.second)
        found.append(
            NormDifference(
                first=one.first,
                second=one.second,
                difference=one.difference,
                interval=wide,
                narrow=narrow,
                df=one.df,
                p=one.p,
                p_holm=p_holm,
                p_permuted=exchanged.p,
                p_least=exchanged.least,
                two_way=NONE
                if drawn[0] is None or drawn[1] is None
                else _ends(drawn[0] - drawn[1]),
                verdict=verdict(*gained, margin),
            )
        )
    return tuple(found)


def _mirrored(ends: Ends) -> Ends:
    return -ends[1], -ends[0]


def _notes(means: Sequence[NormMean], runs: Sequence[Run]) -> list[str]:
    notes = []
    seeds = len({run.seed for run in runs})
    if len(means) == 1:
        notes.append(f"there is one norm alone, {means[0].norm}: nothing to compare it with")
    if seeds < 3:
        notes.append(f"{seeds} seed{'s' if seeds != 1 else ''}: the spread over seeds is a guess")
    few = [one.norm for one in means if one.configs < 2]
    if few:
        notes.append(
            f"one configuration of {', '.join(few)}: what belongs to the norm and what to the "
            "configuration cannot be told apart there"
        )
    return notes


def _ends(draws: Array) -> Ends:
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return float(low), float(high)

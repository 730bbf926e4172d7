"""The effect of norms, with configurations and seeds as the units: all that is said of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev
from typing import Literal

import numpy as np

from sweep.stats.equivalence import Ends, Verdict, in_words, verdict
from sweep.stats.estimate import Array
from sweep.stats.mixed import Measured, MixedModel, Run, fit_mixed
from sweep.stats.multiplicity import holm
from sweep.stats.permutation import Permuted, permuted
from sweep.stats.two_way import patient_variance

NONE = (float("nan"), float("nan"))
LEVEL = 0.05  # of a test: a smaller P is taken for a difference
Unit = Literal["configuration", "run"]


@dataclass(frozen=True)
class NormMean:
    """What one norm came to.

    Attributes:
        norm: Which.
        mean: By the mixed model; of the means of its configurations where there is none.
        configs: How many.
        runs: How many trainings came to a score.
        sd_configs: Standard deviation of the means of configurations; NaN of one.
        sd_seeds: Within configurations, pooled; NaN where each has one run.
        interval: 95 %, of configurations, seeds and, where their resamples are known, patients.

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
        error: Its standard error, with the patients where their resamples are known.
        df: Degrees of freedom of the error.
        interval: 95 %.
        narrow: 90 %.
        p: Two-sided.
        p_holm: Over all differences that were asked for.
        same_patients: 95 %, by the mixed model alone: on these very patients.
        p_same_patients: On these very patients.
        p_permuted: By exchanging configurations, with these very seeds and patients.
        p_least: The smallest P that so many configurations can give there.
        verdict: On the first, against the margin.
        sentence: The verdict in words.

    """

    first: str
    second: str
    difference: float
    error: float
    df: float
    interval: Ends
    narrow: Ends
    p: float
    p_holm: float
    same_patients: Ends
    p_same_patients: float
    p_permuted: float
    p_least: float
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class NormEffects:
    """What is said of norms.

    Attributes:
        norms: Each by itself.
        differences: To the reference, or each with each; empty where no spread is known.
        alike: Whether all norms are, by exchanging configurations, with these very seeds and
            patients; None of one norm.
        unit: What the spread is one of: configurations of a norm; or runs, where each norm has one
            configuration, and what is said holds for these configurations.
        patients: Whether the patients are drawn again, too, or held fixed.
        margin: What does not matter.
        notes: What is missing, and why something cannot be said.

    """

    norms: tuple[NormMean, ...]
    differences: tuple[NormDifference, ...]
    alike: Permuted | None
    unit: Unit
    patients: bool
    margin: float
    notes: tuple[str, ...]


def norm_effects(
    runs: Sequence[Run],
    margin: float,
    reference: str | None = None,
    draws: Array | None = None,
    seed: int = 0,
    higher_is_better: bool = True,
    asked: Sequence[tuple[str, str]] | None = None,
    refused: str | None = None,
) -> NormEffects:
    """Compare norms by their runs.

    Args:
        runs: Of finalists, or of trials; a missing value is left out, and said to be.
        margin: The largest difference that does not matter.
        reference: The norm that all others are compared with; None, or one that is not there: each
            with each.
        draws: (runs, R) the value of each run in common resamples of the patients; None: not known,
            and all is said of these very patients.
        seed: Key of the arrangements, where they are too many to count.
        higher_is_better: Of the values.
        asked: The only pairs that are asked for, such as one that was stated before, by which P is
            then adjusted; None: as ``reference`` says.
        refused: Why nothing but means is to be said, such as too few patients; None: all is.

    """
    scored = [at for at, run in enumerate(runs) if np.isfinite(run.value)]
    there, twins = _without_twins(runs, scored)
    kept = [runs[at] for at in there]
    norms = tuple(sorted({run.norm for run in kept}))
    absent = asked is None and reference is not None and reference not in norms
    if asked is not None:
        pairs = [pair for pair in asked if {*pair} <= {*norms}]
    elif reference is not None and not absent:
        pairs = [(norm, reference) for norm in norms if norm != reference]
    else:
        pairs = list(combinations(norms, 2))
    model = fit_mixed(kept) if len(kept) > len(norms) and refused is None else None
    spread = _Spread(kept, model, draws[there] if draws is not None else None)
    means = tuple(_norm_mean(kept, norm, spread) for norm in norms)
    unit: Unit = "configuration" if any(one.configs > 1 for one in means) else "run"
    notes = [*_missing(runs, scored), *twins, *_notes(means, kept)]
    notes += [f"neither intervals nor tests: {refused}"] if refused else spread.notes(pairs)
    if absent:
        notes.append(f"there is no run of the reference, {reference}: each is compared with each")
    return NormEffects(
        norms=means,
        differences=_differences(kept, pairs, spread, margin, unit, seed, higher_is_better),
        alike=permuted(kept, norms, seed) if len(norms) > 1 and refused is None else None,
        unit=unit,
        patients=draws is not None,
        margin=margin,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Spread:
    """How sure means and differences are, by the model of the runs and the patients' resamples."""

    runs: Sequence[Run]
    model: MixedModel | None
    draws: Array | None

    def mean(self, norm: str) -> Measured | None:
        if self.model is None:
            return None
        return self._with_patients(self.model.mean(norm), {norm: 1.0})

    def difference(self, first: str, second: str) -> tuple[Measured, Measured] | None:
        """On these very patients, and on others of their kind."""
        if self.model is None:
            return None
        fixed = self.model.contrast(first, second)
        return fixed, self._with_patients(fixed, {first: 1.0, second: -1.0})

    def notes(self, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
        if pairs and self.model is None:
            yield "no differences: there are no more runs than norms, so no spread is known"
        for both in [self.difference(*pair) for pair in pairs[:1]]:
            if both and not both[0].error > 0:
                yield "no two runs of a norm differ, so no spread is known"
            elif both and not both[1].error > 0:
                yield "the score is undefined in over one in twenty resamples of the patients"

    def _with_patients(self, found: Measured, weights: Mapping[str, float]) -> Measured:
        if self.draws is None or not found.error > 0:
            return found
        return found.widened(patient_variance(self.runs, self.draws, weights))


def _norm_mean(runs: Sequence[Run], norm: str, spread: _Spread) -> NormMean:
    own: dict[object, list[float]] = {}
    for run in runs:
        if run.norm == norm:
            own.setdefault(run.config, []).append(run.value)
    centres = [fmean(values) for values in own.values()]
    freedom = sum(len(values) - 1 for values in own.values())
    squares = sum((v - fmean(values)) ** 2 for values in own.values() for v in values)
    measured = spread.mean(norm)
    return NormMean(
        norm=norm,
        mean=measured.value if measured else fmean(centres),
        configs=len(own),
        runs=sum(map(len, own.values())),
        sd_configs=stdev(centres) if len(centres) > 1 else float("nan"),
        sd_seeds=(squares / freedom) ** 0.5 if freedom else float("nan"),
        interval=measured.interval() if measured else NONE,
    )


def _differences(
    runs: Sequence[Run],
    pairs: Sequence[tuple[str, str]],
    spread: _Spread,
    margin: float,
    unit: Unit,
    seed: int,
    higher_is_better: bool,
) -> tuple[NormDifference, ...]:
    measured = [both for pair in pairs if (both := spread.difference(*pair))]
    if not measured:
        return ()
    adjusted = holm([one.p for _, one in measured])
    found = []
    for pair, (fixed, one), p_holm in zip(pairs, measured, adjusted, strict=True):
        exchanged = permuted(runs, pair, seed)
        wide, narrow = one.interval(0.95), one.interval(0.90)
        gained = (narrow, wide) if higher_is_better else (_mirrored(narrow), _mirrored(wide))
        word = verdict(*gained, margin)
        names = pair if unit == "configuration" else [f"this configuration of {n}" for n in pair]
        found.append(
            NormDifference(
                first=pair[0],
                second=pair[1],
                difference=one.value,
                error=one.error,
                df=one.df,
                interval=wide,
                narrow=narrow,
                p=one.p,
                p_holm=p_holm,
                same_patients=fixed.interval(),
                p_same_patients=fixed.p,
                p_permuted=exchanged.p,
                p_least=exchanged.least,
                verdict=word,
                sentence=_for_all(
                    in_words(word, names[0], names[1], narrow, wide, margin), word, p_holm, pairs
                ),
            )
        )
    return tuple(found)


def _for_all(sentence: str, word: Verdict, p_holm: float, pairs: Sequence[object]) -> str:
    """A verdict that does not outlast the correction for all that was asked says so."""
    if word not in ("better", "worse") or len(pairs) < 2 or p_holm < LEVEL:
        return sentence
    return (
        f"{sentence.rstrip('.')}; corrected for {len(pairs)} comparisons (Holm) that is not shown, "
        f"P {p_holm:.3f}."
    )


def _mirrored(ends: Ends) -> Ends:
    return -ends[1], -ends[0]


def _without_twins(runs: Sequence[Run], scored: Sequence[int]) -> tuple[list[int], Iterator[str]]:
    """Which runs to keep: a configuration that scores as another does with every seed is the same.

    Args:
        runs: All.
        scored: Which have a value.

    """
    own: dict[tuple[str, object], dict[int, float]] = {}
    for at in scored:
        own.setdefault((runs[at].norm, runs[at].config), {})[runs[at].seed] = runs[at].value
    first: dict[tuple[str, object], tuple[str, object]] = {}
    twins: Counter[str] = Counter()
    for unit, values in own.items():
        tells = len(set(values.values())) > 1  # else both may have come to the best score there is
        same = (unit[0], frozenset(values.items())) if tells else unit
        twins[unit[0]] += same in first
        first.setdefault(same, unit)
    kept = set(first.values())
    return [at for at in scored if (runs[at].norm, runs[at].config) in kept], (
        f"a configuration counts once that scores as another with every seed: {count} of {norm}"
        for norm, count in sorted(twins.items())
        if count
    )


def _missing(runs: Sequence[Run], scored: Sequence[int]) -> Iterator[str]:
    """Runs without a value, and of a table of configurations x seeds those that are not there."""
    if len(scored) < len(runs):
        lost = sorted({run.norm for run in runs if not np.isfinite(run.value)})
        yield (
            f"{len(runs) - len(scored)} of {len(runs)} runs have no value ({', '.join(lost)}) and "
            "are left out"
        )
    seeds: dict[tuple[str, object], set[int]] = {}
    for run in runs:
        seeds.setdefault((run.norm, run.config), set()).add(run.seed)
    if max(map(len, seeds.values()), default=0) < 2:
        return  # each configuration has a seed of its own, and lacks no other
    every = set().union(*seeds.values())
    absent: Counter[str] = Counter()
    for (norm, _), own in seeds.items():
        absent[norm] += len(every - own)
    if absent.total():
        each = ", ".join(f"{absent[norm]} of {norm}" for norm in sorted(absent) if absent[norm])
        yield f"runs with a seed that others have are not there: {each}"


def _notes(means: Sequence[NormMean], runs: Sequence[Run]) -> Iterator[str]:
    seeds = len({run.seed for run in runs})
    if len(means) == 1:
        yield f"there is one norm alone, {means[0].norm}: nothing to compare it with"
    if seeds == 1:
        yield "one seed: all that is said holds for it alone"
    elif seeds == 2:
        yield "2 seeds: the spread over seeds is a guess"
    few = [one.norm for one in means if one.configs < 2]
    if few and len(few) == len(means):
        yield (
            "each norm has one configuration: what is said holds for these configurations, with "
            "seeds as the units, and what belongs to the norm cannot be told apart"
        )
    elif few:
        yield (
            f"one configuration of {', '.join(few)}: how far configurations differ there is taken "
            "from the other norms"
        )

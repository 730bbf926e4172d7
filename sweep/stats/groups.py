"""Scores and differences of models in groups of slices, such as those of each site.

A group's numbers come of its own slices and patients alone: no other group, and no order, changes
them. Two groups are apart by the difference of their values; patients who are in one of the two are
drawn within it, those who are in both are drawn once for both, so that groups that share no patient
are resampled each by itself, and groups of the same patients are paired.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Basis, is_missing
from sweep.metrics import Metric
from sweep.metrics.operating import operating_points
from sweep.metrics.table import sign
from sweep.stats.by_group import ByGroup, Gap, GroupScores
from sweep.stats.checkpoint import basis_of, cells_of, summed_up
from sweep.stats.difference import Answers, Difference, equal_weights, require_same
from sweep.stats.estimate import (
    RESAMPLES,
    Array,
    Estimate,
    resampled_patients,
    weighted,
)
from sweep.stats.interval import COVERAGE, interval
from sweep.stats.multiplicity import holm

Made = Callable[[Array], Mapping[str, Estimate]]
"""Weights (R, P) of a group's patients, in the order of their names -> estimates by name."""


def part_of(answers: Answers, rows: NDArray[np.intp]) -> Answers:
    """The answers to some of the slices; operating points stay those of all.

    Args:
        answers: To N slices.
        rows: The numbers of those that are wanted.

    """
    points = answers.points
    if points is None:
        points = operating_points(answers.predictions, answers.truth, answers.labels)
    return Answers(
        [replace(item, log_odds=item.log_odds[rows]) for item in answers.predictions],
        [answers.keys[row] for row in rows],
        [answers.patients[row] for row in rows],
        answers.labels,
        answers.truth[rows],
        points,
    )


def parts_of(answers: Answers, groups: Sequence[str], order: Sequence[str]) -> dict[str, Answers]:
    """The answers to the slices of each group.

    Args:
        answers: To N slices.
        groups: (N,) the group of each.
        order: The groups.

    """
    of = np.asarray(groups)
    return {name: part_of(answers, np.flatnonzero(of == name)) for name in order}


def shared_patients(patients: Sequence[str], groups: Sequence[str]) -> int:
    """How many patients have slices in several groups."""
    found: dict[str, set[str]] = {}
    for patient, group in zip(patients, groups, strict=True):
        found.setdefault(patient, set()).add(group)
    return sum(len(of) > 1 for of in found.values())


def basis_in(part: Answers, least: int | None) -> tuple[Basis, bool]:
    """The patients of a group, and whether they are enough for a score.

    Args:
        part: The answers to its slices.
        least: So many patients have to show each label, and as many not; None: as many as an
            interval takes.

    """
    of = part.truth, part.labels, part.patients
    basis = basis_of(*of)
    too_few = basis if least is None else basis_of(*of, least=least)
    return (too_few, False) if too_few.reason else (basis, True)


def scores_by_group(
    metric: Metric,
    answers: Answers,
    groups: Sequence[str],
    order: Sequence[str],
    column: str,
    least: int | None = None,
    resamples: int = RESAMPLES,
) -> ByGroup:
    """What one checkpoint scores in each group.

    Args:
        metric: By which.
        answers: To N slices.
        groups: (N,) the group of each.
        order: The groups, in the order of the result.
        column: Its name, for the result.
        least: See ``basis_in``.
        resamples: Of the patients.

    Returns:
        Of each group the clean score, and mean, worst and CVaR over its stressed cells. A group
        with too few patients, or one class of a label, has none. A score that no patient moves,
        such as a perfect one, has no interval: how sure it is cannot be told.

    """
    found, sure = [], []
    for name, part in parts_of(answers, groups, order).items():
        basis, enough = basis_in(part, least)
        scores = GroupScores(name, len(part.keys), basis)
        if enough:
            group = _Group(name, part.patients, _summaries(metric, part), resamples)
            scores = _filled(scores, group, metric.has_interval)
            if scores.intervals:
                sure.append(group)
        found.append(scores)
    shared = shared_patients(answers.patients, groups)
    return ByGroup(column, tuple(found), tuple(_gaps(sure, resamples)), shared)


def _summaries(metric: Metric, part: Answers) -> Made:
    points = _by_column(part)

    def made(weights: Array) -> dict[str, Estimate]:
        of = part.predictions, part.truth, part.patients
        return summed_up(metric, cells_of(metric, *of, points, weights))

    return made


def _by_column(part: Answers) -> dict[int, float]:
    points = part.points or {}
    return {at: points[label] for at, label in enumerate(part.labels) if label in points}


def _filled(scores: GroupScores, group: "_Group", has_interval: bool) -> GroupScores:
    known = {n: one for n, one in group.estimates.items() if not is_missing(one.value)}
    metrics = {name: one.value for name, one in known.items()}
    if scores.basis.reason or not has_interval:
        return replace(scores, metrics=metrics)
    of = {name: interval(one) for name, one in known.items()}
    sure = {name: one for name, one in of.items() if one.low < one.high}
    return replace(
        scores,
        metrics=metrics,
        intervals={name: (one.low, one.high) for name, one in sure.items()},
        basis=replace(scores.basis, df={name: min(one.df, 1e9) for name, one in sure.items()}),
    )


@dataclass(frozen=True)
class GroupDifference:
    """How two models differ on the slices of one group.

    Attributes:
        group: Its name.
        slices: How many it has.
        basis: Its patients; why there is no interval, or nothing at all.
        differences: By score, the first model less the second; empty: the group has too few.
        p_adjusted: By score, P for all groups together, after Holm.

    """

    group: str
    slices: int
    basis: Basis
    differences: Mapping[str, Difference]
    p_adjusted: Mapping[str, float]


@dataclass(frozen=True)
class DifferencesByGroup:
    """How two models differ in each group, and whether they do so in one more than in another.

    Attributes:
        column: The column whose values are the groups.
        groups: Of each, in their order.
        gaps: By score, the two groups whose differences are the farthest apart.
        shared: How many patients have slices in several groups.

    """

    column: str
    groups: tuple[GroupDifference, ...]
    gaps: tuple[Gap, ...]
    shared: int


def differences_by_group(
    metric: Metric,
    one: Answers,
    other: Answers,
    groups: Sequence[str],
    order: Sequence[str],
    column: str,
    least: int | None = None,
    resamples: int = RESAMPLES,
) -> DifferencesByGroup:
    """The paired differences of two models in each group, ``one`` less ``other``.

    Of the clean score and of the mean over cells in which every artifact counts the same.

    Args:
        metric: By which.
        one: A model's answers to N slices.
        other: Those of the other to the same slices, in any order of slices and cells.
        groups: (N,) the group of each slice of ``one``.
        order: The groups, in the order of the result.
        column: Its name, for the result.
        least: See ``basis_in``.
        resamples: Of the patients.

    Raises:
        UserError: They were not asked the same, see ``sweep.stats.difference.require_same``.

    """
    require_same(one, other)
    of = dict(zip(one.keys, groups, strict=True))
    parts = parts_of(one, groups, order)
    others = parts_of(other, [of[key] for key in other.keys], order)
    found: list[GroupDifference] = []
    sure: list[_Group] = []
    for name, part in parts.items():
        basis, enough = basis_in(part, least)
        values: dict[str, Difference] = {}
        if enough:
            pair = _pair(metric, part, others[name])
            weights = resampled_patients(basis.patients, resamples)
            values = {score: _difference(*two, basis) for score, two in pair(weights).items()}
            if all(value.reason is None for value in values.values()):
                sure.append(_Group(name, part.patients, _subtracted(pair), resamples))
        found.append(GroupDifference(name, len(part.keys), basis, values, {}))
    return DifferencesByGroup(
        column,
        tuple(_with_holm(found)),
        tuple(_gaps(sure, resamples, signed=False)),
        shared_patients(one.patients, groups),
    )


Pair = Callable[[Array], Mapping[str, tuple[Estimate, Estimate]]]


def _pair(metric: Metric, one: Answers, other: Answers) -> Pair:
    equal = equal_weights(one.cells)

    def made(weights: Array) -> dict[str, tuple[Estimate, Estimate]]:
        found = []
        for answers in (one, other):
            of = answers.predictions, answers.truth, answers.patients
            cells = cells_of(metric, *of, _by_column(answers), weights)
            mean = weighted([cells[cell] for cell in equal], list(equal.values()))
            found.append({metric.clean: cells[CLEAN], metric.robust("mean"): mean})
        return {name: (found[0][name], found[1][name]) for name in found[0]}

    return made


def _subtracted(pair: Pair) -> Made:
    return lambda weights: {name: one - other for name, (one, other) in pair(weights).items()}


def _difference(one: Estimate, other: Estimate, basis: Basis) -> Difference:
    missing = is_missing(one.value) or is_missing(other.value)
    reason = "a cell of the group has no value" if missing else basis.reason
    return Difference(one.value, other.value, one - other, reason)


def _with_holm(found: Sequence[GroupDifference]) -> list[GroupDifference]:
    names = dict.fromkeys(name for one in found for name in one.differences)
    tested = {
        name: {one.group: one.differences[name].p for one in found if name in one.differences}
        for name in names
    }
    adjusted = {
        name: dict(zip(p, holm(list(p.values())), strict=True)) for name, p in tested.items()
    }
    return [
        replace(one, p_adjusted={name: adjusted[name][one.group] for name in one.differences})
        for one in found
    ]


@dataclass(frozen=True)
class _Group:
    """What is estimated of one group's patients.

    Attributes:
        name: The group.
        patients: (N,) the patient of each of its slices.
        made: Makes the estimates.
        resamples: Of the patients.

    """

    name: str
    patients: Sequence[str]
    made: Made
    resamples: int

    @cached_property
    def members(self) -> NDArray[np.str_]:
        """(P,) its patients, in the order of their names."""
        return np.unique(np.asarray(self.patients))

    @cached_property
    def estimates(self) -> Mapping[str, Estimate]:
        """Of the group by itself."""
        return self.made(resampled_patients(len(self.members), self.resamples))

    def is_sure(self, score: str) -> bool:
        """Whether it is known how sure a score is: it is there, and some patient moves it."""
        of = interval(self.estimates[score])
        return of.low < of.high


def _gaps(sure: Sequence[_Group], resamples: int, signed: bool = True) -> list[Gap]:
    """Of every score the two groups that are the farthest apart.

    Args:
        sure: The groups that have an interval.
        resamples: Of the patients.
        signed: Whether more or less of a score is better; of a difference of two models the
            greatest counts as the best.

    """
    known: dict[tuple[str, str], Mapping[str, Estimate]] = {}
    found = []
    for score in sure[0].estimates if sure else ():
        with_it = [one for one in sure if one.is_sure(score)]
        pairs = len(with_it) * (len(with_it) - 1) // 2
        if not pairs:
            continue
        up = sign(score) if signed else 1
        order = sorted(with_it, key=lambda one: (-up * one.estimates[score].value, one.name))
        best, worst = order[0], order[-1]
        pair = best.name, worst.name
        if pair not in known:
            known[pair] = apart(best, worst, resamples)
        between = interval(known[pair][score], 1 - (1 - COVERAGE) / pairs)
        found.append(
            Gap(
                score,
                *pair,
                known[pair][score].value,
                (between.low, between.high),
                pairs,
            )
        )
    return found


def apart(one: _Group, other: _Group, resamples: int) -> dict[str, Estimate]:
    """The values of a group less those of another, as estimates.

    The influence of a patient is scaled so that the standard error of what is in one group alone
    is that of the group by itself.
    """
    everyone = np.union1d(one.members, other.members)
    places = [np.searchsorted(everyone, of.members) for of in (one, other)]
    inside = [np.isin(everyone, of.members) for of in (one, other)]
    weights = np.empty((resamples, len(everyone)))
    strata = (inside[0] & ~inside[1], inside[1] & ~inside[0], inside[0] & inside[1])
    for number, members in enumerate(strata):
        if members.any():
            weights[:, members] = resampled_patients(int(members.sum()), resamples, number)
    found = [of.made(weights[:, at]) for of, at in zip((one, other), places, strict=True)]
    return {
        name: Estimate(
            found[0][name].value - found[1][name].value,
            found[0][name].draws - found[1][name].draws,
            _spread(found[0][name], places[0], len(everyone))
            - _spread(found[1][name], places[1], len(everyone)),
        )
        for name in found[0]
    }


def _spread(estimate: Estimate, places: NDArray[np.intp], everyone: int) -> Array:
    """The influence of a group's patients among those of two groups; of others it is 0."""
    own, found = len(places), np.zeros(everyone)
    if own > 1:
        scale = own / (own - 1) * (everyone - 1) / everyone
        found[places] = np.sqrt(scale) * estimate.influence
    return found

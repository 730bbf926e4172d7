"""Ranked trials with their scores in groups of slices, of the predictions that a folder keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sweep.core.errors import UserError
from sweep.core.finals import TEST, VALIDATION
from sweep.core.records import Basis, is_screened
from sweep.core.saying import said_if_long
from sweep.core.text import number_of
from sweep.metrics import Metric
from sweep.results.answers import best_trial, of_finalist, of_row, of_trial
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Ranked
from sweep.results.slice_columns import column_of, values_at
from sweep.results.trainings import Trainings, trainings_at
from sweep.stats.by_group import ByGroup
from sweep.stats.difference import Answers
from sweep.stats.grouping import Grouping
from sweep.stats.groups import basis_in, part_of, scores_by_group, shared_patients
from sweep.store.bound import open_bound


@dataclass(frozen=True)
class Dealt:
    """The group of each slice of some answers.

    Attributes:
        column: The column whose values are the groups.
        groups: (N,) that of each slice.
        order: The groups that there are, in the order in which they are shown.

    """

    column: str
    groups: list[str]
    order: list[str]

    @classmethod
    def of(cls, grouping: Grouping, known: Mapping[str, str], keys: Sequence[str]) -> "Dealt":
        """Deal slices.

        Args:
            grouping: How.
            known: What the column says, by the name of the slice.
            keys: (N,) names of the slices.

        Raises:
            UserError: See ``Grouping.of``.
            WorkError: Nothing is known of a slice.

        """
        groups = grouping.of(values_at(known, keys, grouping.column))
        return cls(grouping.column, groups, grouping.ordered(groups))

    def part(self, keys: Sequence[str], group: str) -> Callable[[Answers], Answers]:
        """What takes the answers to the slices of one group, in whatever order they come.

        Args:
            keys: (N,) names of the slices that were dealt.
            group: Which.

        """
        inside = {key for key, of in zip(keys, self.groups, strict=True) if of == group}

        def taken(answers: Answers) -> Answers:
            return part_of(answers, np.flatnonzero([key in inside for key in answers.keys]))

        return taken

    def scores(self, metric: Metric, answers: Answers, least: int | None) -> ByGroup:
        """What a checkpoint scores in each group; see ``scores_by_group``."""
        return scores_by_group(metric, answers, self.groups, self.order, self.column, least)


def column_at(folder: SweepFolder, place: str, column: str) -> dict[str, str]:
    """What a column says of each slice of a place where trainings are asked.

    Args:
        folder: The sweep.
        place: ``validation``, ``test``, or the name of an external store, which says it by itself.
        column: Its name.

    Raises:
        UserError: No such column, or the external store cannot be asked.
        WorkError: The table of slices is damaged.

    """
    plan = FinalistFolder(folder).plan()
    there = next((one for one in (plan.places if plan else ()) if one.name == place), None)
    if place in (VALIDATION, TEST) or there is None:
        return column_of(folder.path, column)
    store = open_bound(there.store, there.fingerprint)
    return dict(zip(store.keys.tolist(), store.column(column).tolist(), strict=True))


def asked_at(folder: SweepFolder, place: str) -> Answers:
    """The answers of one of the trainings that were asked at a place: all got the same slices.

    Raises:
        UserError: Nobody was asked there, or the predictions were not kept.
        WorkError: They are damaged.

    """
    finalists = FinalistFolder(folder)
    for record in finalists.records():
        if place in record.metrics:
            return of_finalist(finalists, record, place, record.epochs[0])
    return of_trial(folder, best_trial(folder))


class GroupTrainings(NamedTuple):
    """The trainings of a place on the slices of one group.

    Attributes:
        group: Its name.
        slices: How many it has.
        basis: Its patients; why there is no interval, or nothing at all.
        found: The trainings; None: too few patients.

    """

    group: str
    slices: int
    basis: Basis
    found: Trainings | None


class TrainingsByGroup(NamedTuple):
    """The trainings of a place in every group.

    Attributes:
        grouping: Which groups.
        groups: Each, in their order.
        shared: How many patients have slices in several.

    """

    grouping: Grouping
    groups: list[GroupTrainings]
    shared: int


def by_group(
    folder: SweepFolder, metric: Metric, place: str, grouping: Grouping, least: int | None = None
) -> TrainingsByGroup:
    """The trainings that are compared at a place, on the slices of each group alone.

    Args:
        folder: The sweep.
        metric: Of whose scores there are estimates.
        place: See ``sweep.results.trainings.trainings_at``.
        grouping: Which groups.
        least: See ``with_groups``.

    Raises:
        UserError: See ``trainings_at``, ``column_at`` and ``Grouping.of``.
        WorkError: Predictions or the table of slices are damaged.

    """
    whole = asked_at(folder, place)
    dealt = Dealt.of(grouping, column_at(folder, place, grouping.column), whole.keys)
    found = []
    for group in dealt.order:
        part = dealt.part(whole.keys, group)
        own = part(whole)
        basis, enough = basis_in(own, least)
        there = trainings_at(folder, metric, place, part) if enough else None
        found.append(GroupTrainings(group, len(own.keys), basis, there))
    return TrainingsByGroup(grouping, found, shared_patients(whole.patients, dealt.groups))


def with_groups(
    rows: Sequence[Ranked], grouping: Grouping, metric: Metric, least: int | None = None
) -> list[Ranked]:
    """The rows, each with its scores by group.

    Args:
        rows: Of sweeps' folders on this machine.
        grouping: Which groups.
        metric: By which.
        least: So many patients have to show each label, and as many not, for a score of a group;
            None: as many as an interval takes.

    Raises:
        UserError: No such column, or one that makes no groups.
        WorkError: Predictions or the table of slices are damaged.

    """
    known = cache(lambda folder: column_of(Path(folder), grouping.column))
    for folder in {row.folder for row in rows}:
        grouping.of(list(known(folder).values()))  # what makes no groups is said first
    with said_if_long(f"scoring {number_of(len(rows), 'row')} by {grouping.column}"):
        return [
            replace(row, groups=_of_row(row, grouping, known(row.folder), metric, least))
            for row in rows
        ]


def _of_row(
    row: Ranked, grouping: Grouping, known: Mapping[str, str], metric: Metric, least: int | None
) -> ByGroup:
    if is_screened(row.metrics):
        return ByGroup(grouping.column, reason="it was scored on a part of the patients alone")
    try:
        answers = of_row(row)
    except UserError as error:  # they were not kept
        return ByGroup(grouping.column, reason=f"its predictions are not there: {error.args[1]}")
    return Dealt.of(grouping, known, answers.keys).scores(metric, answers, least)

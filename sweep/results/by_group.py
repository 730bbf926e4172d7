"""Ranked trials with their scores in groups of slices, of the predictions that a folder keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sweep.core.errors import UserError
from sweep.core.records import is_screened
from sweep.core.saying import said_if_long
from sweep.core.text import number_of
from sweep.metrics import Metric
from sweep.results.answers import of_row
from sweep.results.ranking import Ranked
from sweep.results.slice_columns import column_of, values_at
from sweep.stats.by_group import ByGroup
from sweep.stats.difference import Answers
from sweep.stats.grouping import Grouping
from sweep.stats.groups import scores_by_group


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

    def scores(self, metric: Metric, answers: Answers, least: int | None) -> ByGroup:
        """What a checkpoint scores in each group; see ``scores_by_group``."""
        return scores_by_group(metric, answers, self.groups, self.order, self.column, least)


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

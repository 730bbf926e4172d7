"""What a checkpoint scores in groups of slices, such as those of each site, as plain values.

A group is the slices that have one value in a column of the store.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sweep.core.records import Basis, null_if_missing


class Gap(NamedTuple):
    """The greatest difference between two groups by one score.

    Attributes:
        score: Its name, such as ``clean/auroc``.
        best: The group that scores best.
        worst: The group that scores worst.
        difference: The value of the best less that of the worst.
        interval: So wide that the intervals of all pairs of groups hold together with 95 %, as the
            pair was chosen by its difference; NaN where there is none.
        pairs: How many pairs there are among the groups whose score has an interval.

    """

    score: str
    best: str
    worst: str
    difference: float
    interval: tuple[float, float]
    pairs: int


@dataclass(frozen=True)
class GroupScores:
    """What a checkpoint scores on the slices of one group alone.

    Attributes:
        group: Its name, see ``sweep.stats.grouping``.
        slices: How many it has.
        basis: Its patients; why there is no interval, or no score.
        metrics: Scores by name; a missing one is absent.
        intervals: 95 %, bootstrap over the patients of the group.

    """

    group: str
    slices: int
    basis: Basis
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class ByGroup:
    """What a checkpoint scores in every group.

    Attributes:
        column: The column whose values are the groups.
        scores: Of each group, in their order.
        gaps: By score; none where fewer than two groups have an interval.
        shared: How many patients have slices in several groups.
        reason: Why there is nothing of this checkpoint; None where there is.

    """

    column: str
    scores: tuple[GroupScores, ...] = ()
    gaps: tuple[Gap, ...] = ()
    shared: int = 0
    reason: str | None = None


def scores_in(found: ByGroup) -> list[str]:
    """The scores that any group has, in their order."""
    return list(dict.fromkeys(name for one in found.scores for name in one.metrics))


def plain(found: ByGroup) -> dict[str, Any]:
    """As JSON has it; a missing value is null."""
    return {
        "column": found.column,
        "reason": found.reason,
        "patients_in_several": found.shared,
        "scores": [
            {
                "group": one.group,
                "slices": one.slices,
                "patients": one.basis.patients,
                "positive_patients": one.basis.positive,
                "metrics": {name: one.metrics.get(name) for name in scores_in(found)},
                "intervals": one.intervals,
                "df": one.basis.df,
                "reason": one.basis.reason,
            }
            for one in found.scores
        ],
        "gaps": [plain_gap(gap) for gap in found.gaps],
    }


def plain_gap(gap: Gap) -> dict[str, Any]:
    """As JSON has it; a missing value is null."""
    return {**gap._asdict(), "interval": [null_if_missing(end) for end in gap.interval]}

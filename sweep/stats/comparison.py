"""What comparing two trials, modes, norms or sweeps found, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.core.records import Basis
from sweep.stats.by_group import Gap
from sweep.stats.effects import NormEffects


@dataclass(frozen=True)
class Compared:
    """One difference, the first less the second.

    Attributes:
        score: What is compared, such as ``robust/auroc_mean``; of a cell, ``stress/...``.
        artifact: Of a cell or a mean over levels; empty: of all.
        level: Of a cell or a mean over artifacts; 0: of all, or the clean images.
        first: The first's value.
        second: The second's.
        difference: Theirs.
        interval: 95 %; NaN where there is none.
        df: Degrees of freedom.
        p: Two-sided; of a cell, that of the cell alone.
        p_adjusted: Of a cell, for all cells together; else as ``p``.
        reason: Why there is no interval; None where there is.

    """

    score: str
    artifact: str
    level: int
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    df: float
    p: float
    p_adjusted: float
    reason: str | None = None


@dataclass(frozen=True)
class GroupCompared:
    """What was compared on the slices of one group, such as those of a site.

    Attributes:
        group: Its name.
        slices: How many it has.
        basis: Its patients; why there is no interval, or nothing at all.
        scores: Clean, and the mean over cells; P adjusted is for all groups. None: too few
            patients.

    """

    group: str
    slices: int
    basis: Basis
    scores: tuple[Compared, ...]


@dataclass(frozen=True)
class ComparedByGroup:
    """What was compared in every group.

    Attributes:
        column: The column whose values are the groups.
        groups: Each, in their order.
        gaps: By score, the two groups whose differences are the farthest apart; of norms none.
        shared: How many patients have slices in several groups.

    """

    column: str
    groups: tuple[GroupCompared, ...]
    gaps: tuple[Gap, ...] = ()
    shared: int = 0


@dataclass(frozen=True)
class Comparison:
    """What comparing two of them found.

    Attributes:
        a: The first.
        b: The second.
        unit: ``patients``: two trained networks on the same patients; ``configurations``: norms,
            with configurations and seeds as the units.
        place: Where: ``validation``, ``test``, or the name of an external store.
        basis: The patients.
        primary: The mean over cells, every artifact with the same weight.
        summaries: Clean, CVaR over fixed cells, held-out artifacts, by artifact and by level.
        cells: Every cell.
        effects: Of norms, by score: all that is said of them.
        notes: What a reader has to know.
        groups: The same in groups of slices; None: that was not asked.

    """

    a: str
    b: str
    unit: str
    place: str
    basis: Basis
    primary: Compared
    summaries: tuple[Compared, ...]
    cells: tuple[Compared, ...]
    effects: Mapping[str, NormEffects] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    groups: ComparedByGroup | None = None

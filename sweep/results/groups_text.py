"""Scores by group for people: a line for each group of a checkpoint, and how far they are apart."""

from collections.abc import Iterator, Mapping, Sequence

from sweep.core.records import is_missing
from sweep.core.text import MISSING, fitted_table, listed, number_of, wrapped
from sweep.metrics import Metric
from sweep.results.render import meanings
from sweep.stats.by_group import ByGroup, Gap, GroupScores

SHOWN = ("mean", "cvar")  # summaries over the stressed cells that have a column


def scores_text(
    found: Mapping[str, ByGroup], metric: Metric, head: str, width: int | None = None
) -> str:
    """Scores by group, and the gaps between groups.

    Args:
        found: By the name of a checkpoint, such as that of its trial; all by one column.
        metric: The metric.
        head: What heads the column of these names; empty: there is one, and no such column.
        width: Characters in a line; None: any number.

    """
    column = next(iter(found.values())).column
    names = [metric.clean, *map(metric.robust, SHOWN)]
    rows = [
        [*([name] if head else []), *_row(one, names)]
        for name, by_group in found.items()
        for one in by_group.scores
    ]
    first = [head] if head else []
    parts = []
    if rows:
        header = [*first, column, "patients", "slices", *names]
        parts.append(fitted_table(header, rows, ("slices", names[1], "patients"), width))
    gaps = [
        [*([name] if head else []), gap.score, gap.best, gap.worst, _gap(gap)]
        for name, by_group in found.items()
        for gap in by_group.gaps
        if gap.score in names
    ]
    if gaps:
        header = [*first, "score", "best", "worst", "gap"]
        parts.append(fitted_table(header, gaps, (), width))
    about = _about(found, metric, names if rows else (), gaps=bool(gaps))
    return "\n\n".join([*parts, *(wrapped(line, width) for line in about)])


def _row(one: GroupScores, names: Sequence[str]) -> list[str]:
    values = (_number(one, name) for name in names)
    return [one.group, str(one.basis.patients), str(one.slices), *values]


def _number(one: GroupScores, name: str) -> str:
    if name not in one.metrics:
        return MISSING
    value = f"{one.metrics[name]:.3f}"
    if name not in one.intervals:
        return value
    low, high = one.intervals[name]
    return f"{value} [{low:.3f}, {high:.3f}]"


def _gap(gap: Gap) -> str:
    low, high = gap.interval
    value = f"{gap.difference:+.3f}"
    return value if is_missing(low) else f"{value} [{low:+.3f}, {high:+.3f}]"


def _about(
    found: Mapping[str, ByGroup], metric: Metric, names: Sequence[str], *, gaps: bool
) -> Iterator[str]:
    column = next(iter(found.values())).column
    if names:
        parts = ["a line is scored on the slices of one group alone", *meanings(names)]
        yield f"how to read it: {'; '.join(parts)}."
        bracketed = any(one.intervals for of in found.values() for one in of.scores)
        if bracketed:
            yield "brackets: 95 % intervals over the patients of the group, of this one training."
        yield (
            "CVaR takes the worst cells of the very patients that it is of, and lies the lower the "
            "fewer these are: groups of unequal size are compared by clean and mean."
        )
    scores = [of.scores for of in found.values()]
    yield from _lacking(column, scores, names, has_interval=metric.has_interval)
    for reason, trials in _by_reason(found).items():
        yield f"no scores of {listed(trials)}: {reason}."
    if gaps:
        pairs = max(gap.pairs for of in found.values() for gap in of.gaps)
        yield about_gap(pairs)
    if shared := max(of.shared for of in found.values()):
        yield f"{number_of(shared, 'patient')} {_have(shared)} slices in several groups."


def about_gap(pairs: int) -> str:
    """What a gap is, and what its interval holds for."""
    chosen = (
        f"its brackets hold for all {pairs} pairs together with 95 %, as the pair was chosen by "
        "its difference"
        if pairs > 1
        else "its brackets are a 95 % interval"
    )
    return (
        f"gap: the best less the worst group by a score, which chance alone makes greater than "
        f"0; {chosen}. Groups are looked at beside what is ranked or was stated before, and "
        "differ in more than what the column says."
    )


def _lacking(
    column: str, found: Sequence[Sequence[GroupScores]], names: Sequence[str], *, has_interval: bool
) -> Iterator[str]:
    """Why groups have no score, or one without an interval.

    Args:
        column: The column.
        found: The groups of each checkpoint.
        names: The scores that are shown.
        has_interval: Whether the metric has one.

    """
    none: dict[str, str] = {}
    unsure: dict[str, str] = {}
    unscored: dict[str, None] = {}
    unmoved: dict[str, None] = {}
    for one in (one for scores in found for one in scores):
        if one.basis.reason:
            (unsure if one.metrics else none)[one.group] = one.basis.reason
        elif not one.metrics.keys() >= set(names):
            unscored[one.group] = None
        if (
            not one.basis.reason
            and has_interval
            and one.metrics.keys() & set(names) - one.intervals.keys()
        ):
            unmoved[one.group] = None
    for group, reason in none.items():
        yield f"{MISSING} for {column} {group}: {reason}."
    for group, reason in unsure.items():
        yield f"no brackets for {column} {group}: {reason}."
    if unscored:
        yield f"{MISSING} for {column} {listed(list(unscored))}: a cell of it has no value."
    if unmoved:
        yield (
            f"no brackets for a score of {column} {listed(list(unmoved))}: no patient moves it, "
            "such as one that is perfect, and how sure it is cannot be told."
        )
    if not has_interval:
        yield "no brackets: this metric has no interval."


def _by_reason(found: Mapping[str, ByGroup]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, by_group in found.items():
        if by_group.reason is not None:
            reasons.setdefault(by_group.reason, []).append(name)
    return reasons


def _have(count: int) -> str:
    return "has" if count == 1 else "have"

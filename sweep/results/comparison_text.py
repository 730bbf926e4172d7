"""A comparison for people, as JSON, and as a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sweep.core.records import is_missing, null_if_missing
from sweep.core.text import MISSING, fitted_table, number_of, wrapped
from sweep.results import tables
from sweep.results.render import thin_text
from sweep.stats.by_group import plain_gap
from sweep.stats.comparison import Compared, ComparedByGroup, Comparison
from sweep.stats.effects import NormEffects

UNITS = {
    "patients": "two trained networks on the same patients",
    "configurations": "norms; configurations, seeds and patients are the units",
}
AFTER = ("difference", "95 %", "df", "P", "P adjusted")  # the columns behind the two values


def as_text(found: Comparison, width: int | None = None) -> str:
    """The comparison in words and tables.

    Args:
        found: The comparison.
        width: Characters in a line; None: any number. Columns that have no room are left out.

    """
    basis = found.basis
    shown = ", ".join(f"{label} {count}" for label, count in basis.positive.items())
    head = [
        f"{found.a} less {found.b}: {UNITS[found.unit]}, at {found.place}",
        f"{number_of(basis.patients, 'patient')}, of whom show a label: {shown}{thin_text(basis)}",
    ]
    header = ["", found.a, found.b, *AFTER]

    def of(rows: Sequence[Compared]) -> str:
        return fitted_table(
            header, [_row(one) for one in rows], ("df", "P", found.b, found.a), width
        )

    parts = ["\n".join(wrapped(line, width) for line in head)]
    parts.append(of((found.primary, *found.summaries)))
    if found.effects:
        parts.append(_about_norms(found.effects[found.primary.score], found, width))
    if found.cells:
        parts.append(of(found.cells))
    if found.groups:
        parts += _groups_parts(found, found.groups, width)
    adjusted = (
        "max-T over the cells"
        if found.unit == "patients"
        else "Holm, of a score over all pairs compared, of a cell over the cells of this pair"
    )
    adjusted = f"P adjusted: {adjusted}; a mean over cells counts every artifact the same."
    parts += [wrapped(said, width) for said in (adjusted, *(f"note: {one}" for one in found.notes))]
    return "\n\n".join(parts)


def as_json(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it; a missing value is null."""
    primary = found.primary
    return {
        "a": found.a,
        "b": found.b,
        "unit": found.unit,
        "place": found.place,
        "patients": found.basis.patients,
        "positive_patients": found.basis.positive,
        "patients_of_one_slice": found.basis.thin,
        "primary": {
            "metric": primary.score,
            "difference": null_if_missing(primary.difference),
            "interval": [null_if_missing(end) for end in primary.interval],
            "p": null_if_missing(primary.p),
            "patients": found.basis.patients,
            "df": null_if_missing(primary.df),
            "reason": primary.reason,
        },
        "summaries": [_plain(one) for one in found.summaries],
        "cells": [_plain(one) for one in found.cells],
        "norms": {name: effects_plain(one) for name, one in found.effects.items()},
        "notes": list(found.notes),
        "groups": found.groups and _groups_plain(found.groups),
    }


def _groups_plain(found: ComparedByGroup) -> dict[str, Any]:
    return {
        "column": found.column,
        "patients_in_several": found.shared,
        "groups": [
            {
                "group": one.group,
                "slices": one.slices,
                "patients": one.basis.patients,
                "positive_patients": one.basis.positive,
                "reason": one.basis.reason,
                "scores": [_plain(score) for score in one.scores],
            }
            for one in found.groups
        ],
        "gaps": [plain_gap(gap) for gap in found.gaps],
    }


def effects_plain(effects: NormEffects) -> dict[str, Any]:
    """What is said of norms or arms as JSON has it; a missing value is null."""

    def ends(pair: Sequence[float]) -> list[float | None]:
        return [null_if_missing(end) for end in pair]

    return {
        "margin": effects.margin,
        "unit": effects.unit,
        "p_alike": null_if_missing(effects.alike.p) if effects.alike else None,
        "means": [
            {
                "norm": one.norm,
                "mean": null_if_missing(one.mean),
                "configurations": one.configs,
                "runs": one.runs,
                "sd_configurations": null_if_missing(one.sd_configs),
                "sd_seeds": null_if_missing(one.sd_seeds),
                "interval": ends(one.interval),
            }
            for one in effects.norms
        ],
        "differences": [
            {
                "first": one.first,
                "second": one.second,
                "difference": null_if_missing(one.difference),
                "interval": ends(one.interval),
                "interval_90": ends(one.narrow),
                "df": null_if_missing(one.df),
                "p": null_if_missing(one.p),
                "p_holm": null_if_missing(one.p_holm),
                "p_permuted": null_if_missing(one.p_permuted),
                "p_least": null_if_missing(one.p_least),
                "interval_same_patients": ends(one.same_patients),
                "p_same_patients": null_if_missing(one.p_same_patients),
                "verdict": one.verdict,
                "sentence": one.sentence,
            }
            for one in effects.differences
        ],
        "notes": list(effects.notes),
    }


def write_comparison(path: Path, found: Comparison) -> None:
    """A table, CSV or Parquet by its name: the primary difference, each summary, each cell.

    Where groups were asked for, the scores of each follow, with its name in a column ``group``.
    """
    rows = [_plain(one) for one in (found.primary, *found.summaries, *found.cells)]
    if found.groups:
        of = found.groups
        rows = [{"group": None, **row} for row in rows] + [
            {"group": f"{of.column}={one.group}", **_plain(score)}
            for one in of.groups
            for score in one.scores
        ]
    flat = [
        {"a": found.a, "b": found.b, "place": found.place, **row, "low": row["interval"][0]}
        | {"high": row["interval"][1]}
        for row in rows
    ]
    tables.write_rows(path, [{k: v for k, v in row.items() if k != "interval"} for row in flat])


def _row(one: Compared) -> list[str]:
    where = " ".join(filter(None, [one.artifact, f"level {one.level}" if one.level else ""]))
    name = one.score if not one.score.startswith("stress/") else ""
    low, high = one.interval
    between = MISSING if is_missing(low) else f"[{low:+.3f}, {high:+.3f}]"
    return [
        " ".join(filter(None, [name, where])),
        _number(one.first),
        _number(one.second),
        _number(one.difference, "+.3f"),
        between,
        _number(one.df, ".0f"),
        _p(one.p),
        _p(one.p_adjusted),
    ]


def _groups_parts(found: Comparison, of: ComparedByGroup, width: int | None) -> Iterator[str]:
    """The comparison in each group, and what is to be known of it, a paragraph each."""
    header = [of.column, "patients", "score", found.a, found.b, *AFTER]
    rows = []
    for one in of.groups:
        about = [one.group, str(one.basis.patients)]
        rows += [[*about, *_row(score)] for score in one.scores]
        rows += [] if one.scores else [[*about, *[MISSING] * (len(header) - len(about))]]
    yield fitted_table(header, rows, ("df", "P", found.b, found.a, "patients"), width)
    lines = list(_about_groups(of))
    yield "\n".join(wrapped(line, width) for line in lines)


def _about_groups(of: ComparedByGroup) -> Iterator[str]:
    yield (
        f"by {of.column}: looked at beside the comparison above, which counts; P adjusted is for "
        "all groups, after Holm, of each score by itself. A difference that is found in one group "
        "and not in another is no difference between the groups."
    )
    for one in of.groups:
        if one.basis.reason:
            lacks = "no interval and no P" if one.scores else f"{MISSING}"
            yield f"{lacks} for {of.column} {one.group}: {one.basis.reason}."
    for gap in of.gaps:
        low, high = gap.interval
        between = "" if is_missing(low) else f" [{low:+.3f}, {high:+.3f}]"
        yield (
            f"gap of {gap.score}: the difference in {gap.best} less that in {gap.worst} is "
            f"{gap.difference:+.3f}{between}, the greatest of "
            f"{number_of(gap.pairs, 'pair')}, for all of which the brackets hold together."
        )
    if of.shared:
        yield f"{number_of(of.shared, 'patient')} with slices in several groups."


def _about_norms(effects: NormEffects, found: Comparison, width: int | None) -> str:
    score = found.primary.score
    header = ["norm", score, "configurations", "runs", "SD between them", "SD of seeds", "95 %"]
    body = [
        [
            one.norm,
            _number(one.mean),
            str(one.configs),
            str(one.runs),
            _number(one.sd_configs),
            _number(one.sd_seeds),
            MISSING
            if is_missing(one.interval[0])
            else f"[{one.interval[0]:.3f}, {one.interval[1]:.3f}]",
        ]
        for one in effects.norms
    ]
    needless = ("SD of seeds", "SD between them", "runs", "configurations")
    verdicts = (wrapped(said, width) for said in _verdicts(effects, found))
    return "\n".join([fitted_table(header, body, needless, width), *verdicts])


def _verdicts(effects: NormEffects, found: Comparison) -> Iterator[str]:
    """The verdict on the pair that was asked for; the others stand in JSON."""
    for one in effects.differences:
        if {one.first, one.second} != {found.a, found.b}:
            continue
        least = f" (at least {one.p_least:.3f} with so few)" if one.p_least > 0.05 else ""
        yield (
            f"{one.sentence} Margin {effects.margin:g}; P {_p(one.p)}, {_p(one.p_holm)} for all "
            f"norms; on these very patients {_p(one.p_same_patients)}, by exchanging "
            f"{effects.unit}s {_p(one.p_permuted)}{least}"
        )


def _plain(one: Compared) -> dict[str, Any]:
    return {
        "score": one.score,
        "artifact": one.artifact or None,
        "level": one.level or None,
        "first": null_if_missing(one.first),
        "second": null_if_missing(one.second),
        "difference": null_if_missing(one.difference),
        "interval": [null_if_missing(end) for end in one.interval],
        "df": null_if_missing(one.df),
        "p": null_if_missing(one.p),
        "p_adjusted": null_if_missing(one.p_adjusted),
        "reason": one.reason,
    }


def _number(value: float, form: str = ".3f") -> str:
    return MISSING if is_missing(value) else format(value, form)


def _p(value: float) -> str:
    if is_missing(value):
        return MISSING
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")

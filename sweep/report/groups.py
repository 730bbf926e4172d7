"""The sections on groups of slices: what each norm or arm scores at every site, and the like."""

from collections.abc import Iterator
from typing import Any

from sweep.core.records import is_missing, null_if_missing
from sweep.core.text import number_of
from sweep.report.document import Block, Figure, Section, Table, Text
from sweep.report.drawing import FAINT, by_group
from sweep.report.evidence import Evidence
from sweep.report.numbers import NONE, between, inside, listed, value
from sweep.results.by_group import GroupTrainings, TrainingsByGroup
from sweep.stats.checkpoint import LEAST
from sweep.stats.effects import NormMean
from sweep.stats.grouping import Grouping


def group_sections(evidence: Evidence) -> list[Section]:
    """A section for each column whose values are groups."""
    return [_section(evidence, column, found) for column, found in evidence.by_column.items()]


def _section(evidence: Evidence, column: str, found: TrainingsByGroup) -> Section:
    data = list(_rows(evidence, column, found))
    blocks: list[Block] = [_about(evidence, found.grouping), _table(evidence, column, found, data)]
    if any(not is_missing(row["mean"] or float("nan")) for row in data):
        blocks.append(_figure(evidence, column, data))
    if lines := list(_small(column, found)):
        blocks.append(Text(tuple(lines), is_list=True))
    return Section(f"by-{column}", f"By {column}", blocks)


def _about(evidence: Evidence, grouping: Grouping) -> Text:
    names, column = evidence.groups, grouping.column
    pair = f"{names[0]} {names[1]}" if len(names) > 1 else "A B"
    bands = f" --bands {','.join(f'{one:g}' for one in grouping.bands)}" if grouping.bands else ""
    command = f"mrisweep compare {evidence.folder.path} {pair} --groups {column}{bands}"
    return Text(
        (
            f"The slices of each group by `{column}` are scored by themselves at "
            f"{evidence.first.place}, with patients, seeds and configurations drawn as above. This "
            "is looked at beside the comparison that was stated, and describes: no test is made "
            "here, groups have few patients, and they differ in more than what the column says. "
            f"`{command}` tests one pair in every group, for all groups together.",
        )
    )


def _scores(evidence: Evidence) -> tuple[str, str]:
    return evidence.metric.clean, evidence.metric.robust("mean")


def _means(evidence: Evidence, own: GroupTrainings) -> dict[str, dict[str, NormMean]]:
    """By score, of each norm or arm that has one."""
    if own.found is None:
        return {}
    said = evidence.said_of(own.found)
    return {score: {one.norm: one for one in said[score].norms} for score in _scores(evidence)}


def _rows(evidence: Evidence, column: str, found: TrainingsByGroup) -> Iterator[dict[str, Any]]:
    for own in found.groups:
        means = _means(evidence, own)
        for group in evidence.groups:
            for score in _scores(evidence):
                one = means.get(score, {}).get(group)
                low, high = inside(one.interval) if one else (float("nan"), float("nan"))
                yield {
                    column: own.group,
                    "patients": own.basis.patients,
                    "slices": own.slices,
                    evidence.kind: group,
                    "score": score,
                    "mean": null_if_missing(one.mean) if one else None,
                    "low": null_if_missing(low),
                    "high": null_if_missing(high),
                }


def _table(
    evidence: Evidence, column: str, found: TrainingsByGroup, data: list[dict[str, Any]]
) -> Table:
    scores = _scores(evidence)
    header = [column, "patients", "slices", evidence.kind, *(f"{name} (95 %)" for name in scores)]
    known = {(row[column], row[evidence.kind], row["score"]): row for row in data}
    rows = []
    for own in found.groups:
        for group in evidence.groups:
            cells = [_cell(known[own.group, group, score]) for score in scores]
            rows.append([own.group, str(own.basis.patients), str(own.slices), group, *cells])
    return Table(
        f"by-{column}",
        f"Scores by {column} at {evidence.first.place}, the mean over trainings of each "
        f"{evidence.kind}",
        header,
        rows,
        data,
    )


def _cell(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return NONE
    low = float("nan") if row["low"] is None else row["low"]
    return f"{value(row['mean'])} ({between((low, row['high']))})"


def _small(column: str, found: TrainingsByGroup) -> Iterator[str]:
    for own in found.groups:
        if own.found is None:
            yield f"{own.group} has no score: {own.basis.reason}."
        elif any(count < 2 * LEAST for count in own.basis.positive.values()):
            few = [f"{label} ({count})" for label, count in own.basis.positive.items()]
            yield (
                f"{own.group}: patients who show {listed(few)}; an interval over so few is wide, "
                "and one of extreme scores too narrow."
            )
    if found.shared:
        yield f"{number_of(found.shared, 'patient')} with slices in several groups."


def _figure(evidence: Evidence, column: str, data: list[dict[str, Any]]) -> Figure:
    colour, shape = by_group(evidence.groups)
    y = {"field": evidence.kind, "type": "nominal", "sort": list(evidence.groups), "title": None}
    paint = {"field": evidence.kind, "type": "nominal", "scale": colour, "legend": None}
    x = {
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False},
        "axis": {"tickCount": 4},
    }
    groups = list(dict.fromkeys(row[column] for row in data))
    rows = [{"slices of": row[column], **row} for row in data]
    spec = {
        "data": {"name": "rows"},
        "facet": {
            "row": {
                "field": "slices of",
                "type": "nominal",
                "sort": groups,
                "title": None,
                "header": {"labelAngle": 0, "labelAlign": "left", "labelLimit": 140},
            },
            "column": {
                "field": "score",
                "type": "nominal",
                "sort": list(_scores(evidence)),
                "title": None,
                "header": {"labelFontWeight": "bold"},
            },
        },
        "spacing": {"row": 6, "column": 16},
        "spec": {
            "width": 250,
            "height": {"step": 18},
            "layer": [
                {
                    "mark": {"type": "rule", "size": 2, "color": FAINT},
                    "encoding": {
                        "y": y,
                        "x": {**x, "field": "low"},
                        "x2": {"field": "high"},
                        "color": paint,
                    },
                },
                {
                    "mark": {"type": "point", "size": 50, "filled": True, "opacity": 1},
                    "encoding": {
                        "y": y,
                        "x": {**x, "field": "mean"},
                        "color": paint,
                        "shape": {**paint, "scale": shape},
                    },
                },
            ],
        },
        "resolve": {"scale": {"x": "shared"}},
    }
    return Figure(
        f"by-{column}",
        f"Each {evidence.kind} by {column}, {evidence.first.place}",
        "The mean over trainings and its 95 % interval, of the slices of each group alone. A group "
        "without a point has too few patients. All panels have one scale.",
        spec,
        rows,
    )

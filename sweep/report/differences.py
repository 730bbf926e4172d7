"""The section on differences: between norms or arms, over all cells and in each."""

from typing import Any

from sweep.core.records import is_missing, null_if_missing
from sweep.report.choices import choices_table
from sweep.report.document import Block, Figure, Section, Table, Text
from sweep.report.drawing import BLUE, FAINT, IN_LINES, INK
from sweep.report.evidence import At, Evidence
from sweep.report.numbers import NONE, between, chance, value
from sweep.stats.effects import LEVEL, NormDifference


def difference_section(evidence: Evidence) -> Section:
    """Differences at each place, and in every cell of the one that counts."""
    blocks: list[Block] = [_about(evidence)]
    for at in evidence.places:
        table = _table(evidence, at)
        if not table.rows:
            blocks.append(Text((_why_not(evidence, at),)))
            continue
        if figure := _forest(evidence, at):
            blocks.append(figure)
        blocks.append(table)
    if choices := choices_table(evidence):
        blocks.append(choices)
    blocks += _heat_maps(evidence, evidence.first)
    return Section("differences", f"Differences between {evidence.kind}s", blocks)


def _about(evidence: Evidence) -> Text:
    at = evidence.first
    against = f"to {at.reference}" if at.reference else "of each with each"
    return Text(
        (
            f"Differences {against} by a mixed model with configurations and seeds as units and "
            "the "
            "patients drawn again: intervals hold for other configurations, seeds and patients of "
            f"their kind. P (Holm) is adjusted over all {evidence.kind}s of a score. A verdict is "
            f"equivalent where the 90 % interval lies within ± {at.margin:g}, the margin that was "
            "stated before; it is better or worse where the 95 % interval does not hold 0. In a "
            "mean "
            "over cells every artifact counts the same here, however many levels it reaches; in "
            "the "
            "scores of configurations below, and in `best`, every cell does.",
        )
    )


def _why_not(evidence: Evidence, at: At) -> str:
    said = at.by_score[evidence.metric.robust("mean")]
    why = "; ".join(said.notes) or "there is nothing to compare"
    return f"No differences at {at.place}: {why}."


def _table(evidence: Evidence, at: At) -> Table:
    header = [
        "score",
        "first",
        "second",
        "difference",
        "95 %",
        "df",
        "P",
        "P (Holm)",
        "P, exchanged",
        "verdict",
    ]
    rows, data = [], []
    for score, said in at.by_score.items():
        for one in said.differences:
            rows.append(
                [
                    score,
                    one.first,
                    one.second,
                    value(one.difference, "+.3f"),
                    between(one.interval, "+.3f"),
                    value(one.df, ".0f"),
                    chance(one.p),
                    chance(one.p_holm),
                    _exchanged(one),
                    _verdict(one),
                ]
            )
            data.append(
                {"place": at.place, "score": score, "first": one.first, "second": one.second}
                | {
                    "difference": null_if_missing(one.difference),
                    "low": null_if_missing(one.interval[0]),
                    "high": null_if_missing(one.interval[1]),
                    "low_90": null_if_missing(one.narrow[0]),
                    "high_90": null_if_missing(one.narrow[1]),
                    "df": null_if_missing(one.df),
                    "p": null_if_missing(one.p),
                    "p_holm": null_if_missing(one.p_holm),
                    "p_exchanged": null_if_missing(one.p_permuted),
                    "p_same_patients": null_if_missing(one.p_same_patients),
                    "verdict": one.verdict,
                }
            )
    caption = (
        f"Differences at {at.place}, the first less the second; P, exchanged: by exchanging "
        "configurations or runs between the two, on these very seeds and patients"
    )
    return Table(f"differences-{at.place}", caption, header, rows, data)


def _verdict(one: NormDifference) -> str:
    """The verdict; one that does not outlast the correction says so."""
    sure = one.verdict not in ("better", "worse") or one.p_holm < LEVEL
    return one.verdict if sure else f"{one.verdict}, not after Holm"


def _exchanged(one: NormDifference) -> str:
    """P by exchanging, and the smallest that so few can give, where that is large."""
    least = f" (least {chance(one.p_least)})" if one.p_least > LEVEL else ""
    return f"{chance(one.p_permuted)}{least}"


def _forest(evidence: Evidence, at: At) -> Figure | None:
    data: list[dict[str, Any]] = []
    for score, said in at.by_score.items():
        for one in said.differences:
            if not is_missing(one.interval[0]):
                data.append(
                    {"score": score, "who": _pair(one.first, one.second, at.reference)}
                    | {"difference": one.difference, "low": one.interval[0]}
                    | {"high": one.interval[1], "sure": one.p_holm < LEVEL}
                )
    if not data:
        return None
    who = list(dict.fromkeys(row["who"] for row in data))
    y = {"field": "who", "type": "nominal", "sort": who, "title": None}
    x = {"type": "quantitative", "title": "difference"}
    margin = [
        {
            "mark": {"type": "rule", "color": FAINT, "strokeDash": [3, 3]},
            "encoding": {"x": {"datum": side * at.margin}},
        }
        for side in (-1, 1)
    ]
    panel = {
        "width": 210,
        "height": max(60, 20 * len(who)),
        "layer": [
            {"mark": {"type": "rule", "color": INK}, "encoding": {"x": {"datum": 0}}},
            *margin,
            {
                "mark": {"type": "rule", "size": 2, "color": BLUE},
                "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "size": 60, "fill": BLUE, "stroke": BLUE},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "difference"},
                    "fillOpacity": {"condition": {"test": "datum.sure", "value": 1}, "value": 0},
                },
            },
        ],
    }
    columns = 2 if len(at.by_score) > 1 else 1
    spec = {
        "data": {"name": "rows"},
        "facet": {
            "field": "score",
            "type": "nominal",
            "title": None,
            "sort": list(at.by_score),
            "header": {"labelFontWeight": "bold"},
        },
        "columns": columns,
        "spec": panel,
        "resolve": {"scale": {"x": "shared"}},
    }
    against = f" less {at.reference}" if at.reference else ""
    return Figure(
        f"forest-{at.place}",
        f"Differences at {at.place}",
        f"Each {evidence.kind}{against}: difference and 95 % interval. The broken lines are the "
        f"margin, ± {at.margin:g}: an interval that lies between them shows that it does not "
        "matter. Filled points: P (Holm) < .05.",
        spec,
        data,
    )


def _pair(first: str, second: str, reference: str | None) -> str:
    return first if second == reference else f"{first} less {second}"


def _heat_maps(evidence: Evidence, at: At) -> list[Figure]:
    found = at.cell_differences
    if not found:
        return []
    held_out = set(at.held_out)
    most = max((abs(one.difference) for one in found if not is_missing(one.difference)), default=0)
    parts = {
        "searched": [one for one in found if one.cell.artifact not in held_out],
        "held-out": [one for one in found if one.cell.artifact in held_out],
    }
    figures = []
    for name, own in parts.items():
        if not own:
            continue
        data = [
            {
                "group": one.group,
                "artifact": one.cell.artifact,
                "level": one.cell.level,
                "difference": null_if_missing(one.difference),
                "p": null_if_missing(one.p),
                "p_holm": null_if_missing(one.p_holm),
                "text": _cell_text(one.difference, one.p_holm),
            }
            for one in own
        ]
        artifacts = list(dict.fromkeys(row["artifact"] for row in data))
        panel: dict[str, Any] = {
            "width": {"step": 34},
            "height": {"step": 22},
            "layer": [
                {
                    "mark": {"type": "rect"},
                    "encoding": {
                        "color": {
                            "field": "difference",
                            "type": "quantitative",
                            "scale": {
                                "domain": [-most, most],
                                "domainMid": 0,
                                "range": ["#b35806", "#f7f7f7", "#2166ac"]
                                if evidence.metric.higher_is_better
                                else ["#2166ac", "#f7f7f7", "#b35806"],
                            },
                            "title": "difference",
                        }
                    },
                },
                {
                    "mark": {"type": "text", "fontSize": 9, "color": "#111"},
                    "encoding": {
                        "text": {"field": "text"},
                        "color": {
                            "condition": {
                                "test": f"abs(datum.difference) > {0.7 * most}",
                                "value": "#fff",
                            },
                            "value": "#111",
                        },
                    },
                },
            ],
            "encoding": {
                "x": {
                    "field": "level",
                    "type": "ordinal",
                    "title": None,
                    "axis": {"labelAngle": 0},
                },
                "y": {
                    "field": "group",
                    "type": "nominal",
                    "sort": list(evidence.others),
                    "title": None,
                },
            },
        }
        spec = {
            "data": {"name": "rows"},
            "facet": {
                "column": {
                    "field": "artifact",
                    "type": "nominal",
                    "sort": artifacts,
                    "title": None,
                    "header": {"labelFontSize": 11, "labelExpr": IN_LINES},
                }
            },
            "spec": panel,
            "spacing": 6,
            "resolve": {"scale": {"x": "independent"}},
        }
        what = "artifacts of the stress test" if name == "searched" else "held-out artifacts"
        figures.append(
            Figure(
                f"cells-{name}",
                f"Every cell: {what}, {at.place}",
                f"Difference of {evidence.metric.name} to {at.reference} in hundredths, by "
                "artifact "
                f"and level; blue is better than {at.reference}, brown worse. A star: P < .05, "
                "Holm "
                f"over all {len(found)} cells of both maps; without a star a cell is a "
                "description.",
                spec,
                data,
            )
        )
    return figures


def _cell_text(difference: float, p: float) -> str:
    if is_missing(difference):
        return NONE
    star = "*" if p < LEVEL else ""
    return f"{100 * difference:+.0f}{star}"

"""The section on what was asked where nothing was chosen: scores of norms and configurations."""

import math
from statistics import fmean
from typing import Any

from sweep.config.arms import group_of
from sweep.core.finals import TEST, VALIDATION
from sweep.core.pareto import ranks
from sweep.core.records import CLEAN, Cell, is_missing, null_if_missing
from sweep.core.text import number_of
from sweep.metrics.robustness import LEAST_ERROR, corruption_error
from sweep.report.document import Block, Figure, Section, Table, Text
from sweep.report.drawing import FAINT, by_group
from sweep.report.evidence import At, Evidence
from sweep.report.numbers import NONE, between, inside, spread, value
from sweep.results.final_table import FinalistRow, final_rows, shown_of
from sweep.results.render import short, shown_value


def finalist_sections(evidence: Evidence) -> list[Section]:
    """A section for each place."""
    rows = final_rows(evidence.records)
    sections = []
    for at in evidence.places:
        blocks: list[Block] = [_groups(evidence, at)]
        own = [row for row in rows if row.place == at.place]
        if own:
            blocks += _configurations(evidence, at, own)
            if figure := _front(evidence, at, own):
                blocks.append(figure)
        blocks += _errors(evidence, at)
        known = at.place in (VALIDATION, TEST)
        title = f"Scores on {at.place} patients" if known else f"Scores at {at.place}"
        sections.append(Section(f"scores-{at.place}", title, blocks))
    return sections


def _groups(evidence: Evidence, at: At) -> Table:
    """The mean of each norm or arm with an interval of patients, seeds and configurations."""
    names = list(at.by_score)
    header = [
        evidence.kind,
        "configurations",
        "trainings",
        f"SD of seeds, {evidence.metric.robust('mean')}",
    ]
    header += [f"{name} (95 %)" for name in names]
    rows, data = [], []
    for group in evidence.groups:
        means = {
            name: next((one for one in said.norms if one.norm == group), None)
            for name, said in at.by_score.items()
        }
        first = means[names[0]]
        if first is None:
            rows.append([group, *[NONE] * (len(header) - 1)])
            continue
        cells = [
            NONE if one is None else f"{value(one.mean)} ({between(inside(one.interval))})"
            for one in means.values()
        ]
        robust = means.get(evidence.metric.robust("mean")) or first
        rows.append([group, str(first.configs), str(first.runs), value(robust.sd_seeds), *cells])
        data += [
            {
                evidence.kind: group,
                "place": at.place,
                "score": name,
                "mean": null_if_missing(one.mean),
                "low": null_if_missing(one.interval[0]),
                "high": null_if_missing(one.interval[1]),
                "sd_configurations": null_if_missing(one.sd_configs),
                "sd_seeds": null_if_missing(one.sd_seeds),
                "configurations": one.configs,
                "trainings": one.runs,
            }
            for name, one in means.items()
            if one is not None
        ]
    basis = at.found.basis
    positive = ", ".join(f"{label} {count}" for label, count in basis.positive.items())
    caption = (
        f"Each {evidence.kind} at {at.place}: mean of its trainings, 95 % interval over patients, "
        f"seeds and configurations; {number_of(basis.patients, 'patient')}, of whom show: "
        f"{positive}"
    )
    return Table(f"means-{at.place}", caption, header, rows, data)


def _configurations(evidence: Evidence, at: At, own: list[FinalistRow]) -> list[Block]:
    """Every configuration, mean over seeds and their standard deviation."""
    metric = evidence.metric
    names = list(shown_of(metric))
    more = [
        metric.robust("retention"),
        "clean/sensitivity",
        "clean/specificity",
        "robust/sensitivity_mean",
        "robust/specificity_mean",
        "clean/brier",
        "clean/ece",
    ]
    settings = sorted({name for row in own for name in row.params} - {"model.norm", "arm"})
    data = [
        {"trial": row.trial, evidence.kind: group_of(row.params, row.norm), "norm": row.norm}
        | {"place": at.place, "seeds": row.seeds, "diverged": row.diverged}
        | {name: row.params.get(name) for name in settings}
        | {name: null_if_missing(row.mean[name]) for name in row.mean}
        | {f"{name} (SD)": null_if_missing(row.sd[name]) for name in row.sd}
        for row in own
    ]
    return [
        Table(
            f"configurations-{at.place}",
            f"Every configuration at {at.place}: mean over seeds ± standard deviation",
            [evidence.kind, "trial", *map(short, settings), "seeds", *names],
            [
                [
                    group_of(row.params, row.norm),
                    row.trial,
                    *(shown_value(row.params.get(name)) for name in settings),
                    f"{row.seeds}" + (f" ({row.diverged} diverged)" if row.diverged else ""),
                    *_scores(row, names),
                ]
                for row in own
            ],
            data,
        ),
        Table(
            f"more-{at.place}",
            f"The same at {at.place}: what is retained, sensitivity and specificity at the "
            "operating point that was frozen on clean validation patients, calibration",
            [evidence.kind, "trial", *more],
            [[group_of(row.params, row.norm), row.trial, *_scores(row, more)] for row in own],
        ),
    ]


def _scores(row: FinalistRow, names: list[str]) -> list[str]:
    return [spread(row.mean.get(name), row.sd.get(name)) for name in names]


def _front(evidence: Evidence, at: At, own: list[FinalistRow]) -> Figure | None:
    """Clean against robust: every configuration."""
    clean, robust = evidence.metric.clean, evidence.metric.robust("mean")
    data: list[dict[str, Any]] = []
    for row in own:
        across, up = row.mean.get(clean, math.nan), row.mean.get(robust, math.nan)
        if is_missing(across) or is_missing(up):
            continue
        sd = row.sd.get(robust, 0.0)
        data.append(
            {"trial": row.trial, "group": group_of(row.params, row.norm), "clean": across}
            | {"robust": up, "low": up - sd, "high": up + sd}
        )
    if len(data) < 2:
        return None
    sign = 1 if evidence.metric.higher_is_better else -1
    points = [(sign * one["clean"], sign * one["robust"]) for one in data]
    for point, rank in zip(data, ranks(points), strict=True):
        point["front"] = rank == 0
    colour, shape = by_group(evidence.groups)
    x = {"field": "clean", "type": "quantitative", "scale": {"zero": False, "nice": True}}
    y = {"field": "robust", "type": "quantitative", "scale": {"zero": False, "nice": True}}
    named = {"field": "group", "type": "nominal", "title": evidence.kind}
    spec = {
        "width": 420,
        "height": 320,
        "data": {"name": "rows"},
        "layer": [
            {
                "transform": [{"filter": "datum.front"}],
                "mark": {"type": "line", "color": FAINT, "strokeDash": [4, 3]},
                "encoding": {"x": x, "y": y, "order": {"field": "clean"}},
            },
            {
                "mark": {"type": "rule", "opacity": 0.5},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "color": {**named, "scale": colour},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "encoding": {
                    "x": {**x, "title": clean},
                    "y": {**y, "title": robust},
                    "color": {**named, "scale": colour},
                    "shape": {**named, "scale": shape},
                },
            },
        ],
    }
    return Figure(
        f"front-{at.place}",
        f"Clean against robust, at {at.place}",
        "A point is a configuration, the mean over its seeds, with one standard deviation of seeds "
        "up and down; the broken line joins those that no other beats in both.",
        spec,
        data,
    )


def _errors(evidence: Evidence, at: At) -> list[Block]:
    """Mean corruption error against the reference, with what was divided by."""
    if at.reference is None or not evidence.metric.higher_is_better:
        return []
    held_out = set(at.held_out)
    macros = {
        group: {
            cell: fmean(at.values(group, cell))
            for cell in at.cells
            if cell.artifact not in held_out
        }
        for group in evidence.groups
    }
    reference = macros[at.reference]
    rows, data = [], []
    for group, macro in macros.items():
        both = [corruption_error(macro, reference, relative=relative) for relative in (False, True)]
        rows.append([group, *map(value, both)])
        data.append(
            {evidence.kind: group, "place": at.place}
            | {"mCE": null_if_missing(both[0]), "relative mCE": null_if_missing(both[1])}
        )
    divided = {
        artifact: [1 - reference[cell] for cell in reference if cell.artifact == artifact]
        for artifact in dict.fromkeys(cell.artifact for cell in reference if cell != CLEAN)
    }
    clean = 1 - reference[Cell(*CLEAN)]
    parts = ", ".join(
        f"{artifact} {value(fmean(errors))} ({value(fmean(errors) - clean)})"
        for artifact, errors in divided.items()
    )
    small = (
        f" A dash: a cell is missing, or a denominator is below {LEAST_ERROR:g}."
        if any(NONE in row for row in rows)
        else ""
    )
    return [
        Table(
            f"mce-{at.place}",
            f"Mean corruption error against {at.reference} at {at.place}: below 1 is better than "
            "it; "
            "relative: of what is lost against the own clean score",
            [evidence.kind, "mCE", "relative mCE"],
            rows,
            data,
        ),
        Text(
            (
                f"Divided by the errors of {at.reference}, mean over levels (in brackets without "
                f"its clean error): {parts}.{small}",
            )
        ),
    ]

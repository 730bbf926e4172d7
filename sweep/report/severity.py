"""The section on severity: how scores fall as each artifact grows."""

from statistics import fmean
from typing import Any

import numpy as np

from sweep.core.records import CLEAN, null_if_missing
from sweep.report.document import Block, Figure, Section
from sweep.report.drawing import FAINT, IN_LINES, by_group
from sweep.report.evidence import At, Evidence

PER_ROW = 8  # artifacts beside each other


def severity_section(evidence: Evidence) -> Section:
    """A row of curves for each norm or arm, a column for each artifact."""
    at = evidence.first
    artifacts = list(dict.fromkeys(cell.artifact for cell in at.cells if cell != CLEAN))
    held_out = set(at.held_out)
    blocks: list[Block] = []
    for what, names in (
        ("artifacts of the stress test", [one for one in artifacts if one not in held_out]),
        ("held-out artifacts", [one for one in artifacts if one in held_out]),
    ):
        parts = [names[start : start + PER_ROW] for start in range(0, len(names), PER_ROW)]
        for number, part in enumerate(parts):
            of = f" ({number + 1} of {len(parts)})" if len(parts) > 1 else ""
            blocks.append(_curves(evidence, at, part, f"{what}{of}"))
    return Section("severity", "How scores fall as artifacts grow", blocks)


def _curves(evidence: Evidence, at: At, artifacts: list[str], what: str) -> Figure:
    data: list[dict[str, Any]] = []
    for artifact in artifacts:
        cells = [CLEAN, *sorted(cell for cell in at.cells if cell.artifact == artifact)]
        for group in evidence.groups:
            for cell in cells:
                seeds = at.seeds(group, cell)
                mean = fmean(seeds)
                sd = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else float("nan")
                low, high = at.band(group, cell)
                compared = fmean(at.seeds(at.reference, cell)) if at.reference else float("nan")
                data.append(
                    {"group": group, "artifact": artifact, "level": cell.level}
                    | {
                        "mean": null_if_missing(mean),
                        "seed low": null_if_missing(mean - sd),
                        "seed high": null_if_missing(mean + sd),
                        "patient low": null_if_missing(low),
                        "patient high": null_if_missing(high),
                        "reference": null_if_missing(compared),
                    }
                )
    colour, _ = by_group(evidence.groups)
    wide = max(62, min(150, 620 // max(1, len(artifacts))))
    levels = sorted({row["level"] for row in data})
    x = {
        "field": "level",
        "type": "quantitative",
        "title": None,
        "axis": {"values": levels, "format": "d", "grid": False},
    }
    y = {
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False, "nice": False},
        "axis": {"tickCount": 3},
    }
    paint = {
        "field": "group",
        "type": "nominal",
        "scale": colour,
        "legend": None,
    }
    spec = {
        "data": {"name": "rows"},
        "facet": {
            "row": {
                "field": "group",
                "type": "nominal",
                "sort": list(evidence.groups),
                "title": None,
                "header": {"labelAngle": 0, "labelAlign": "left", "labelLimit": 140},
            },
            "column": {
                "field": "artifact",
                "type": "nominal",
                "sort": artifacts,
                "title": None,
                "header": {"labelExpr": IN_LINES},
            },
        },
        "spacing": {"row": 8, "column": 8},
        "spec": {
            "width": wide,
            "height": 62,
            "layer": [
                {
                    "mark": {"type": "area", "opacity": 0.18},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "patient low"},
                        "y2": {"field": "patient high"},
                        "color": paint,
                    },
                },
                {
                    "mark": {"type": "area", "opacity": 0.4},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "seed low"},
                        "y2": {"field": "seed high"},
                        "color": paint,
                    },
                },
                {
                    "mark": {"type": "line", "color": FAINT, "strokeDash": [3, 2]},
                    "encoding": {"x": x, "y": {**y, "field": "reference"}},
                },
                {
                    "mark": {"type": "line"},
                    "encoding": {"x": x, "y": {**y, "field": "mean"}, "color": paint},
                },
            ],
        },
    }
    against = f"; the broken line is {at.reference}" if at.reference else ""
    return Figure(
        f"severity-{what.split()[0].replace('-', '')}-{artifacts[0]}",
        f"{evidence.metric.name} over the level of each artifact: {what}, {at.place}",
        "Level 0 is the clean image. The line is the mean over trainings, the dark band one "
        "standard "
        "deviation of seeds, the light band 95 % of it in resamples of the patients"
        f"{against}. All panels have one scale.",
        spec,
        data,
    )

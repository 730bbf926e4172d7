"""The section on calibration: whether a probability of .8 is right eight times in ten."""

from collections.abc import Iterator
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Cell
from sweep.metrics.functions import ECE_BINS
from sweep.report.answers import Answered, answered
from sweep.report.document import Block, Figure, Section, Text
from sweep.report.drawing import FAINT, INK
from sweep.report.evidence import At, Evidence


def calibration_section(evidence: Evidence) -> Section:
    """Reliability diagrams on clean images and in the worst cell."""
    at = evidence.first
    worst = worst_cell(evidence, at)
    data: list[dict[str, Any]] = []
    for cell, said in answered(evidence, at, (CLEAN, worst)).items():
        for group, own in said.items():
            what = "clean" if cell == CLEAN else f"{worst.artifact} {worst.level}"
            data += [{"group": group, "images": what, **row} for row in reliability(own)]
    blocks: list[Block] = [_diagrams(evidence, data, worst, at), _about(evidence)]
    return Section("calibration", "Calibration", blocks)


def worst_cell(evidence: Evidence, at: At) -> Cell:
    """The cell in which all norms or arms together score worst."""
    sign = 1 if evidence.metric.higher_is_better else -1
    stressed = [cell for cell in at.cells if cell != CLEAN]

    def mean(cell: Cell) -> float:
        values = [one.cells[cell].value for one in at.found.scored]
        return sign * fmean(values) if not np.isnan(values).any() else float("inf")

    return min(stressed, key=mean)


def reliability(own: Answered) -> Iterator[dict[str, Any]]:
    """Of every bin the mean probability and the share of positives, over all labels and seeds."""
    said = own.probabilities.ravel()
    truth: NDArray[np.bool_] = np.broadcast_to(own.truth, own.probabilities.shape).ravel()
    place = np.minimum((said * ECE_BINS).astype(int), ECE_BINS - 1)
    for number in range(ECE_BINS):
        inside = place == number
        if inside.any():
            yield {
                "predicted": float(said[inside].mean()),
                "observed": float(truth[inside].mean()),
                "answers": int(inside.sum()),
            }


def _diagrams(evidence: Evidence, data: list[dict[str, Any]], worst: Cell, at: At) -> Figure:
    worse = f"{worst.artifact} {worst.level}"
    x = {
        "field": "predicted",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 3, "grid": False},
        "title": None,
    }
    y = {
        "field": "observed",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 3, "grid": False},
        "title": None,
    }
    paint = {
        "field": "images",
        "type": "nominal",
        "title": None,
        "scale": {"domain": ["clean", worse], "range": ["#0072b2", "#d55e00"]},
    }
    spec = {
        "data": {"name": "rows"},
        "facet": {
            "field": "group",
            "type": "nominal",
            "sort": list(evidence.groups),
            "title": None,
        },
        "columns": 4,
        "spec": {
            "width": 130,
            "height": 130,
            "layer": [
                {
                    "data": {
                        "values": [{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}]
                    },
                    "mark": {"type": "line", "color": FAINT, "strokeDash": [3, 2]},
                    "encoding": {"x": x, "y": y},
                },
                {"mark": {"type": "line"}, "encoding": {"x": x, "y": y, "color": paint}},
                {
                    "mark": {
                        "type": "point",
                        "filled": True,
                        "opacity": 0.9,
                        "stroke": INK,
                        "strokeWidth": 0,
                    },
                    "encoding": {
                        "x": x,
                        "y": y,
                        "color": paint,
                        "size": {
                            "field": "answers",
                            "type": "quantitative",
                            "scale": {"range": [8, 120]},
                            "legend": None,
                        },
                    },
                },
            ],
        },
    }
    return Figure(
        "reliability",
        f"What is predicted, across, and what is there, up: {at.place}",
        "All labels and trainings together; larger points are more answers. On the broken line a "
        f"probability is right as often as it says. Clean images, and {worse}, the cell in which "
        "all together score worst.",
        spec,
        data,
    )


def _about(evidence: Evidence) -> Text:
    return Text(
        (
            f"{ECE_BINS} bins of equal width, as for the expected calibration error (ECE) of the "
            "tables "
            "above. Nothing was recalibrated.",
        )
    )

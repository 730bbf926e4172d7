"""Severity curves: how the score of one checkpoint falls as each artifact grows."""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from sweep.core.records import CLEAN, Cell, Score


def macro_by_cell(scores: Iterable[Score]) -> dict[Cell, float]:
    """Macro AUROC of every cell."""
    by_cell: dict[Cell, list[float]] = {}
    for item in scores:
        by_cell.setdefault(item.cell, []).append(item.auroc)
    return {cell: float(np.mean(values)) for cell, values in by_cell.items()}


def severity_curves(scores: Iterable[Score], title: str) -> Figure:
    """Macro AUROC over level, a line for each artifact, the clean score at level 0.

    Made without pyplot, whose registry of figures is global state.
    """
    macro = macro_by_cell(scores)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for artifact in dict.fromkeys(cell.artifact for cell in macro if cell != CLEAN):
        cells = sorted(cell for cell in macro if cell.artifact == artifact)
        levels = [0, *(cell.level for cell in cells)]
        values = [macro[CLEAN], *(macro[cell] for cell in cells)]
        axes.plot(levels, values, marker="o", label=artifact)
    axes.axhline(0.5, color="0.6", linestyle=":", linewidth=1)
    axes.set(title=title, xlabel="artifact level (0 = clean)", ylabel="macro AUROC")
    axes.set_xticks(sorted({cell.level for cell in macro}))
    axes.legend(frameon=False)
    return figure

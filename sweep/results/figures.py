"""Severity curves: how the score of one checkpoint falls as each artifact grows."""

from collections.abc import Iterable

from matplotlib.figure import Figure

from sweep.core.records import CLEAN, Score
from sweep.metrics import metric_for
from sweep.metrics.summary import macro_by_cell


def severity_curves(scores: Iterable[Score], objective: str, title: str) -> Figure:
    """The macro score over level, a line for each artifact, the clean score at level 0.

    Made without pyplot, whose registry of figures is global state.

    Args:
        scores: The scores of one checkpoint.
        objective: What the sweep maximises; the metric that it names first is drawn.
        title: The title of the figure.

    """
    name = metric_for(objective).name
    macro = macro_by_cell(scores, name)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for artifact in dict.fromkeys(cell.artifact for cell in macro if cell != CLEAN):
        cells = sorted(cell for cell in macro if cell.artifact == artifact)
        levels = [0, *(cell.level for cell in cells)]
        values = [macro[CLEAN], *(macro[cell] for cell in cells)]
        axes.plot(levels, values, marker="o", label=artifact)
    axes.axhline(0.5, color="0.6", linestyle=":", linewidth=1)
    shown = "AUROC" if name == "auroc" else name.replace("_", " ")
    axes.set(title=title, xlabel="artifact level (0 = clean)", ylabel=f"macro {shown}")
    axes.set_xticks(sorted({cell.level for cell in macro}))
    axes.legend(frameon=False)
    return figure

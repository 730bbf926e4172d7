"""What is logged of a best epoch: its scores, their intervals, and its severity curves."""

from collections.abc import Mapping

from mlflow.entities import Metric

from sweep.core.records import CLEAN, EpochRecord, of_one_fidelity
from sweep.metrics import metrics
from sweep.metrics.summary import macro_by_cell
from sweep.results.mlflow.names import BEST, ENDS, EPOCH, INTERVAL
from sweep.results.mlflow.server import metrics_of
from sweep.results.ranking import Interval


def best_values(epoch: EpochRecord) -> dict[str, float]:
    """What a run says of its best epoch."""
    metrics = of_one_fidelity(epoch.metrics)
    named = {f"{BEST}{name}": value for name, value in metrics.items()}
    return {f"{BEST}{EPOCH}": epoch.epoch, **named}


def curves(best: EpochRecord) -> list[Metric]:
    """The severity curves of metrics and artifacts: step = level, the clean score at 0."""
    logged = []
    for metric in (row for row in metrics().values() if row.has_curve):
        macro = macro_by_cell(best.scores, metric.name)
        if not macro:
            continue  # a package added it after the sweep was scored
        clean = macro.pop(CLEAN)
        points = [(name, 0, clean) for name in sorted({cell.artifact for cell in macro})]
        points += [(cell.artifact, cell.level, value) for cell, value in macro.items()]
        for artifact, level, value in points:
            logged += metrics_of({metric.stress(artifact): value}, best.evaluated_at_ms, level)
    return logged


def interval_values(intervals: Mapping[str, Interval]) -> dict[str, float]:
    """The ends of intervals, by name."""
    return {
        f"{INTERVAL}{name}{end}": value
        for name, pair in intervals.items()
        for end, value in zip(ENDS, pair, strict=True)
    }

"""What every tracker must have written, read back; one reader for each tracker."""

import json
from dataclasses import dataclass, field
from typing import Any

import mlflow

from sweep.config.sweep import TrackingSettings
from sweep.results.folder import SweepFolder


@dataclass
class Told:
    """One trial as a reader of a tracker finds it.

    Attributes:
        epochs: The metrics of each epoch; a missing value is absent.
        status: Where it stands; None while the tracker says nothing of its end.
        intervals: Of its best epoch.
        writes: How often something was written for it.

    """

    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    status: str | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    writes: int = 0


def read_jsonl(folder: SweepFolder) -> dict[str, Told]:
    """From ``log.jsonl``."""
    told: dict[str, Told] = {}
    for text in (folder.path / "log.jsonl").read_text().splitlines():
        line: dict[str, Any] = json.loads(text)
        trial = told.setdefault(line["trial"], Told())
        trial.writes += 1
        if line["event"] == "epoch":
            present = {k: v for k, v in line["metrics"].items() if v is not None}
            trial.epochs[line["epoch"]] = present
        else:
            trial.status = line["status"]
            trial.intervals = {k: (low, high) for k, (low, high) in line["intervals"].items()}
    return told


def read_mlflow(folder: SweepFolder) -> dict[str, Told]:
    """From the database beside the folder."""
    reader = mlflow.MlflowClient(tracking_uri=TrackingSettings().server(folder.path))
    experiment = reader.get_experiment_by_name(folder.config().name)
    told = {}
    for run in reader.search_runs([experiment.experiment_id], "tags.role = 'trial'"):
        trial = told[run.data.tags["trial"]] = Told()
        for name in run.data.metrics:
            points = reader.get_metric_history(run.info.run_id, name)
            trial.writes += len(points)
            if name.startswith(("clean/", "robust/")):
                for point in points:
                    trial.epochs.setdefault(point.step, {})[name] = point.value
        status = run.data.tags["status"]
        trial.status = None if status == "running" else status
        ends = {k: v for k, v in run.data.metrics.items() if k.startswith("interval/")}
        for name in {k.removeprefix("interval/").rpartition("/")[0] for k in ends}:
            pair = ends[f"interval/{name}/low"], ends[f"interval/{name}/high"]
            trial.intervals[name] = pair
    return told


READERS = {"mlflow": read_mlflow, "jsonl": read_jsonl}

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
        modes: The metrics of its best epoch in other modes; a missing value is absent.
        collapsed: The cells in which it and its modes collapsed, as text.
        writes: How often something was written for it.

    """

    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    status: str | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    modes: dict[str, dict[str, float]] = field(default_factory=dict)
    collapsed: dict[str, str] = field(default_factory=dict)
    writes: int = 0


def read_jsonl(folder: SweepFolder) -> dict[str, Told]:
    """From ``log.jsonl``."""
    told: dict[str, Told] = {}
    for text in (folder.path / "log.jsonl").read_text().splitlines():
        line: dict[str, Any] = json.loads(text)
        if line["event"] == "finalist":
            continue
        trial = told.setdefault(line["trial"], Told())
        trial.writes += 1
        present = {k: v for k, v in line["metrics"].items() if v is not None}
        if line["event"] == "epoch":
            trial.epochs[line["epoch"]] = present
            continue
        cells = (f"{artifact} {level}" for artifact, level in line["collapsed"])
        trial.collapsed[line.get("mode", "trained")] = ", ".join(cells) or "none"
        if line["event"] == "mode":
            trial.modes[line["mode"]] = present
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
            if name.startswith(("clean/", "robust/", "screen/")):
                for point in points:
                    trial.epochs.setdefault(point.step, {})[name] = point.value
        status = run.data.tags["status"]
        trial.status = None if status == "running" else status
        ends = {k: v for k, v in run.data.metrics.items() if k.startswith("interval/")}
        for name in {k.removeprefix("interval/").rpartition("/")[0] for k in ends}:
            pair = ends[f"interval/{name}/low"], ends[f"interval/{name}/high"]
            trial.intervals[name] = pair
        trial.collapsed["trained"] = run.data.tags.get("collapsed", "none")
    for run in reader.search_runs([experiment.experiment_id], "tags.role = 'mode'"):
        trial, mode = told[run.data.tags["trial"]], run.data.tags["mode"]
        best = {k: v for k, v in run.data.metrics.items() if k.startswith("best/")}
        del best["best/epoch"]
        trial.modes[mode] = {name.removeprefix("best/"): value for name, value in best.items()}
        trial.collapsed[mode] = run.data.tags["collapsed"]
        histories = (reader.get_metric_history(run.info.run_id, name) for name in run.data.metrics)
        trial.writes += sum(map(len, histories))
    return told


READERS = {"mlflow": read_mlflow, "jsonl": read_jsonl}

"""A sweep's folder without a network, a score or a store: what a look from outside reads of it."""

import dataclasses
from pathlib import Path
from typing import Any

from sweep.config.sweep import SweepConfig
from sweep.core.records import TrialRecord
from sweep.results.folder import SweepFolder

METRIC = "robust/auroc_cvar"


def bare_sweep(path: Path, name: str = "knees", **search: Any) -> SweepFolder:
    """A sweep of four trials of ten epochs that has just begun, and that no process drives."""
    whole = {"trials": 4, "scheduler": "none", "space": {"train.lr": {"log": [1e-3, 1e-2]}}}
    config = {
        "name": name,
        "data": {"store": "none.h5", "train": [1], "validation": [2]},
        "search": {**whole, **search},
        "train": {"epochs": 10},
        "stress": {"grid": "physical"},
    }
    return SweepFolder.create(path, SweepConfig.from_dict(config))


def add_trial(
    folder: SweepFolder,
    number: int,
    epochs: int,
    status: str = "running",
    value: float | None = None,
    metric: str = METRIC,
    **changes: Any,
) -> TrialRecord:
    """A trial with so many reported epochs, the last of which is its best and has this value."""
    record = TrialRecord(
        f"trial-{number:04d}", number, {"train.lr": 0.005}, "group", 0, status, 0, number
    )
    if value is not None:
        record = dataclasses.replace(record, best_epoch=epochs, metrics={metric: value})
    folder.write_trial(record := dataclasses.replace(record, **changes))
    place = folder.path / "results" / record.trial
    place.mkdir(parents=True, exist_ok=True)
    for epoch in range(1, epochs + 1):
        (place / f"epoch-{epoch:04d}.parquet").touch()
    return record

"""A sweep's folder as a finished sweep leaves it, made without a cluster."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.fit import fit
from sweep.learn.modes import LocalModes
from sweep.results.folder import SweepFolder
from sweep.results.rows import score_rows
from sweep.results.tables import validation_slices
from sweep.results.trials import TrialLog
from sweep.stats import checkpoint
from sweep.store import Store

NORMS = ("batch", "group")


def config_of(store: Store) -> SweepConfig:
    """A sweep of two trials."""
    return SweepConfig.from_dict(
        {
            "name": "ledger",
            "data": {"store": str(store.path), "train": [1, 2], "validation": [3]},
            "model": {"width": 4},
            "search": {"trials": 2, "space": {"model.norm": {"choice": list(NORMS)}}},
            "train": {"epochs": 2, "batch_size": 16},
            "stress": {
                "artifacts": ["rician", "bias"],
                "levels": [1, 5],
                "grid": "physical",
                "batch_size": 16,
            },
            "tracking": {"models": 0},  # a model takes seconds to export
        }
    )


def run_trial(
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    number: int,
    params: dict[str, Any] | None = None,
) -> None:
    """Train a trial; by default the norms take turns."""
    with TrialLog(folder, config.search.objective) as trial_log:
        log_trial(trial_log, config, store, number, params)


def log_trial(
    trial_log: TrialLog,
    config: SweepConfig,
    store: Store,
    number: int,
    params: dict[str, Any] | None = None,
) -> None:
    """Train a trial of an open trial log, which tells its callbacks as of a trial of a sweep."""
    folder, trial = trial_log.folder, f"trial-{number:04d}"
    params = params or {"model.norm": NORMS[number % 2]}
    trial_config: TrialConfig = dataclasses.replace(config.trial(params), seed=number)
    slices = validation_slices(store, trial_config.data.validation)
    trial_log.began(trial, number, params, trial_config.model.norm, trial_config.seed)

    def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
        folder.write_epoch(record, predictions, slices)
        trial_log.reported(trial, record.epoch)

    fit(trial_config, store, folder.checkpoints(trial), report=report, trial=trial)
    trial_log.ended(trial, "finished")


def score_modes(folder: SweepFolder, store: Store, *names: str) -> None:
    """The rows of modes of a finished sweep."""
    config = folder.config().replace({"stress.modes": list(names)})
    folder.write_config(config)
    evaluator = LocalModes(config.stress, store, store.indices(config.data.validation))
    with TrialLog(folder, config.search.objective) as trial_log:
        score_rows(folder, config, store, trial_log, evaluator)


def finished_sweep(path: Path, store: Store) -> SweepFolder:
    """Two finished trials; their four patients with each label are enough for intervals here."""
    config = config_of(store)
    made = SweepFolder.create(path, config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        for number in range(2):
            run_trial(made, config, store, number)
    return made

"""A sweep's folder with a file of every kind that one can hold, made of a finished sweep."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState

from sweep.config.finalists import FinalistSettings
from sweep.config.sweep import SweepConfig
from sweep.core.finals import TEST, VALIDATION, Place
from sweep.core.records import Predictions, TrialRecord
from sweep.results import choice, differences, summary
from sweep.results.callbacks import REPORT, replay
from sweep.results.finalists import FinalistFolder, Plan, chosen, note_access, runs_of
from sweep.results.folder import SweepFolder
from sweep.results.jsonl_tracker import JsonLinesTracker
from sweep.search.study import Study
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finished import score_modes

SEEDS = (1000, 1001)
FINALISTS = {"per_norm": 1, "seeds": len(SEEDS), "holdout": []}


def furnished(path: Path, finished: Path, store: Store) -> SweepFolder:
    """Two finished trials, a mode, two finalists of two seeds, journal, caches, logs, Tune's state.

    What finalists said on test patients is what their trials said on validation patients, a little
    moved, so that nothing has to be trained.

    Args:
        path: The folder to make.
        finished: That of the finished sweep of two trials, see ``tests.support.finished``.
        store: Its data.

    """
    shutil.copytree(finished, path)
    folder = SweepFolder.open(path)
    config = folder.config().replace(
        {
            "data.train": [1],
            "data.test": [2],
            "data.fingerprint": store.fingerprint,
            "finalists": FINALISTS,
            "tracking.to": ["jsonl"],
        }
    )
    folder.write_config(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        score_modes(folder, store, "blend")
        config = folder.config()
        write_journal(folder, config)
        _add_finalists(folder, config, store)
        choice.keep_measured(folder, pytest.fail)
        differences.keep_measured(folder, config, pytest.fail)
    folder.write_time_used(12.5, 0.0)
    (path / "levels.json").write_text(json.dumps({"artifacts": {}}))
    (path / REPORT).write_text("<!doctype html><title>ledger</title>\n")
    replay(JsonLinesTracker(folder, config), folder)
    _add_states(folder)
    summary.summary(folder.path, least=1)
    return folder


def write_journal(folder: SweepFolder, config: SweepConfig) -> None:
    """The journal that a search for the trials of a folder would have left."""
    study = Study(folder.journal, config.name, config.search, config.seed, config.train.epochs)
    for record in folder.trials():
        assert study.ask().params == record.params
        epochs = folder.epochs(record.trial)
        for epoch in epochs:
            study.report(record.number, epoch.epoch, epoch.metrics.get(config.search.objective, 0))
        study.tell(record.number, TrialState.COMPLETE, record.metrics, len(epochs))


def _add_finalists(folder: SweepFolder, config: SweepConfig, store: Store) -> None:
    finalists, settings = FinalistFolder(folder), FinalistSettings(**FINALISTS)
    trials = {record.trial: record for record in folder.trials()}
    at = str(store.path), store.fingerprint
    places = (
        Place(VALIDATION, *at, config.data.validation, ("rician", "bias"), ()),
        Place(TEST, *at, config.data.test, ("rician", "bias"), ()),
    )
    runs = tuple(runs_of(chosen(folder, config, settings), SEEDS))
    finalists.write_plan(Plan(settings, runs, places, {}))
    note_access(folder, "mrisweep finalists", TEST, len(runs))
    for run in runs:
        epoch = _best(trials[run.trial])
        record = dataclasses.replace(folder.epoch(run.trial, epoch), trial=run.name)
        predictions, slices = folder.predictions(run.trial, epoch)
        rng = np.random.default_rng(run.seed)
        for place in places:
            moved = [
                Predictions(one.cell, one.log_odds + rng.normal(0, 0.1, one.log_odds.shape))
                for one in predictions
            ]
            finalists.write_scores(run.name, place.name, record, moved, slices)
        kept = finalists.checkpoints(run.name).epoch(epoch)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder.checkpoint(run.trial, epoch), kept)
        finalists.settle(run, [epoch])


def _add_states(folder: SweepFolder) -> None:
    """What a search leaves that no command reads: Tune's own state."""
    state = folder.path / "tune" / "20260101T000000"
    (state / "trial-0000-abc").mkdir(parents=True)
    (state / "experiment_state.json").write_text("{}")
    for name in ("tuner.pkl", "trainable.pkl", "trial-0000-abc/error.pkl"):
        (state / name).write_bytes(b"\x80\x04N.")


def _best(record: TrialRecord) -> int:
    assert record.best_epoch is not None
    return record.best_epoch

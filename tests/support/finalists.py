"""Sweeps with finalists, made without a cluster."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sweep.api import finalists as api
from sweep.api.finalists import drive_finalists
from sweep.cluster.finalists import Count, FinalistWorker
from sweep.config.sweep import SweepConfig
from sweep.results.finalists import FinalistFolder, Plan
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.finished import config_of, run_trial, score_modes

FINALISTS = {"per_norm": 1, "seeds": 2, "holdout": ["blur", "gibbs"]}


class Here(NamedTuple):
    """A store that is where it is."""

    store: Store

    def open(self) -> Store:
        return self.store


def config_with(store: Store, **changes: Any) -> SweepConfig:
    """Two trials, trained on a fold, chosen on the next, to be asked on the third."""
    data = {"data.train": [1], "data.validation": [2], "data.test": [3]}
    return config_of(store).replace({**data, "finalists": {**FINALISTS, **changes}})


def ended(path: Path, config: SweepConfig, store: Store, trials: int = 2) -> SweepFolder:
    """A sweep whose trials have ended, before its finalists."""
    made = SweepFolder.create(path, config)
    for number in range(trials):
        run_trial(made, config, store, number)
    return made


def run_here(
    folder: SweepFolder,
    config: SweepConfig,
    plan: Plan,
    staging: list[Here],
    workers: int,
    count: Count,
    *_: object,
) -> None:
    """In the place of ``run_finalists``: one worker in this process."""
    worker = FinalistWorker(folder, config, plan, staging)
    for place, run in enumerate(plan.runs):
        if FinalistFolder(folder).record(run.name) is None:
            count(place + 1, len(plan.runs), worker.finish(run))


def compared(path: Path, store: Store) -> SweepFolder:
    """Four trials, two of each norm, a mode, and two finalists of each norm with three seeds."""
    made = ended(path, config_with(store, per_norm=2, seeds=3), store, trials=4)
    score_modes(made, store, "blend")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "run_finalists", run_here)
        patch.setattr(api, "workers_at_a_time", lambda *_, **__: 2)
        driven(made, store)
    return made


def driven(folder: SweepFolder, store: Store) -> FinalistFolder:
    """The finalists of a sweep, while ``run_here`` stands in."""
    drive_finalists(folder, folder.config(), store)
    return FinalistFolder(folder)

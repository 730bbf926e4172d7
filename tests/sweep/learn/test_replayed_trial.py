"""A trial of the benchmark of searches is scored, epoch by epoch, as a trial of a sweep is."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay import Passes, Recorded, Setting, Trial
from sweep.config.screen import ScreenSettings
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.records import EpochRecord, best_epoch, screened
from sweep.learn.fit import fit
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of
from sweep.search.study import Suggestion
from sweep.store import Store
from tests.sweep.learn.test_fit import trained
from tests.sweep.learn.test_screening import Counting

EPOCHS = 6


def course(history: Sequence[EpochRecord], name: str) -> np.ndarray:
    """(norms, points, seeds, epochs) Of one trial."""
    return np.array([one.metrics[name] for one in history])[None, None, None]


@pytest.mark.parametrize("full", [(), (2, 4)])
def test_a_replayed_trial_has_the_scores_and_passes_of_a_trial(
    full: tuple[int, ...],
    trial_config: TrialConfig,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweep.core.screening.LEAST", 1)
    whole = trained(trial_config, epochs=EPOCHS)
    objective = whole.objective
    config = dataclasses.replace(whole, screen=ScreenSettings(full=full))
    counting = Counting(config, store)
    known = fit(whole, store, tmp_path / "whole")
    result = fit(config, store, tmp_path / "screened", evaluator=counting)

    part, slices = Screening.of(config, store), len(store.indices(config.data.validation))
    passes = Passes(
        train=2 * len(store.indices(config.data.train)),
        full=slices * len(cells_of(config.stress)),
        screened=len(part.slices) * len(part.cells),
    )
    values = course(known.history, objective)
    search = {"space": {"model.norm": {"choice": ["group"]}}}
    sweep = SweepConfig.from_dict({"name": "tiny", "data": config.data.to_plain()}).replace(
        {"search": search, "train": config.train.to_plain()}
    )
    recorded = Recorded(sweep, ("group",), {}, (), (), values[..., None, None], {})
    ours = course(result.history, screened(objective))
    setting = Setting(recorded, sweep, config, passes, values, ours)
    trial = Trial(setting, 0, Suggestion("trial-0000", 0, {"model.norm": "group"}, "group"))
    while not trial.over:
        trial.step(behind=1)

    names = {objective, screened(objective)}
    scored = {
        one.epoch: {name: value for name, value in one.metrics.items() if name in names}
        for one in result.history
    }
    assert trial.history == scored
    assert best_epoch(trial.history.items(), objective)[0] == result.best_epoch
    assert trial.passes == counting.passes + EPOCHS * passes.train

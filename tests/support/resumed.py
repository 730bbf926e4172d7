"""A trial whose process dies after its first epoch goes on as if nothing had happened."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import mrimodels
from sweep.config.settings import TrialConfig
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.fit import fit
from sweep.store import Store


class KilledError(Exception):
    """Stands for a process that dies."""


def weights(path: Path) -> dict[str, torch.Tensor]:
    """What a checkpoint holds."""
    return mrimodels.load(path)[0].state_dict()


def assert_resumes_as_whole(config: TrialConfig, store: Store, folder: Path) -> None:
    """Train two epochs in one go, and with a death after the first: losses and weights agree."""
    whole = fit(config, store, folder / "whole")
    history: list[EpochRecord] = []

    def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
        history.append(record)
        raise KilledError

    with pytest.raises(KilledError):
        fit(config, store, folder / "broken", report=report)
    resumed = fit(config, store, folder / "broken", history=history)
    assert [one.train_loss for one in resumed.history] == [one.train_loss for one in whole.history]
    first, second = (weights(folder / name / "epoch-0002.pt") for name in ("whole", "broken"))
    assert all(torch.equal(first[name], second[name]) for name in first)

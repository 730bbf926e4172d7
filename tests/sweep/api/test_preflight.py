"""What is refused before a sweep starts, so that nothing fails an hour later."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from sweep.api import preflight
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.store import Store
from tests.support import networks
from tests.support.stores import change_pixels
from tests.support.sweeps import settings


@pytest.fixture
def config(store: Store) -> SweepConfig:
    return SweepConfig.from_dict(settings(store))


def test_good_data_are_opened_and_bound(config: SweepConfig, store: Store) -> None:
    bound = preflight.bind(config, preflight.open_data(config)).config
    assert bound.data.fingerprint == store.fingerprint
    assert preflight.open_data(bound).fingerprint == store.fingerprint


def test_data_that_changed_under_a_sweep_are_refused(config: SweepConfig) -> None:
    with pytest.raises(UserError, match="bound to, with fingerprint 0123"):
        preflight.open_data(config.replace({"data.fingerprint": "0123"}))


def test_pixels_that_changed_under_a_sweep_are_refused(
    config: SweepConfig, store: Store, tmp_path: Path
) -> None:
    path = Path(shutil.copy(store.path, tmp_path / "s.h5"))
    begun = config.replace({"data.store": str(path), "data.fingerprint": store.fingerprint})
    preflight.open_data(begun)
    change_pixels(path)
    with pytest.raises(UserError, match="the store was changed in place since it was written"):
        preflight.open_data(begun)


def with_changed(monkeypatch: pytest.MonkeyPatch, store: Store, **columns: np.ndarray) -> None:
    """Stand in for a store that another program wrote: our own writer refuses such data."""
    changed = dataclasses.replace(store, columns={**store.columns, **columns})
    monkeypatch.setattr(preflight.Store, "open", lambda path: changed)


def test_a_patient_in_two_splits_is_refused(
    config: SweepConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients = store.columns["patient"].copy()
    patients[store.indices([3])[0]] = patients[store.indices([1])[0]]
    with_changed(monkeypatch, store, patient=patients)
    with pytest.raises(UserError, match=r"received 1 in train and in validation, 'p0' the first"):
        preflight.open_data(config)


@pytest.mark.parametrize(("value", "how_many"), [(0, "none"), (1, "all")])
def test_a_label_with_one_class_is_refused(
    config: SweepConfig,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    value: int,
    how_many: str,
) -> None:
    labels = store.labels.copy()
    labels[store.indices([3]), 0] = value
    with_changed(monkeypatch, store, labels=labels)
    with pytest.raises(
        UserError, match=rf"received validation \[3\], where {how_many} of the 32 slices have 'a'"
    ):
        preflight.open_data(config)


def test_a_tracker_that_does_not_exist_is_refused(config: SweepConfig) -> None:
    with pytest.raises(
        UserError, match=r"tracking.to has an unknown name; received 'wandb'; known: jsonl, mlfl"
    ):
        preflight.open_data(config.replace({"tracking.to": ["wandb"]}))


def test_k_space_that_was_not_kept_is_refused(config: SweepConfig) -> None:
    with pytest.raises(
        UserError,
        match=r"the store keeps no k-space; received .*; ingest .* `mrisweep .* --kspace`",
    ):
        preflight.open_data(config.replace({"data.signal": "kspace"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train.group_dro": "site"},
            "group_dro: there is no such column .*; received 'site'",
        ),
        ({"train.group_dro": "split", "data.train": [1]}, "training slices are one group"),
        (
            {"search.space": {"train.group_dro": {"choice": [None, "sequence"]}}},
            "training slices have no sequence",
        ),
        (
            {
                "model": {"arch": networks.OWN, "norm": "keep"},
                "search.space": {"train.mixstyle": {"uniform": [0.0, 0.5]}},
            },
            "train.mixstyle: where the first stages of the network end is not known",
        ),
    ],
)
def test_a_method_of_training_that_lacks_something_is_refused_before_a_sweep(
    config: SweepConfig, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        preflight.open_data(config.replace(changes))


def test_methods_of_training_can_be_searched_together(config: SweepConfig) -> None:
    space = {
        "train.label_smoothing": {"uniform": [0.0, 0.2]},
        "train.ema": {"choice": [None, 0.99]},
        "train.mixstyle": {"uniform": [0.0, 1.0]},
        "train.mixstyle_alpha": {"log": [0.1, 1.0]},
        "train.group_dro": {"choice": [None, "split"]},
        "train.group_dro_step": {"log": [1e-3, 1e-1]},
        "model.antialias": {"choice": [False, True]},
    }
    searched = config.replace({"search.space": space})
    preflight.open_data(searched)
    last = {name: next(iter(kind.values()))[-1] for name, kind in space.items()}
    trial = searched.trial(last)
    assert (trial.train.ema, trial.train.group_dro, trial.model.antialias) == (0.99, "split", True)

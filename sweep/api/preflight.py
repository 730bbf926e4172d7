"""What must hold before a sweep starts, so that nothing fails an hour later."""

import dataclasses
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from sweep.config.levels import bound_knobs, reached
from sweep.config.settings import Split
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.learn.signals import check_signal
from sweep.results.trackers import check_trackers
from sweep.store import Store


def open_data(config: SweepConfig) -> Store:
    """Open the sweep's store and check that it can carry the sweep.

    Raises:
        UserError: Store missing or of another fingerprint, k-space asked for and not kept, split
            missing, patient in two splits, label with one class in training or validation.

    """
    data = config.data
    store = Store.open(Path(data.store))
    if data.fingerprint not in (None, store.fingerprint):
        raise UserError(
            "the store is not the one that the sweep is bound to, with fingerprint "
            f"{data.fingerprint}",
            f"{store.fingerprint} in {data.store}",
            "put the data back, or start a new sweep on the new data",
        )
    check_signal(store, data.signal)
    check_trackers(config)
    roles = {"train": data.train, "validation": data.validation, "test": data.test}
    used = {role: splits for role, splits in roles.items() if splits}
    _refuse_shared_patients(store, used)
    for role in ("train", "validation"):
        _refuse_one_class(store, role, roles[role])
    return store


def bind(config: SweepConfig, store: Store) -> SweepConfig:
    """The sweep with all that it takes from elsewhere written into it.

    That is the store's absolute path and fingerprint, and the knob values of the levels.

    Raises:
        UserError: An artifact reaches none of its levels, or the settings do not say what a
            level means.

    """
    data = dataclasses.replace(config.data, store=str(store.path), fingerprint=store.fingerprint)
    for asked in (config.stress, config.train.augment):
        for artifact in asked.artifacts:
            reached(config.stress, artifact, asked.levels)
    used = (*config.stress.artifacts, *config.train.augment.artifacts)
    stress = dataclasses.replace(config.stress, knobs=bound_knobs(config.stress, used))
    return dataclasses.replace(config, data=data, stress=stress)


def _refuse_shared_patients(store: Store, used: dict[str, tuple[Split, ...]]) -> None:
    patients = {
        role: set(store.patients[store.indices(split)].tolist()) for role, split in used.items()
    }
    for one, other in combinations(patients, 2):
        shared = sorted(patients[one] & patients[other])
        if shared:
            raise UserError(
                "patients are in two splits, which flatters the scores",
                f"{len(shared)} in {one} and in {other}, {shared[0]!r} the first",
                "split by patient",
            )


def _refuse_one_class(store: Store, role: str, splits: Sequence[Split]) -> None:
    labels = store.labels[store.indices(splits)]
    shares = labels.mean(axis=0)
    for name, share in zip(store.label_names, np.asarray(shares), strict=True):
        if share in (0.0, 1.0):
            count = "none" if share == 0 else "all"
            raise UserError(
                "a label cannot be scored without slices that have it and slices that have it not",
                f"{role} {list(splits)}, where {count} of the {len(labels)} slices have {name!r}",
                "choose other splits, or leave the label out of the store",
            )

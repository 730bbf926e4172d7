"""What must hold before a sweep starts, so that nothing fails an hour later."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

import artifacts_sim
from mrimodels import ModelError, ModelSpec, build, digest_of
from sweep.config.artifacts import base_of
from sweep.config.augment import AugmentSettings
from sweep.config.levels import bound_knobs, require_some_reached
from sweep.config.settings import ModelSettings, Split, StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, within
from sweep.core.text import number_of
from sweep.learn.context import about_neighbours, require_neighbours
from sweep.learn.drawable import require_drawable
from sweep.learn.group_dro import Groups
from sweep.learn.levels import Levels, foreign_grid, with_levels
from sweep.learn.mixstyle import stages_of
from sweep.learn.signals import check_signal
from sweep.remote.address import absolute
from sweep.results.advice import FEW
from sweep.results.trackers import check_trackers
from sweep.stats.checkpoint import basis_of
from sweep.store import Store
from sweep.store.bound import open_bound


def open_data(config: SweepConfig) -> Store:
    """Open the sweep's store and check that it can carry the sweep.

    Raises:
        UserError: Store missing, of another fingerprint or changed in place, k-space asked for and
            not kept, split missing, patient in two splits, label with one class in training or
            validation, options of an artifact that need what the store does not say, a network
            that does not take its images, weights that are not those that the sweep is bound to,
            groups or stages of a network that a method of training asks for and that are not there.

    """
    data = config.data
    store = open_bound(data.store, data.fingerprint)
    check_signal(store, data.signal)
    check_trackers(config)
    roles = {"train": data.train, "validation": data.validation, "test": data.test}
    used = {role: splits for role, splits in roles.items() if splits}
    _refuse_shared_patients(store, used)
    for role in ("train", "validation"):
        _refuse_one_class(store, role, roles[role])
    rows = store.indices((*data.train, *data.validation))
    require_neighbours(store, rows, most_context(config))
    require_drawable(store, rows, used_artifacts(config), config.stress.options, data.scan_draws)
    _refuse_unfit(config, store)
    _refuse_untrainable(config, store)
    return store


class Bound(NamedTuple):
    """A sweep that takes nothing from elsewhere any more.

    Attributes:
        config: The sweep.
        levels: The levels that were calibrated for it; None where all were fixed.

    """

    config: SweepConfig
    levels: Levels | None


def bind(
    config: SweepConfig, store: Store, say: Callable[[str], None] = lambda text: None
) -> Bound:
    """The sweep with all that it takes from elsewhere written into it.

    That is the store's absolute path and fingerprint, those of a file of weights, the absolute path
    of an earlier sweep, and the knob values of the levels, which the grid ``auto`` calibrates now.

    Args:
        config: The sweep as configured.
        store: Its data.
        say: Told how far a calibration is, which levels of the stress test or of the augmentation
            are missing, of a grid that is for other images, and what became of pretrained weights.

    Raises:
        UserError: An artifact reaches none of its levels, the settings do not say what a level
            means, or the training slices do not do for a calibration; or see ``refuse_held_out``.

    """
    refuse_held_out(config)
    data = config.data.of_store(str(store.path), store.fingerprint, store.caution)
    used = used_artifacts(config)
    if remark := foreign_grid(config.stress, config.data, store):
        say(f"levels: {remark}")
    stress, levels = with_levels(config.stress, config.data, used, store, say)
    asking: list[StressSettings | AugmentSettings] = [stress]
    asking += config.augmentations("artifacts", "levels")
    remarks = [levels.remarks(asked.levels, asked.artifacts) for asked in asking] if levels else []
    for remark in dict.fromkeys(chain.from_iterable(remarks)):
        say(f"levels: {remark}")
    for asked in asking:
        require_some_reached(stress, asked.artifacts, asked.levels)
    stress = dataclasses.replace(stress, knobs=bound_knobs(stress, used))
    for line in about_weights(config, store):
        say(f"weights: {line}")
    search = config.search
    if search.from_:
        search = dataclasses.replace(search, from_=absolute(search.from_))
    bound = dataclasses.replace(
        config, data=data, stress=stress, model=_bound(config.model), search=search
    )
    return Bound(bound, levels)


def _bound(model: ModelSettings) -> ModelSettings:
    if model.weights is None:
        return model
    path = Path(model.weights).resolve()
    return dataclasses.replace(model, weights=str(path), weights_digest=digest_of(path))


def about_weights(config: SweepConfig, store: Store) -> tuple[str, ...]:
    """What becomes of the file of weights in the networks that the sweep may have, a line each."""
    lines: dict[str, None] = {}
    for model, spec in _networks(config, store):
        if weights := model.pretrained():
            loaded = build(spec, weights=weights).loaded
            lines |= dict.fromkeys(loaded.lines() if loaded else ())
    return tuple(lines)


def about_evidence(config: SweepConfig, store: Store) -> tuple[str, ...]:
    """What the sweep has little of to say anything by, a line each."""
    rows = store.indices(config.data.validation)
    truth, patients = store.labels[rows].astype(bool), store.patients[rows].tolist()
    lines = [store.caution] if store.caution else []
    if few := basis_of(truth, store.label_names, patients, "validation patient").reason:
        lines.append(
            f"scores will have no intervals, as {few}. Chance moves scores of so few patients by "
            "much: put more into data.validation"
        )
    both = store.indices((*config.data.train, *config.data.validation))
    if alone := about_neighbours(store, both, most_context(config)):
        lines.append(alone)
    search = config.search
    if (strata := search.strata()) and search.total < FEW * len(strata):
        lines.append(
            f"{number_of(search.total, 'trial')} for {len(strata)} strata; with fewer than {FEW} "
            "each, the best "
            "of one says more about luck than about it"
        )
    each = search.total // search.shares()
    if search.waits_after(config.train.epochs) and search.kept() >= each:
        lines.append(
            f"topk stops no trial, as {search.kept()} of each group may go on to the end, and a "
            f"group has {number_of(each, 'trial')}: set more search.trials, or a smaller "
            "search.keep"
        )
    return tuple(lines)


def _refuse_unfit(config: SweepConfig, store: Store) -> None:
    """A network takes the images of the store, and the weights fit it."""
    height, width = store.images.shape[1:]
    distinct = {(of[1].arch, of[1].in_channels): of for of in _networks(config, store)}
    for model, spec in distinct.values():
        spec.require_size(height, width)
        if weights := model.pretrained():
            build(spec, weights=weights)


def _networks(config: SweepConfig, store: Store) -> Iterator[tuple[ModelSettings, ModelSpec]]:
    """The networks that a trial may have, with inputs of as many channels as there may be."""
    for context in config.offered("data.context"):
        data = dataclasses.replace(config.data, context=context)
        for model in config.networks():
            try:
                yield model, model.spec(len(store.label_names), data.channels)
            except ModelError as error:
                where = f"data.context {context}, which makes inputs of {data.channels} channels"
                raise within(where, error) from None


def most_context(config: SweepConfig) -> int:
    """The most neighbours on either side that a trial may ask for."""
    return int(max(config.offered("data.context")))


def _refuse_untrainable(config: SweepConfig, store: Store) -> None:
    """The methods of training that a trial may have find what they need."""
    for column in config.offered("train.group_dro"):
        if column is not None:
            Groups.of(store, store.indices(config.data.train), column)
    if any(config.offered("train.mixstyle")):
        for model in {model.arch: model for model in config.networks()}.values():
            stages_of(build(model.spec(len(store.label_names), config.data.channels)))


def used_artifacts(config: SweepConfig) -> tuple[str, ...]:
    """The artifacts of the stress test, then those of the augmentation, searched ones too."""
    augmented = (name for one in config.augmentations("artifacts") for name in one.artifacts)
    return (*config.stress.artifacts, *augmented)


def refuse_held_out(config: SweepConfig) -> None:
    """Refuse a new sweep that would train on artifacts of the held-out family in silence.

    A sweep that has begun, and a checkpoint, stay what they are.

    Raises:
        UserError: The augmentation has such artifacts, or a search offers them, without
            ``holdout: true``.

    """
    family = artifacts_sim.families()["holdout"]
    for one in config.augmentations("artifacts", "holdout"):
        held_out = [name for name in one.artifacts if base_of(name) in family]
        if held_out and not one.holdout:
            raise UserError(
                "the augmentation has artifacts of the held-out family, which no training is to "
                "have seen",
                ", ".join(held_out),
                "leave them out of train.augment.artifacts, or set train.augment.holdout: true and "
                "test on others",
            )


def seen_artifacts(config: SweepConfig) -> tuple[str, ...]:
    """Those of the stress test that the augmentation has, too, themselves or as a variant."""
    bases = {base_of(name) for one in config.augmentations("artifacts") for name in one.artifacts}
    return tuple(name for name in config.stress.artifacts if base_of(name) in bases)


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
                f"{role} {list(splits)}, where {count} of the {number_of(len(labels), 'slice')} "
                f"have {name!r}",
                "choose other splits, or leave the label out of the store",
            )

"""One checkpoint under artifacts, as the sweep would have scored it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import artifacts_sim
import mrimodels
from artifacts_sim import Artifact
from sweep.api.checkpoint import note_if_test, open_checkpoint
from sweep.api.seen import seen_in_choice, seen_in_training, training_store
from sweep.config.artifacts import (
    NO_OPTIONS,
    Options,
    artifact_of,
    check_options,
    known_names,
    listed,
    require_used,
)
from sweep.config.levels import uncalibrated, unreached
from sweep.config.modes import ModeSettings
from sweep.config.settings import StressSettings
from sweep.core.errors import UserError, require_known
from sweep.core.modes import EMA, OF_BATCH_NORM, PRECISE
from sweep.core.records import (
    CLEAN,
    TRAINED,
    Basis,
    EpochRecord,
    Predictions,
    missing_as_null,
    null_if_missing,
)
from sweep.learn.checkpoints import CheckpointInfo, LoadedCheckpoint
from sweep.learn.context import about_neighbours, require_neighbours
from sweep.learn.drawable import require_drawable
from sweep.learn.levels import foreign_grid, with_levels
from sweep.learn.modes import (
    composition_of,
    composition_text,
    precise_statistics,
    require_mode,
    stress_in_mode,
)
from sweep.learn.signals import check_signal
from sweep.learn.stress import cells_of, record_of, scores_of
from sweep.metrics import Metric
from sweep.metrics.operating import operating_points
from sweep.results.by_group import Dealt
from sweep.results.stress_text import SplitCount, counts_of
from sweep.stats.by_group import ByGroup, plain
from sweep.stats.checkpoint import ArtifactScore, Intervals, by_artifact, intervals_of
from sweep.stats.difference import Answers
from sweep.stats.grouping import Grouping
from sweep.store import Store


@dataclass(frozen=True, eq=False)
class Stressed:
    """What a checkpoint scores under artifacts, and what that rests on.

    Attributes:
        record: The scores.
        splits: What is scored of which split.
        predictions: Every cell.
        truth: (N, L) whether a slice shows a label.
        labels: The L names.
        patients: (N,) the patient of each slice.
        points: The operating point of each label; None: chosen on these slices, see ``scores_of``.
        store: The store of the slices.
        rows: (N,) the slices.

    """

    record: EpochRecord
    splits: tuple[SplitCount, ...]
    predictions: tuple[Predictions, ...]
    truth: NDArray[np.bool_]
    labels: tuple[str, ...]
    patients: list[str]
    points: Mapping[str, float] | None
    store: Store
    rows: NDArray[np.int64]

    @cached_property
    def sure(self) -> tuple[Intervals, Basis]:
        """The 95 % intervals of its summaries, over patients, and what they rest on."""
        of = self.predictions, self.truth, self.labels, self.patients
        return intervals_of(*of, points=self.points)

    def by_artifact(self, metric: Metric) -> list[ArtifactScore]:
        """One metric under each artifact."""
        of = self.predictions, self.truth, self.labels, self.patients
        return by_artifact(metric, *of, self.points)

    def by_group(self, metric: Metric, grouping: Grouping, least: int | None = None) -> ByGroup:
        """One metric in groups of the slices; see ``sweep.stats.groups.scores_by_group``.

        Raises:
            UserError: The store has no such column, or it makes no groups.

        """
        keys = self.store.keys[self.rows].tolist()
        answers = Answers(
            self.predictions, keys, self.patients, self.labels, self.truth, self.points
        )
        values = self.store.column(grouping.column)[self.rows].tolist()
        dealt = Dealt.of(grouping, dict(zip(keys, values, strict=True)), keys)
        return dealt.scores(metric, answers, least)


def stress_checkpoint(
    checkpoint: Path,
    data: Path,
    artifacts: Sequence[str] | None = None,
    levels: Sequence[int] | None = None,
    splits: Sequence[str] | None = None,
    grid: str | None = None,
    options: Options = NO_OPTIONS,
    mode: str = TRAINED,
    modes: ModeSettings | None = None,
) -> EpochRecord:
    """Score a checkpoint; what is not said is as in its training.

    Levels of artifacts that its sweep did not have, or had with other options, are found as its
    sweep's were, with the grid ``auto`` on its training slices.

    Args:
        checkpoint: The checkpoint that a sweep or ``fit`` wrote.
        data: A store with the same labels, and with k-space if it was trained on k-space.
        artifacts: Names, also of variants in ``options``, or of a family; None: those of its sweep.
        levels: 1 to 5; None: those of its sweep.
        splits: None: the validation splits of its sweep.
        grid: What a level means, of all artifacts; None: what it meant in its sweep.
        options: Options of artifacts, by name, beside those that its sweep set.
        mode: How its network is used, see ``sweep.config.modes``.
        modes: Which slices stand together for it; None: as its sweep was set when it was trained.

    Raises:
        UserError: No checkpoint, no store, other labels, no k-space where it is needed, a name
            that does not exist, an option that its artifact refuses, a mode that its network does
            not have, or levels or a mode whose training slices are not to be found.

    """
    loaded = open_checkpoint(checkpoint)
    asked = (data, artifacts, levels, splits, grid, options, mode, modes)
    return stress(loaded, *asked, checkpoint=checkpoint).record


def stress(
    loaded: LoadedCheckpoint,
    data: Path,
    artifacts: Sequence[str] | None = None,
    levels: Sequence[int] | None = None,
    splits: Sequence[str] | None = None,
    grid: str | None = None,
    options: Options = NO_OPTIONS,
    mode: str = TRAINED,
    modes: ModeSettings | None = None,
    say: Callable[[str], None] = lambda text: None,
    checkpoint: Path | None = None,
) -> Stressed:
    """Score a checkpoint that was read; see ``stress_checkpoint``.

    ``say`` is told how far a calibration is, which slices stood together for a mode, and which
    patients the checkpoint had seen. The folder of ``checkpoint``, where it was read from, keeps
    that its test slices were looked at.
    """
    info = loaded.info
    _require_mode(loaded, mode)
    store = Store.open(data)
    info.check_store(store)
    if store.caution:
        say(store.caution)
    trial_config = info.config
    check_signal(store, trial_config.data.signal)
    settings = _with_options(trial_config.stress, options)
    settings = dataclasses.replace(
        settings,
        artifacts=listed(artifacts or settings.artifacts, settings.options, "--artifacts"),
        levels=tuple(levels or settings.levels),
        modes=modes or settings.modes,
    )
    require_used("--options", options, settings.artifacts)
    require_known(
        "--levels", [str(n) for n in settings.levels], [str(n) for n in artifacts_sim.LEVELS]
    )
    if grid is not None:
        settings = dataclasses.replace(settings, grid=grid, knobs={})
    indices = store.indices(splits or trial_config.data.validation)
    require_neighbours(store, indices, trial_config.data.context)
    if alone := about_neighbours(store, indices, trial_config.data.context):
        say(f"note: {alone}")
    scan_draws = trial_config.data.scan_draws
    require_drawable(store, indices, settings.artifacts, settings.options, scan_draws)
    if missing := uncalibrated(settings, settings.artifacts):
        training = _training_store(
            info,
            store,
            f"the sweep had no levels of {', '.join(missing)}, and the training slices, on which "
            "the grid auto calibrates them, are not here",
            "put the data back, or take --grid calibrated, --grid physical or a file of levels",
        )
        settings, _ = with_levels(settings, trial_config.data, missing, training, say)
    elif remark := foreign_grid(settings, trial_config.data, store):
        say(f"levels: {remark}")
    if left_out := unreached(settings):
        say(f"note: left out, as no knob value reaches that level: {', '.join(left_out)}")
    if checkpoint is not None and splits:
        note_if_test(checkpoint, info, store, splits, "mrisweep stress")
    with _prepared(loaded, mode, store, indices, settings, say):
        cells = cells_of(settings)
        predictions = list(stress_in_mode(loaded, store, cells, indices, settings, mode))
        points = _points(loaded, store, indices, settings, mode, say)
    scores = scores_of(predictions, store, indices, points)
    for remark in (*seen_in_training(info, store, indices), *seen_in_choice(info, store, indices)):
        say(f"note: {remark}")
    return Stressed(
        record=record_of(scores, info.trial, info.epoch, info.stats),
        splits=counts_of(store, indices),
        predictions=tuple(predictions),
        truth=store.labels[indices].astype(bool),
        labels=store.label_names,
        patients=store.patients[indices].tolist(),
        points=points,
        store=store,
        rows=indices,
    )


def _points(
    loaded: LoadedCheckpoint,
    store: Store,
    indices: NDArray[np.int64],
    settings: StressSettings,
    mode: str,
    say: Callable[[str], None],
) -> Mapping[str, float] | None:
    """The operating points of a checkpoint, see ``scores_of``; of other slices, frozen."""
    splits = loaded.info.config.data.validation
    own = store.fingerprint == loaded.info.fingerprint
    if own and np.array_equal(indices, store.indices(splits)):
        return None
    if (validation := training_store(loaded.info, store)) is None:
        say(
            "the operating point is that of clean validation slices, and they are not here: "
            "sensitivity, specificity and balanced accuracy are missing; put the data back to have "
            "them"
        )
        return {}
    there = validation.indices(splits)
    clean = stress_in_mode(loaded, validation, [CLEAN], there, settings, mode)
    return operating_points(clean, validation.labels[there].astype(bool), validation.label_names)


def _with_options(stress: StressSettings, options: Options) -> StressSettings:
    """The settings with more options; levels of an artifact that these change are to be found."""
    own = dict(stress.options)
    for name, more in options.items():
        own[name] = {**own.get(name, {}), **more}
    check_options(own)
    changed = {name for name in options if _made(name, own) != _made(name, stress.options)}
    knobs = {name: knobs for name, knobs in stress.knobs.items() if name not in changed}
    return dataclasses.replace(stress, options=own, knobs=knobs)


def _made(name: str, options: Options) -> Artifact | None:
    """The artifact of a name; None for a variant that has no options there."""
    return artifact_of(name, options) if name in known_names(options) else None


@contextmanager
def _prepared(
    loaded: LoadedCheckpoint,
    mode: str,
    store: Store,
    indices: NDArray[np.int64],
    settings: StressSettings,
    say: Callable[[str], None],
) -> Iterator[None]:
    """While inside, a checkpoint is as its mode wants it; says which slices stand together."""
    if mode == PRECISE:
        wrong = "the mode precise takes statistics of the training slices, and they are not here"
        remedy = "put the data back, or take another mode"
        store = _training_store(loaded.info, store, wrong, remedy)
        indices = store.indices(loaded.info.config.data.train)
    if composition := composition_of(mode, store, indices, settings):
        say(f"{mode}: {composition_text(composition)}")
    if mode != PRECISE:
        yield
        return
    population = precise_statistics(loaded, store, settings)
    with mrimodels.using_statistics(loaded.model, population):
        yield


def _require_mode(loaded: LoadedCheckpoint, mode: str) -> None:
    if mode == EMA:
        raise UserError(
            "the mode ema has a checkpoint of its own",
            "--mode ema",
            "give the file that ends in .ema.pt, without --mode",
        )
    require_known("--mode", (mode,), (TRAINED, *OF_BATCH_NORM))
    require_mode(loaded, mode)


def _training_store(info: CheckpointInfo, store: Store, wrong: str, remedy: str) -> Store:
    """The store that a checkpoint was trained on: the one that is open, or where it was then.

    Raises:
        UserError: It is neither.

    """
    if (found := training_store(info, store)) is None:
        there = info.config.data.store
        raise UserError(wrong, f"{store.path}, and no such data at {there}", remedy)
    return found


def as_json(found: Stressed, metric: Metric, groups: ByGroup | None = None) -> dict[str, Any]:
    """All metrics with their intervals, and one in every cell; a missing value is null.

    Args:
        found: What was scored.
        metric: The one that is shown.
        groups: The same by group; None: that was not asked.

    """
    intervals, basis = found.sure
    return {
        "metrics": missing_as_null(found.record.metrics),
        "intervals": intervals,
        "patients": basis.patients,
        "splits": [one._asdict() for one in found.splits],
        "groups": groups and plain(groups),
        "artifacts": [
            {
                "artifact": one.artifact,
                "levels": list(one.levels),
                "metric": metric.name,
                "mean": null_if_missing(one.mean),
                "interval": [null_if_missing(end) for end in one.interval],
                "worst": null_if_missing(one.worst),
                "worst_level": one.worst_level,
            }
            for one in found.by_artifact(metric)
        ],
        "cells": [
            {
                "artifact": item.cell.artifact,
                "level": item.cell.level,
                "label": item.label,
                "metric": metric.name,
                "value": null_if_missing(item.value),
            }
            for item in found.record.scores
            if item.metric == metric.name
        ],
    }

"""A finalist: trained to its end without a look at any score, then scored at one place or more."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sweep.config.settings import LevelKnobs, StressSettings, TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.finals import VALIDATION, FinalistRun, Place
from sweep.core.records import EpochRecord, Predictions, Score, is_missing
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import CheckpointInfo, load_checkpoint
from sweep.learn.kept import KeptInputs
from sweep.learn.stress import cells_of, record_of, scores_of, stress_loaded
from sweep.learn.trainer import Trainer
from sweep.metrics import metrics
from sweep.metrics.operating import operating_points
from sweep.metrics.summary import cvar_fixed, summarize_apart
from sweep.store import Store

Summary = dict[str, float]


class AtPlace(NamedTuple):
    """What one epoch says at a place.

    Attributes:
        place: Which.
        record: The scores of every cell; for the summary see ``summary_at``.
        predictions: Of every cell.

    """

    place: Place
    record: EpochRecord
    predictions: Sequence[Predictions]


def trial_of(config: SweepConfig, run: FinalistRun, knobs: Mapping[str, LevelKnobs]) -> TrialConfig:
    """What a run trains: its trial with the seed of the run, of which no epoch is scored early."""
    trial = config.trial(run.params)
    stress = dataclasses.replace(trial.stress, knobs={**knobs, **trial.stress.knobs})
    return dataclasses.replace(trial, seed=run.seed, stress=stress, screen=None)


def train_to_end(
    config: TrialConfig, store: Store, files: CheckpointFolder, name: str, last: int
) -> bool:
    """Train all epochs; goes on where ``files`` leave off.

    Args:
        config: What to train.
        store: The store with the training slices.
        files: For the checkpoints, of which those of the last epochs stay.
        name: The name in the checkpoints.
        last: How many epochs that is.

    Returns:
        Whether it came to its end; no where the loss of an epoch was not finite.

    """
    end = files.epoch(config.train.epochs)
    if end.exists():
        return math.isfinite(CheckpointInfo.read(end).stats.train_loss)
    trainer = Trainer(config, store, trial=name)
    done = trainer.resume(files)
    if done and is_missing(CheckpointInfo.read(files.epoch(done)).stats.train_loss):
        return False
    for epoch in range(done + 1, config.train.epochs + 1):
        stats = trainer.train_epoch(epoch)
        trainer.save(files, epoch, stats)
        files.keep(range(epoch - last + 1, epoch + 1))
        if not math.isfinite(stats.train_loss):
            return False
    return True


def slices_of(store: Store, place: Place) -> NDArray[np.int64]:
    """(N,) the slices of a place."""
    return store.indices(place.splits) if place.splits else np.arange(len(store))


def settings_at(stress: StressSettings, place: Place) -> StressSettings:
    """The stress test of a place."""
    return dataclasses.replace(stress, artifacts=(*place.artifacts, *place.holdout))


def score_places(
    files: CheckpointFolder,
    epoch: int,
    places: Sequence[tuple[Place, Store]],
    device: torch.device,
    kept: KeptInputs | None = None,
) -> Iterator[AtPlace]:
    """Score one epoch at every place.

    Operating points are frozen on the clean validation slices.

    Args:
        files: Where its checkpoint is.
        epoch: Which.
        places: Each with its store; the validation slices first.
        device: Where to compute.
        kept: Inputs from before; None: all are computed.

    """
    loaded = load_checkpoint(files.epoch(epoch), device)
    info = loaded.info
    points: dict[str, float] = {}
    for place, store in places:
        info.check_store(store)
        rows = slices_of(store, place)
        settings = settings_at(info.config.stress, place)
        found = list(stress_loaded(loaded, store, cells_of(settings), rows, settings, kept))
        if place.name == VALIDATION:
            truth = store.labels[rows].astype(bool)
            points = dict(operating_points(found, truth, store.label_names))
        scores = scores_of(found, store, rows, points)
        yield AtPlace(place, record_of(scores, info.trial, epoch, info.stats), found)


def summary_at(place: Place, scores: Iterable[Score], validation: Iterable[Score]) -> Summary:
    """The summary of scores at a place: of searched and of held-out artifacts apart.

    Args:
        place: Which.
        scores: There.
        validation: Those of the same checkpoint on the validation slices.

    """
    here, reference = tuple(scores), tuple(validation)
    summary = summarize_apart(here, place.holdout)
    known = {item.metric for item in here}
    for metric in metrics().values() if place.name != VALIDATION else ():
        if metric.name in known:
            summary |= cvar_fixed(here, reference, metric)
    return summary

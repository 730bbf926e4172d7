"""Scoring a checkpoint on clean and on corrupted slices, keeping what it says of every slice."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim import Shift
from sweep.config.levels import reached, require_some_reached, shift_of
from sweep.config.settings import DataSettings, StressSettings
from sweep.core.records import CLEAN, Cell, EpochRecord, Predictions, Score
from sweep.learn.checkpoints import EpochStats, LoadedCheckpoint, load_checkpoint
from sweep.learn.inputs import Batch, Stacks, corrupt, gather, normalize
from sweep.learn.kept import KeptInputs
from sweep.learn.loading import prefetched
from sweep.learn.outputs import log_odds
from sweep.metrics.summary import score, summary
from sweep.store import Store


def cells_of(settings: StressSettings) -> tuple[Cell, ...]:
    """The clean images, then every artifact at every level that it reaches.

    Raises:
        UserError: None reaches any, or the settings do not say what a level means.

    """
    require_some_reached(settings, settings.artifacts, settings.levels)
    stressed = (
        Cell(artifact, level)
        for artifact in settings.artifacts
        for level in reached(settings, artifact, settings.levels)
    )
    return (CLEAN, *stressed)


def default_device() -> torch.device:
    """The GPU this process may use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@torch.inference_mode()
def logits(
    model: torch.nn.Module,
    store: Store,
    indices: NDArray[np.int64],
    shift: Shift,
    data: DataSettings,
    settings: StressSettings,
    device: torch.device,
    kept: KeptInputs | None = None,
) -> Generator[Tensor]:
    """What a model says of slices, batch by batch.

    Args:
        model: The model in evaluation mode, on ``device``.
        store: The store of the slices.
        indices: (N,) slices.
        shift: What happens to them.
        data: Which signal the artifacts act on, and the intensity scaling.
        settings: Seed of the draws and batch size.
        device: Where to compute.
        kept: Inputs from before; None: all are computed.

    Yields:
        (B, L) on the device.

    """
    starts = range(0, len(indices), settings.batch_size)
    rows = (indices[start : start + settings.batch_size] for start in starts)
    with closing(inputs(store, rows, shift, data, settings.seed, device, kept)) as batches:
        for batch in batches:
            yield model(batch)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A batch whose slices were kept."""

    stacks: Stacks
    slices: Tensor

    def tensors(self) -> Iterator[Tensor]:
        """All that lies on the device."""
        yield self.slices


@dataclass(frozen=True, eq=False)
class _New:
    """A batch whose slices are to be made."""

    stacks: Stacks
    batch: Batch

    def tensors(self) -> Iterator[Tensor]:
        """All that lies on the device."""
        return self.batch.tensors()


def inputs(
    store: Store,
    batches: Iterable[NDArray[np.int64]],
    shift: Shift,
    data: DataSettings,
    seed: int,
    device: torch.device,
    kept: KeptInputs | None = None,
) -> Generator[Tensor]:
    """Slices as a network gets them, batch by batch.

    With neighbours, a slice that several inputs of a batch have is damaged once. Slices are then
    kept as they are before they are stacked and scaled, so that they take no more room.

    Args:
        store: The store of the slices.
        batches: (B,) slices each.
        shift: What happens to them.
        data: Which signal the artifacts act on, and the intensity scaling.
        seed: Of the draws.
        device: Where to compute.
        kept: Where they are taken from, bit for bit what they would be, and kept; None: nowhere.

    Yields:
        (B, C, H, W) on the device; C = 1 without neighbours.

    """
    scaling = None if data.context else data.normalize
    key = (store.fingerprint, shift, data.signal, data.scan_draws, scaling, seed, device)

    def load(rows: NDArray[np.int64]) -> _Kept | _New:
        stacks = Stacks.of(store, rows, data.context)
        found = kept.find(key, stacks.rows, device) if kept is not None else None
        if found is not None:
            return _Kept(stacks, found)
        return _New(stacks, gather(store, stacks.rows, device, data.signal, data.scan_draws))

    with closing(prefetched(load, batches, device)) as loaded:
        for item in loaded:
            if isinstance(item, _Kept):
                slices = item.slices
            else:
                slices = corrupt(item.batch.signals, shift, item.batch.names, seed)
                slices = slices if scaling is None else normalize(slices, scaling)
                if kept is not None:
                    kept.keep(key, item.stacks.rows, slices)
            if scaling is None:
                slices = normalize(item.stacks.stacked(slices), data.normalize)
            yield slices


def predict(
    model: torch.nn.Module,
    store: Store,
    indices: NDArray[np.int64],
    cell: Cell,
    data: DataSettings,
    settings: StressSettings,
    device: torch.device,
    kept: KeptInputs | None = None,
) -> Predictions:
    """Log-odds of a model for the slices of one cell, see ``logits``."""
    shift = shift_of(settings, cell)
    # Not the logits, as one that an artifact shifts in all classes alike must change no score.
    parts = [
        log_odds(batch, store.task)
        for batch in logits(model, store, indices, shift, data, settings, device, kept)
    ]
    return Predictions(cell, torch.cat(parts).cpu().numpy())


def stress(
    checkpoint: Path,
    store: Store,
    cells: Iterable[Cell],
    indices: NDArray[np.int64],
    settings: StressSettings,
    device: torch.device | None = None,
    kept: KeptInputs | None = None,
) -> Iterator[Predictions]:
    """Stress-test one checkpoint, cell by cell.

    The outcome of a cell depends on the checkpoint, the slices and the settings alone: not on
    which cells came before, nor on which process computes it, nor on whether its inputs were kept.

    Args:
        checkpoint: A file that ``fit`` or a sweep wrote.
        store: Its slices need not be those it was trained on.
        cells: What to score.
        indices: (N,) slices.
        settings: Seed of the draws and batch size.
        device: None: a GPU where there is one.
        kept: Inputs from checkpoints before; None: all are computed.

    """
    loaded = load_checkpoint(checkpoint, device or default_device())
    yield from stress_loaded(loaded, store, cells, indices, settings, kept)


def stress_loaded(
    loaded: LoadedCheckpoint,
    store: Store,
    cells: Iterable[Cell],
    indices: NDArray[np.int64],
    settings: StressSettings,
    kept: KeptInputs | None = None,
) -> Iterator[Predictions]:
    """Stress-test a checkpoint that was read before; see ``stress``."""
    model, info = loaded
    device = next(model.parameters()).device
    for cell in cells:
        yield predict(model, store, indices, cell, info.config.data, settings, device, kept)


def scores_of(
    predictions: Iterable[Predictions],
    store: Store,
    indices: NDArray[np.int64],
    points: Mapping[str, float] | None = None,
) -> tuple[Score, ...]:
    """Every metric of each cell and label.

    Args:
        predictions: Of one checkpoint, a cell each.
        store: The store of the slices.
        indices: (N,) the slices, in the order of the predictions.
        points: The operating point of each label; None: these are validation slices, see
            ``sweep.metrics.summary.score``.

    """
    truth = store.labels[indices].astype(bool)
    patients = store.patients[indices].tolist()
    return score(predictions, truth, store.label_names, patients, points)


def record_of(
    scores: tuple[Score, ...],
    trial: str,
    epoch: int,
    stats: EpochStats,
    screened: tuple[Score, ...] = (),
) -> EpochRecord:
    """The record of a stress test that ends now.

    Args:
        scores: Of the full test; empty where the epoch was only screened.
        trial: The name of the checkpoint's trial.
        epoch: The number of its epoch.
        stats: What training that epoch gave.
        screened: Of the screening, where there is one.

    """
    return EpochRecord(
        trial=trial,
        epoch=epoch,
        train_loss=stats.train_loss,
        images_per_s=stats.images_per_s,
        evaluated_at_ms=time.time_ns() // 1_000_000,
        scores=scores,
        metrics=summary(scores, screened),
        screened=screened,
    )

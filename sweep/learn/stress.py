"""Scoring a checkpoint on clean and on corrupted slices, keeping every probability."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sweep.config.levels import reached, require_some_reached, shift_of
from sweep.config.settings import DataSettings, StressSettings
from sweep.core.records import CLEAN, Cell, EpochRecord, Predictions
from sweep.learn.checkpoints import EpochStats, LoadedCheckpoint, load_checkpoint
from sweep.learn.inputs import Batch, corrupt, gather, normalize
from sweep.learn.loading import prefetched
from sweep.metrics.summary import score, summarize
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
def predict(
    model: torch.nn.Module,
    store: Store,
    indices: NDArray[np.int64],
    cell: Cell,
    data: DataSettings,
    settings: StressSettings,
    device: torch.device,
) -> Predictions:
    """Probabilities of a model for the slices of one cell.

    Args:
        model: The model in evaluation mode, on ``device``.
        store: The store of the slices.
        indices: (N,) slices.
        cell: Which corruption.
        data: Which signal the artifacts act on, and the intensity scaling.
        settings: Seed of the draws and batch size.
        device: Where to compute.

    """
    shift = shift_of(settings, cell)

    def load(rows: NDArray[np.int64]) -> Batch:
        return gather(store, rows, device, data.signal, data.scan_draws)

    starts = range(0, len(indices), settings.batch_size)
    rows = (indices[start : start + settings.batch_size] for start in starts)
    parts = []
    with closing(prefetched(load, rows, device)) as batches:
        for batch in batches:
            corrupted = corrupt(batch.signals, shift, batch.names, settings.seed)
            parts.append(_probability(model(normalize(corrupted, data.normalize)), store.task))
    return Predictions(cell, torch.cat(parts).cpu().numpy())


def _probability(logits: torch.Tensor, task: str) -> torch.Tensor:
    # The probability, not the logit: a logit shifted by an artifact in all classes alike must not
    # change the score.
    logits = logits.float()
    return logits.softmax(dim=1) if task == "multiclass" else logits.sigmoid()


def stress(
    checkpoint: Path,
    store: Store,
    cells: Iterable[Cell],
    indices: NDArray[np.int64],
    settings: StressSettings,
    device: torch.device | None = None,
) -> Iterator[Predictions]:
    """Stress-test one checkpoint, cell by cell.

    The outcome of a cell depends on the checkpoint, the slices and the settings alone: not on
    which cells came before, nor on which process computes it.

    Args:
        checkpoint: A file that ``fit`` or a sweep wrote.
        store: Its slices need not be those it was trained on.
        cells: What to score.
        indices: (N,) slices.
        settings: Seed of the draws and batch size.
        device: None: a GPU where there is one.

    """
    loaded = load_checkpoint(checkpoint, device or default_device())
    yield from stress_loaded(loaded, store, cells, indices, settings)


def stress_loaded(
    loaded: LoadedCheckpoint,
    store: Store,
    cells: Iterable[Cell],
    indices: NDArray[np.int64],
    settings: StressSettings,
) -> Iterator[Predictions]:
    """Stress-test a checkpoint that was read before; see ``stress``."""
    model, info = loaded
    device = next(model.parameters()).device
    for cell in cells:
        yield predict(model, store, indices, cell, info.config.data, settings, device)


def record_of(
    predictions: Iterable[Predictions],
    store: Store,
    indices: NDArray[np.int64],
    trial: str,
    epoch: int,
    stats: EpochStats,
) -> EpochRecord:
    """The record of a stress test that ends now.

    Args:
        predictions: Of one checkpoint, a cell each.
        store: The store of the slices.
        indices: (N,) the slices, in the order of the predictions.
        trial: The name of the checkpoint's trial.
        epoch: The number of its epoch.
        stats: What training that epoch gave.

    """
    truth = store.labels[indices].astype(bool)
    patients = store.patients[indices].tolist()
    scores = score(predictions, truth, store.label_names, patients)
    return EpochRecord(
        trial=trial,
        epoch=epoch,
        train_loss=stats.train_loss,
        images_per_s=stats.images_per_s,
        evaluated_at_ms=time.time_ns() // 1_000_000,
        scores=scores,
        metrics=summarize(scores),
    )

"""A checkpoint in another mode: which slices stand together, and what their statistics make of it.

The composition of a batch follows from the slices' keys and the settings alone: it is the same in
every trial, cell and process.
"""

import dataclasses
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import mrimodels
from artifacts_sim import Shift
from sweep.config.levels import shift_of
from sweep.config.modes import ModeSettings
from sweep.config.settings import ModelSettings, StressSettings
from sweep.core.errors import UserError
from sweep.core.files import replacing
from sweep.core.keys import digest
from sweep.core.modes import (
    ADABN,
    BLEND,
    OF_BATCH_NORM,
    OWN_CHECKPOINT,
    PRECISE,
    PREDICTION_TIME,
    WHOLE_BATCHES,
    checkpoint_mode,
)
from sweep.core.records import CLEAN, TRAINED, Cell, Composition, Predictions
from sweep.core.text import number_of
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import LoadedCheckpoint, load_checkpoint
from sweep.learn.fit import Done, Evaluation
from sweep.learn.kept import KeptInputs
from sweep.learn.outputs import log_odds
from sweep.learn.stress import cells_of, default_device, inputs, stress_loaded
from sweep.store import Store

Places = NDArray[np.intp]


class ModeEvaluator(Protocol):
    """Evaluates checkpoints in other modes.

    Attributes:
        in_flight: Rows that may be under evaluation at a time.

    """

    in_flight: int

    def evaluate(self, files: CheckpointFolder, epoch: int, mode: str) -> Evaluation:
        """Begin to stress-test an epoch of a trial; for ``precise``, make its checkpoint first."""
        ...


class LocalModes:
    """Evaluates in this process, at once.

    Args:
        stress: The stress test of the sweep.
        store: Its data.
        validation: (N,) the slices to score on.

    """

    in_flight = 1

    def __init__(self, stress: StressSettings, store: Store, validation: NDArray[np.int64]) -> None:
        self.stress, self.store, self.validation = stress, store, validation

    def evaluate(self, files: CheckpointFolder, epoch: int, mode: str) -> Evaluation:
        """Evaluate now."""
        if mode == PRECISE:
            write_precise(files, epoch, self.store, self.stress)
        loaded = load_checkpoint(files.epoch(epoch, checkpoint_mode(mode)), default_device())
        cells = cells_of(self.stress)
        return Done(
            list(stress_in_mode(loaded, self.store, cells, self.validation, self.stress, mode))
        )


@cache
def has_batch_norm(model: ModelSettings) -> bool:
    """Whether a network of these settings has batch norm, and so the modes of batch norm."""
    return bool(mrimodels.batch_norms(mrimodels.skeleton(model.spec(n_outputs=1))))


def require_mode(loaded: LoadedCheckpoint, mode: str) -> None:
    """Refuse a mode that a checkpoint cannot be used in.

    Raises:
        UserError: The network has no batch norm, or the checkpoint is of another mode already.

    """
    if mode in OF_BATCH_NORM and not mrimodels.batch_norms(loaded.model):
        raise UserError(
            f"the mode {mode} is for networks with batch norm",
            f"a network with norm {loaded.info.config.model.norm}",
            "leave the mode out",
        )
    if mode != TRAINED and loaded.info.mode != TRAINED:
        raise UserError(
            f"the mode {mode} is for a checkpoint as training left it",
            f"one in the mode {loaded.info.mode}",
            "give the plain checkpoint of that epoch",
        )


def shared_out(
    keys: Sequence[str], size: int, seed: int, shuffled: bool, most: int | None = None
) -> list[Places]:
    """Slices in batches whose sizes differ by 1 at most.

    A last batch of a few slices would have statistics of no use, and other ones than the rest.

    Args:
        keys: (N,) the names of the slices, in the order of the store.
        size: Slices in a batch at most.
        seed: Key of the permutation, in which a slice's place depends on its name alone.
        shuffled: Whether they are permuted.
        most: Slices at most, the first in that order; None: all.

    Returns:
        For each batch the places of its slices among ``keys``.

    """
    places = range(len(keys))
    order = (
        sorted(places, key=lambda at: digest("modes", seed, str(keys[at]))) if shuffled else places
    )
    chosen = np.array(order[:most], np.intp)
    return np.array_split(chosen, max(1, math.ceil(len(chosen) / size)))


def evaluation_batches(
    store: Store, indices: NDArray[np.int64], stress: StressSettings
) -> list[Places]:
    """The batches in which slices are evaluated, as places among ``indices``, ascending ones."""
    modes = stress.modes
    keys = store.keys[indices].tolist()
    return shared_out(keys, modes.batch_size, stress.seed, modes.order == "shuffled")


def precise_batches(
    store: Store, indices: NDArray[np.int64], stress: StressSettings
) -> list[Places]:
    """The batches of training slices for ``precise``, as places among ``indices``.

    As often each label as the data have it, and not as a balanced sampler draws it.
    """
    modes = stress.modes
    keys = store.keys[indices].tolist()
    return shared_out(keys, modes.batch_size, stress.seed, True, modes.precise_slices)


def composition_of(
    mode: str, store: Store, indices: NDArray[np.int64], stress: StressSettings
) -> Composition | None:
    """What stands together in the batches of a mode; None where no score depends on it.

    Args:
        mode: Its name.
        store: The store of the slices.
        indices: Those that it takes its statistics of: for ``precise`` the training slices, else
            the evaluated ones.
        stress: The stress test.

    """
    if mode in WHOLE_BATCHES:
        batches = evaluation_batches(store, indices, stress)
    elif mode == PRECISE:
        batches = precise_batches(store, indices, stress)
    else:
        return None
    labels = store.labels[indices].astype(bool)
    shares = np.stack([labels[places].mean(axis=0) for places in batches])
    found = (shares.min(axis=0), np.median(shares, axis=0), shares.max(axis=0))
    sizes = [len(places) for places in batches]
    return Composition(
        slices=sum(sizes),
        batches=len(sizes),
        smallest=min(sizes),
        largest=max(sizes),
        positives={
            name: (float(least), float(median), float(greatest))
            for name, least, median, greatest in zip(store.label_names, *found, strict=True)
        },
    )


def composition_text(composition: Composition) -> str:
    """A composition in words, on one line."""
    sizes = sorted({composition.smallest, composition.largest})
    shares = ", ".join(
        f"{label} {least:.2f} to {greatest:.2f}"
        for label, (least, _, greatest) in composition.positives.items()
    )
    return (
        f"{number_of(composition.slices, 'slice')} in batches of {' or '.join(map(str, sizes))} "
        f"({composition.batches} in all); shares of a batch: {shares}"
    )


def write_precise(
    files: CheckpointFolder,
    epoch: int,
    store: Store,
    stress: StressSettings,
    device: torch.device | None = None,
) -> Path:
    """Write the checkpoint ``precise`` of an epoch beside the plain one; whole or not at all.

    Args:
        files: The checkpoints of the trial.
        epoch: The number of the epoch.
        store: The store that it was trained on.
        stress: Says how many slices, and in which batches.
        device: None: a GPU where there is one.

    """
    loaded = load_checkpoint(files.epoch(epoch), device or default_device())
    info = dataclasses.replace(loaded.info, mode=PRECISE)
    spec = info.config.spec(n_outputs=len(info.labels))
    path = files.epoch(epoch, PRECISE)
    statistics = precise_statistics(loaded, store, stress)
    with replacing(path) as temporary, mrimodels.using_statistics(loaded.model, statistics):
        mrimodels.save(temporary, loaded.model, spec, meta=info.to_plain())
    return path


def precise_statistics(
    loaded: LoadedCheckpoint, store: Store, stress: StressSettings
) -> mrimodels.Population:
    """Statistics of clean training slices, as torch keeps them: with the unbiased variance."""
    data = loaded.info.config.data
    indices = store.indices(data.train)
    batches = (indices[places] for places in precise_batches(store, indices, stress))
    device = next(loaded.model.parameters()).device
    clean = shift_of(stress, CLEAN)
    with closing(inputs(store, batches, clean, data, stress.seed, device)) as slices:
        return mrimodels.population_statistics(loaded.model, slices).unbiased()


def stress_in_mode(
    loaded: LoadedCheckpoint,
    store: Store,
    cells: Iterable[Cell],
    indices: NDArray[np.int64],
    settings: StressSettings,
    mode: str,
    kept: KeptInputs | None = None,
) -> Iterator[Predictions]:
    """Stress-test a checkpoint in a mode; see ``sweep.learn.stress.stress``.

    Args:
        loaded: The checkpoint; of ``precise`` and ``ema`` that of the mode itself.
        store: Its slices need not be those it was trained on.
        cells: What to score.
        indices: (N,) slices, ascending.
        settings: Seed of the draws, and the settings of modes.
        mode: Its name.
        kept: Inputs from checkpoints before, of any mode; None: all are computed.

    """
    if mode == TRAINED or mode in OWN_CHECKPOINT:
        yield from stress_loaded(loaded, store, cells, indices, settings, kept)
        return
    model, info = loaded
    device = next(model.parameters()).device
    batches = evaluation_batches(store, indices, settings)
    restored = np.argsort(np.concatenate(batches))
    for cell in cells:
        shift = shift_of(settings, cell)

        def slices(shift: Shift = shift) -> Generator[Tensor]:
            rows = (indices[places] for places in batches)
            return inputs(store, rows, shift, info.config.data, settings.seed, device, kept)

        found = _in_mode(model, slices, mode, settings.modes, store.task)
        yield Predictions(cell, found[restored])


@torch.inference_mode()
def _in_mode(
    model: torch.nn.Module,
    slices: Callable[[], Generator[Tensor]],
    mode: str,
    modes: ModeSettings,
    task: str,
) -> NDArray[np.float32]:
    """Probabilities (N, L) of the slices of one cell, in the order of their batches."""
    with _statistics(model, slices, mode, modes), closing(slices()) as batches:
        parts = [log_odds(model(batch), task) for batch in batches]
    return torch.cat(parts).cpu().numpy()


def _statistics(
    model: torch.nn.Module, slices: Callable[[], Generator[Tensor]], mode: str, modes: ModeSettings
) -> AbstractContextManager[None]:
    if mode == ADABN:
        with closing(slices()) as batches:
            population = mrimodels.population_statistics(model, batches)
        return mrimodels.using_statistics(model, population)
    source = {PREDICTION_TIME: 0.0, BLEND: modes.blend_source}[mode]
    return mrimodels.batch_statistics(model, source)

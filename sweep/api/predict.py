"""One checkpoint on the slices of a store, as they are: log-odds, probability, and the truth."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sweep.api.checkpoint import note_if_test, open_checkpoint
from sweep.api.output import check_output, writing
from sweep.api.seen import seen_in_training
from sweep.config.levels import shift_of
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError
from sweep.core.interruption import stop_if_asked
from sweep.core.records import CLEAN
from sweep.learn.checkpoints import CheckpointInfo, LoadedCheckpoint
from sweep.learn.context import about_neighbours, require_neighbours
from sweep.learn.outputs import log_odds
from sweep.learn.signals import check_signal
from sweep.learn.stress import logits
from sweep.results.tables import Outputs, write_outputs
from sweep.store import Store


@checked_arguments
def predict(
    checkpoint: str | Path,
    data: str | Path,
    out: str | Path | None = None,
    splits: Sequence[str | int] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outputs:
    """Predict the labels of a checkpoint for slices, prepared as those that it was trained on.

    Args:
        checkpoint: The file that a sweep or ``fit`` wrote.
        data: A store, with k-space if the checkpoint was trained on k-space. Its labels need not
            be the checkpoint's: true values are given for labels that both have, by name.
        out: The file to write, CSV where its name ends in .csv, else Parquet; None: none.
        splits: Folds or splits to predict; None: all.
        batch_size: Slices at a time, on which the last bits may depend; None: as in the sweep.
        device: As torch names it; None: the best device of this machine.
        force: Whether ``out`` may be replaced.
        say: Told what a reader of the predictions has to know.
        progress: Told how many slices are done, of how many.

    Raises:
        UserError: No checkpoint, store, split, device or k-space where it is needed; a batch size
            below 1; an ``out`` that exists, is an input or cannot be written.
        WorkError: ``out`` could not be written in the end.

    """
    if batch_size is not None and batch_size < 1:
        raise UserError("--batch-size is below 1", batch_size, "give 1 or more")
    if out is not None:
        check_output(Path(out), force, (Path(checkpoint), Path(data)))
    loaded = open_checkpoint(Path(checkpoint), device)
    store = Store.open(data)
    check_signal(store, loaded.info.config.data.signal)
    asked = splits or list(store.split_counts())
    rows = store.indices(asked)
    require_neighbours(store, rows, loaded.info.config.data.context)
    for remark in _remarks(loaded.info, store, rows):
        say(remark)
    note_if_test(Path(checkpoint), loaded.info, store, asked, "mrisweep predict")
    outputs = _outputs(loaded, store, rows, batch_size, progress)
    if out is not None:
        stop_if_asked()
        with writing(Path(out)):
            write_outputs(Path(out), outputs)
    return outputs


def _outputs(
    loaded: LoadedCheckpoint,
    store: Store,
    rows: NDArray[np.int64],
    batch_size: int | None,
    progress: Callable[[int, int], None],
) -> Outputs:
    model, info = loaded
    settings = info.config.stress
    settings = dataclasses.replace(settings, batch_size=batch_size or settings.batch_size)
    device = next(model.parameters()).device
    clean = shift_of(settings, CLEAN)
    odds, done = [], 0
    for batch in logits(model, store, rows, clean, info.config.data, settings, device):
        odds.append(log_odds(batch, info.task))
        done += len(batch)
        progress(done, len(rows))
    return Outputs(
        trial=info.trial,
        epoch=info.epoch,
        labels=info.labels,
        keys=store.keys[rows].tolist(),
        patients=store.patients[rows].tolist(),
        scans=store.scans[rows].tolist(),
        splits=store.splits[rows].tolist(),
        log_odds=torch.cat(odds).cpu().numpy(),
        truth={
            label: store.labels[rows, column].astype(bool)
            for column, label in enumerate(store.label_names)
            if label in info.labels
        },
    )


def _remarks(info: CheckpointInfo, store: Store, rows: NDArray[np.int64]) -> list[str]:
    """What the predictions do not show by themselves."""
    remarks = []
    if without := [label for label in info.labels if label not in store.label_names]:
        remarks.append(
            f"truth: the store does not have {', '.join(without)} of the checkpoint's labels, so "
            "there are no true values of them"
        )
    if alone := about_neighbours(store, rows, info.config.data.context):
        remarks.append(f"neighbours: {alone}")
    return [*remarks, *seen_in_training(info, store, rows)]

"""A checkpoint as a user names it, and the device it shall run on."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import torch

from sweep.config.strangers import guarded
from sweep.core.errors import UserError, WorkError, told
from sweep.learn.checkpoints import CheckpointInfo, LoadedCheckpoint, load_checkpoint
from sweep.learn.stress import default_device
from sweep.remote.places import file_here
from sweep.results.finalists import FinalistFolder, note_access
from sweep.results.folder import SweepFolder
from sweep.results.ownership import is_strangers
from sweep.results.removed import Gone, refuse_missing
from sweep.results.sweep_file import FILE
from sweep.store import Store


def open_checkpoint(checkpoint: Path, device: str | None = None) -> LoadedCheckpoint:
    """Read a checkpoint that a sweep or ``fit`` wrote.

    Args:
        checkpoint: The path or URI of the file.
        device: Where its network goes, as torch names it; None: the best device of this machine.

    Raises:
        UserError: There is no such file or device, the file cannot be read, or it is another
            user's and its network is code that it names.

    """
    file = file_here(checkpoint)
    if not file.is_file():
        _refuse_removed(file.resolve())
        raise UserError(
            "there is no such checkpoint",
            f"{str(file)!r}",
            "take one below checkpoints/ of a sweep's folder",
        )
    with guarded(file):
        return load_checkpoint(file, default_device() if device is None else _device(device))


def _refuse_removed(checkpoint: Path) -> None:
    """Say of a checkpoint of a sweep that is not there why, and how to get it again."""
    for folder in checkpoint.parents:
        if (folder / FILE).exists():
            path = checkpoint.relative_to(folder)
            if path.parts[0] == "checkpoints" and len(path.parts) == 3:
                trial = path.parts[1]
                if Gone(folder).why(path.as_posix()):
                    refuse_missing(folder, path.as_posix(), f"the weights of {trial}", trial)
            return


def note_if_test(
    checkpoint: Path,
    info: CheckpointInfo,
    store: Store,
    splits: Iterable[str | int],
    command: str,
) -> None:
    """Write into the folder of a checkpoint's sweep that test slices are being looked at.

    And slices of elsewhere that its finalists are asked on. Nothing is written of other slices, of
    a checkpoint outside of a sweep's folder, or into a folder that is another user's or may not be
    written to.

    Args:
        checkpoint: The file.
        info: What it says of itself.
        store: Where the slices are.
        splits: Theirs.
        command: By which.

    """
    asked = {*map(str, splits)}
    for parent in file_here(checkpoint).resolve().parents:
        if (parent / FILE).exists():
            with suppress(OSError, WorkError):
                if not is_strangers(parent):
                    folder = SweepFolder.open(parent)
                    if where := _held_back(folder, info, store, asked):
                        note_access(folder, command, where, 1)
            return


def _held_back(folder: SweepFolder, info: CheckpointInfo, store: Store, asked: set[str]) -> str:
    """Where slices are that nothing is to be chosen by: test folds, or a store of elsewhere."""
    if store.fingerprint == info.fingerprint:
        return ", ".join(sorted({*map(str, info.config.data.test)} & asked))
    plan = FinalistFolder(folder).plan()
    places = [one for one in plan.places if one.fingerprint == store.fingerprint] if plan else []
    return ", ".join(
        one.name for one in places if not one.splits or {*map(str, one.splits)} & asked
    )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # The first sentence: torch goes on with what a developer of CUDA may want to know.
        raise UserError(
            "there is no such device on this machine",
            f"{name!r} ({told(error).split('. ')[0]})",
            "take cpu, or on a machine with a GPU cuda",
        ) from None
    return device

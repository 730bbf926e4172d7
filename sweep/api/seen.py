"""What a checkpoint has seen of the slices that it is asked on: scores of those are no test."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError
from sweep.core.text import number_of
from sweep.learn.checkpoints import CheckpointInfo
from sweep.store import Store


def training_store(info: CheckpointInfo, store: Store) -> Store | None:
    """The store that a checkpoint was trained on: the one that is open, or where it was then.

    Args:
        info: What the checkpoint says of itself.
        store: One that is open.

    Returns:
        None where it is neither.

    """
    if store.fingerprint == info.fingerprint:
        return store
    with suppress(UserError, OSError):
        there = Store.open(Path(info.config.data.store))
        if there.fingerprint == info.fingerprint:
            return there
    return None


def seen_in_training(
    info: CheckpointInfo, store: Store, rows: NDArray[np.integer]
) -> Iterator[str]:
    """Say how many of some patients a checkpoint was trained on; nothing where it was on none.

    Patients of the store that it was trained on are known by their names. In another store a name
    may be that of somebody else: there slices are known by their content, and names are doubted.

    Args:
        info: What the checkpoint says of itself.
        store: The store of the slices.
        rows: (N,) the slices.

    """
    training = training_store(info, store)
    if training is None:
        yield (
            "training: whether it was trained on some of these patients cannot be told, as the "
            f"store that it was trained on is not at {info.config.data.store}"
        )
        return
    there = training.indices(info.config.data.train)
    named = np.isin(store.patients[rows], training.patients[there])
    if training is store:
        if named.any():
            yield f"training: {_counted(store, rows, named)} were trained on; {_OF_THOSE}"
        return
    known = {digest.tobytes() for digest in training.columns["digest"][there]}
    same = np.array([store.columns["digest"][row].tobytes() in known for row in rows.tolist()])
    if same.any():
        yield f"training: {_counted(store, rows, same)} were trained on; {_OF_THOSE}"
    if namesakes := set(store.patients[rows[named & ~same]].tolist()):
        yield (
            f"training: {number_of(len(namesakes), 'patient')} of this store "
            f"{'has a name' if len(namesakes) == 1 else 'have names'} that it was trained on, such "
            f"as {min(namesakes)!r}; if they are the same people, {_OF_THOSE}"
        )


def seen_in_choice(info: CheckpointInfo, store: Store, rows: NDArray[np.integer]) -> Iterator[str]:
    """Say how many of some patients the epoch of a checkpoint was chosen by; see the other."""
    if store.fingerprint == info.fingerprint:
        there = store.indices(info.config.data.validation)
        if (named := np.isin(store.patients[rows], store.patients[there])).any():
            yield (
                f"validation: {_counted(store, rows, named)} are those that epochs and trials were "
                "chosen by, so that scores of them are somewhat too good"
            )


_OF_THOSE = "what it says of those is no test"


def _counted(store: Store, rows: NDArray[np.integer], which: NDArray[np.bool_]) -> str:
    """How many of the patients, and of the slices, and their splits."""
    patients = len(set(store.patients[rows[which]].tolist()))
    total = number_of(len(set(store.patients[rows].tolist())), "patient")
    slices = number_of(len(rows), "slice")
    of = f"of split {', '.join(sorted(set(store.splits[rows[which]].tolist())))}"
    if which.all():
        return f"all {total} ({slices}, {of})"
    return f"{patients} of the {total} ({which.sum()} of {slices}, {of})"

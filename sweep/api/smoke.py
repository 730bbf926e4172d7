"""A sweep tried out: few slices, few trials, one epoch, from end to end, and marked as that."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sweep.api.dataset import make_store
from sweep.api.preflight import most_context
from sweep.config.limits import LimitSettings
from sweep.config.search import EPOCHS
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.text import number_of
from sweep.results.sweep_file import is_free, require_nameable
from sweep.store.bound import open_bound
from sweep.store.excerpt import chosen, write_excerpt

LEAST = 4  # slices of a split
TRIALS = 2


def smoke(
    config: SweepConfig, most: int, out: Path | None, say: Callable[[str], None]
) -> tuple[SweepConfig, Path]:
    """The sweep on some slices of each split, with a trial of one epoch for each norm.

    The slices are a store of their own, beside the sweep's folder, so that nothing can take the
    scores for those of the data. Nobody is sent word, and no finalists are trained.

    Args:
        config: The sweep.
        most: Slices of each split.
        out: Its folder; None: ``sweeps/NAME-limit-N``, or the next that is free.
        say: Told what it is.

    Returns:
        The sweep and its folder.

    Raises:
        UserError: Too few slices, or as for the data of a sweep.

    """
    if most < LEAST:
        raise UserError("--limit is too small for a sweep", most, f"give {LEAST} or more")
    if out is not None:
        require_nameable(out)
    folder = out or _free(Path("sweeps") / f"{config.name}-limit-{most}")
    data = config.data
    make_store(data, say)
    store = open_bound(data.store, data.fingerprint)
    rows = chosen(store, (*data.train, *data.validation, *data.test), most)
    context = most_context(config)
    rows = np.unique(store.neighbours.around(rows, context))
    excerpt = write_excerpt(store, rows, folder.with_name(f"{folder.name}.h5"))
    search = config.search
    space = {name: kinds for name, kinds in search.space.items() if name != EPOCHS}
    search = dataclasses.replace(
        search,
        space=space,
        trials=None,
        sampler="random",
        scheduler="none",
        grace_epochs=None,
        keep=None,
        screen=None,
        limits=LimitSettings(),
        start=(),
        from_=None,
        equal="trials",
    )
    search = dataclasses.replace(search, trials=max(search.shares(), TRIALS))
    tried = config.replace(
        {
            "name": f"{config.name}-limit-{most}",
            "data": data.of_store(str(excerpt.path), excerpt.fingerprint, store.caution).to_plain(),
            "search": search.to_plain(),
            "train.epochs": 1,
            "finalists": None,
            "notify": [],
        }
    )
    say(
        f"tried out on {number_of(len(rows), 'slice')}, {most} of a split at most"
        f"{' and their neighbours' if context else ''}, with "
        f"{number_of(search.total, 'trial')} of 1 epoch: its scores say nothing"
    )
    return tried, folder


def _free(path: Path) -> Path:
    number, free = 1, path
    while not is_free(free):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free

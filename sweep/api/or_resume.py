"""Begin a sweep or go on with it: one command for every try of a job that is repeated."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.api.dataset import refuse_vanishing
from sweep.api.places import folder_of
from sweep.api.run import SweepResult, ended, resume, run
from sweep.config.base import plain_of
from sweep.config.finalists import FinalistSettings
from sweep.config.reading import by_dotted_name
from sweep.config.settings import DataSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.saying import say as _say
from sweep.core.text import listed
from sweep.remote.address import absolute
from sweep.remote.places import shown
from sweep.results.folder import SweepFolder
from sweep.results.locks import driven
from sweep.results.sweep_file import FILE, is_free, names_at

# Where a sweep runs, who is told of it and when it pauses; its results are the same whatever these
# are. The data may lie elsewhere: they are known by their fingerprint.
MAY_CHANGE = ("cluster", "tracking", "notify", "search.limits", "data.store")
PATIENCE_S = 100.0  # that a lock outlives its process on another host: a lease of NFS is 90 s


def run_or_resume(
    config: SweepConfig, out: Path | None = None, patience_s: float = PATIENCE_S
) -> SweepResult:
    """Begin a sweep, or go on with it where its folder is there; one that has ended is as it is.

    Settings of ``MAY_CHANGE`` may be others than before, and are taken from ``config``.

    Args:
        config: What to search.
        out: The folder; None: ``sweeps/<name>``.
        patience_s: Seconds in which a process that drives the sweep may come to its end.

    Raises:
        UserError: The folder holds another sweep, or something else; or as in ``run`` and
            ``resume``.
        WorkError: No trial came to a result, or a bucket does not answer.
        KeyboardInterrupt: The folder is left in a state from which the same call goes on.

    """
    path = folder_of(config, out)
    refuse_vanishing(path, "the sweep's folder", "add --out /shared/...")
    if is_free(path):
        return run(config, path)
    _refuse_other(path)
    folder = SweepFolder.open(path)
    changes = changed(folder, config)
    _wait_until_free(folder.path, patience_s)
    if result := ended(path):
        _say(f"the sweep in {result.path} has ended; nothing is left to do")
        return result
    for name in changes:
        _say(f"{name} is not what it was, and is taken as it is now")
    _say(f"the sweep in {folder.place} was begun before, and goes on")
    return resume(path, changes=changes)


def _refuse_other(path: Path) -> None:
    """Raise ``UserError`` if there is something at a path that is no folder of a sweep."""
    files = names_at(path)
    if FILE in files:
        return
    raise UserError(
        f"what is there is not a sweep's folder, as it has no {FILE}",
        f"{shown(path)!r} with {listed(files)}",
        "choose another with --out",
    )


def changed(folder: SweepFolder, config: SweepConfig) -> dict[str, Any]:
    """The settings of ``MAY_CHANGE`` that are not as they are in a sweep's folder, by name.

    Raises:
        UserError: Another setting is not as it is there.

    """
    kept = folder.config()
    asked = _as_begun(config, kept)
    changes = {
        name: plain_of(asked.setting(name))
        for name in MAY_CHANGE
        if asked.setting(name) != kept.setting(name)
    }
    there, here = (dict(by_dotted_name(one.to_plain())) for one in (kept.replace(changes), asked))
    differ = [
        f"{name} {here.get(name)!r} where the folder has {there.get(name)!r}"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if differ:
        raise UserError(
            f"the folder {folder.path} holds another sweep than the one that is asked for",
            listed(differ),
            "choose another folder with --out, or go on with what it holds by `mrisweep resume "
            f"{folder.path}`",
        )
    return changes


def _as_begun(config: SweepConfig, kept: SweepConfig) -> SweepConfig:
    """A sweep with what its beginning wrote into ``kept``: what it took from elsewhere."""
    search = config.search
    if kept.search.total > search.total:  # trials were added
        search = replace(search, trials=kept.search.trials)
    if search.from_:
        search = replace(search, from_=absolute(search.from_))
    model = config.model
    if model.weights:
        digest = model.weights_digest or kept.model.weights_digest
        weights = str(Path(model.weights).resolve())
        model = replace(model, weights=weights, weights_digest=digest)
    stress = replace(config.stress, knobs={**kept.stress.knobs, **config.stress.knobs})
    return replace(
        config,
        data=_as_bound(config.data, kept.data),
        model=model,
        search=search,
        stress=stress,
        finalists=_as_planned(config.finalists, kept.finalists),
    )


def _as_bound(data: DataSettings, kept: DataSettings) -> DataSettings:
    return replace(
        data,
        store=str(Path(data.store).resolve()),
        fingerprint=data.fingerprint or kept.fingerprint,
        dataset=None,  # the store was made of it
        dataset_options={},
    )


def _as_planned(
    finalists: FinalistSettings | None, kept: FinalistSettings | None
) -> FinalistSettings | None:
    """Finalists that were asked for later, by `mrisweep finalists`, and fingerprints of stores."""
    if finalists is None or kept is None:
        return kept if finalists is None else finalists
    known = {one.name: one.fingerprint for one in kept.external}
    external = tuple(
        replace(one, fingerprint=one.fingerprint or known.get(one.name))
        for one in finalists.external
    )
    return replace(finalists, external=external)


def _wait_until_free(path: Path, patience_s: float) -> None:
    """A try that died may hold its lock for a while, as a server of files has not noticed yet."""
    until = time.monotonic() + patience_s
    said = False
    while driven(path) and time.monotonic() < until:
        if not said:
            _say(f"another process drives the sweep in {path}; waiting up to {patience_s:g} s")
            said = True
        time.sleep(min(1.0, patience_s / 10))

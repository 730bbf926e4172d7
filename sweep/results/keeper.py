"""Who removes what a sweep does not keep: as its trials end, when all have, and for `gc`."""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from sweep.config.finalists import FinalistSettings
from sweep.config.sweep import SweepConfig
from sweep.core import mirrors
from sweep.core.records import TrialRecord
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.inventory import Held, Kind, inventory, of_trial
from sweep.results.keeping import (
    Choosing,
    Standing,
    Verdict,
    champions,
    chosen,
    is_over,
    plan,
)

PLACES = ("checkpoints", "predictions", "finalists")  # where a sweep's settings remove anything
BY_SETTINGS = (Kind.CHECKPOINT, Kind.STATE, Kind.PREDICTIONS, Kind.FINAL_CHECKPOINT)


class Keeper:
    """Removes what a sweep does not keep of trials that have ended, one after the other.

    Args:
        folder: The folder of the sweep; trials that have ended before count.
        config: The sweep as resolved.

    """

    def __init__(self, folder: SweepFolder, config: SweepConfig) -> None:
        self.folder, self.config = folder, config
        self._leading: dict[str, TrialRecord] = {}
        if config.keep.tells_apart:
            self._leading = {one.trial: one for one in folder.each_trial() if is_over(one)}
            self._let_go()

    def before_settled(self, record: TrialRecord) -> None:
        """Of an ended trial, only what its best epoch has left stays, or what all trials keep."""
        self.folder.relist(record.trial)
        standing = self._standing({record.trial: record}, {})
        files = going(of_trial(self.folder.path, record.trial), standing)
        best = None, record.best_epoch
        remove(
            self.folder.path,
            [one for one in files if one.kind == Kind.STATE or one.epoch not in best],
        )

    def settled(self, record: TrialRecord) -> None:
        """Of a trial that is settled, and of those before it, go those that do not stay."""
        if not self.config.keep.tells_apart:
            return
        self._leading[record.trial] = record
        self._let_go()

    def _let_go(self) -> None:
        """Of trials that the settings do not choose; these will not be chosen later."""
        known, choosing = self._leading, choosing_of(self.config)
        found = chosen(list(known.values()), choosing, self.config.keep.of_some)
        names = {trial for trials in found.values() for trial in trials}
        self._leading = {name: one for name, one in known.items() if name in names}
        standing = self._standing(known, found)
        for trial in sorted(known.keys() - names):
            remove(self.folder.path, going(of_trial(self.folder.path, trial), standing))

    def _standing(
        self, trials: dict[str, TrialRecord], found: dict[str, dict[str, str]]
    ) -> Standing:
        return Standing(
            keep=self.config.keep,
            trials=trials,
            in_full=in_full(self.folder),
            now_ns=time.time_ns(),
            chosen=found,
            unmade=trials if _asks_for_modes(self.config) else (),
        )


def _asks_for_modes(config: SweepConfig) -> bool:
    """Whether a trial may be scored in other modes once all have ended."""
    return bool(config.stress.modes.names) or any(config.offered("train.ema"))


def choosing_of(config: SweepConfig) -> Choosing:
    """How a sweep tells its trials from each other."""
    settings = config.finalists or FinalistSettings()
    objective = config.search.objective
    return Choosing(
        objective=objective,
        objectives=config.search.objectives,
        top=config.keep.top,
        per_norm=settings.per_norm,
        by=settings.by or objective,
    )


def in_full(folder: SweepFolder) -> Callable[[str, int], bool]:
    """Whether an epoch was scored in full, as its scores say."""

    @cache
    def found(trial: str, epoch: int) -> bool:
        return folder.is_in_full(trial, epoch)

    return found


def standing_of(
    folder: SweepFolder,
    config: SweepConfig,
    unmade: Collection[str],
    measured: bool,
    driven: bool = False,
) -> Standing:
    """How the whole of a sweep's folder stands.

    Args:
        folder: The folder.
        config: The sweep, or what is to be kept of it now.
        unmade: Trials that are still to be scored in other modes.
        measured: Whether the choice of the best has been measured.
        driven: Whether another process is at work on it.

    """
    finalists = FinalistFolder(folder)
    plan_of, runs = finalists.plan(), {one.run.name: one for one in finalists.records()}
    choosing, trials = choosing_of(config), {one.trial: one for one in folder.trials()}
    over = [one for one in trials.values() if is_over(one)]
    planned = {run.trial for run in plan_of.runs} if plan_of else set()
    return Standing(
        keep=config.keep,
        trials=trials,
        in_full=in_full(folder),
        now_ns=time.time_ns(),
        runs=runs,
        chosen=chosen(over, choosing, config.keep.of_some, planned),
        champions=champions(runs.values(), choosing.by),
        unmade=unmade,
        measured=measured,
        driven=driven,
    )


def going(files: Iterable[Held], standing: Standing) -> Iterator[Held]:
    """The files that the settings do not keep."""
    return (
        one.file for one in plan(files, standing) if not one.stays and one.file.kind in BY_SETTINGS
    )


def planned(folder: SweepFolder, standing: Standing) -> list[Verdict]:
    """The plan of a whole folder."""
    return list(plan(inventory(folder.path), standing))


def remove(folder: Path, files: Iterable[Held]) -> None:
    """Remove files, of a bucket there first, and the folders of the sweep that are empty then.

    Safe to be killed in: what is left is found again.
    """
    emptied: set[Path] = set()
    for file in files:
        path = folder / file.path
        mirrors.remove(path)
        emptied.add(path.parent)
    for place in sorted(emptied, key=lambda one: len(one.parts), reverse=True):
        _remove_empty(folder, place)


def _remove_empty(folder: Path, place: Path) -> None:
    while len(place.relative_to(folder).parts) > 1:  # those above may be about to be filled
        try:
            place.rmdir()
        except OSError:  # not empty, or somebody else was faster
            return
        place = place.parent


def clear_tune(folder: Path) -> None:
    """Remove the folder of Tune, as the only process on the sweep. What cannot be removed stays."""
    for file in inventory(folder.parent, folder.name):
        with suppress(OSError):
            (folder.parent / file.path).unlink()
    remove_empty_below(folder)


def remove_empty_below(folder: Path) -> None:
    """Remove a folder as far as nothing is in it; it may not be there."""
    for place, _, _ in os.walk(folder, topdown=False) if not folder.is_symlink() else ():
        with suppress(OSError):  # not empty
            os.rmdir(place)

"""What of a sweep's folder may go: said, and removed."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.config.keep import KeepSettings, words
from sweep.config.sweep import SweepConfig
from sweep.results import choice, keeper, removed
from sweep.results.folder import SweepFolder
from sweep.results.inventory import TUNE, inventory
from sweep.results.keeper import remove, remove_empty_below
from sweep.results.keeping import Standing, Verdict, is_over
from sweep.results.locks import driven
from sweep.results.removed import Removal
from sweep.results.rows import missing_rows


@dataclass(frozen=True)
class Collected:
    """What becomes of every file of a sweep's folder.

    Attributes:
        path: The folder.
        keep: What is kept of ended trials.
        verdicts: File by file.
        driven: Whether another process drives the sweep, so that this is how it stands now.

    """

    path: Path
    keep: KeepSettings
    verdicts: tuple[Verdict, ...]
    driven: bool = False

    @property
    def going(self) -> tuple[Verdict, ...]:
        """What may go, or went."""
        return tuple(one for one in self.verdicts if not one.stays)

    @property
    def staying(self) -> tuple[Verdict, ...]:
        """What stays."""
        return tuple(one for one in self.verdicts if one.stays)


def gc(
    path: str | Path, changes: Mapping[str, Any] | None = None, dry_run: bool = False
) -> Collected:
    """Remove from a sweep's folder what it does not keep, and what interrupted runs have left.

    What is removed is written down before it goes. A folder whose sweep goes on keeps what that
    needs; records and scores stay whatever is set.

    Args:
        path: The folder of the sweep.
        changes: Settings of ``keep`` that differ from those of the sweep, by name; this once.
        dry_run: Whether nothing is removed; a running sweep may be asked, too.

    Returns:
        What went and what stayed, or would.

    Raises:
        UserError: Not a sweep's folder, settings that are none, or another process that drives it.
        WorkError: A bucket that does not answer.

    """
    folder = SweepFolder.open(path, driving=not dry_run)
    if dry_run:
        return _collected(folder, _config(folder, changes), driven=driven(folder.path) is not False)
    with folder.lock():
        found = _collected(folder, _config(folder, changes))
        if found.going:
            files = tuple(one.file.path for one in found.going)
            told = _command(folder, changes or {})
            removed.note(folder.path, Removal(time.time_ns() // 1_000_000, told, files))
            remove(folder.path, (one.file for one in found.going))
        remove_empty_below(folder.path / TUNE)
    return found


def tidy(folder: SweepFolder, config: SweepConfig) -> None:
    """Remove what the settings of a sweep whose trials have ended do not keep, as its driver."""
    standing = _standing(folder, config)
    remove(folder.path, keeper.going(inventory(folder.path, *keeper.PLACES), standing))


def _config(folder: SweepFolder, changes: Mapping[str, Any] | None) -> SweepConfig:
    config = folder.config()
    return config.replace({f"keep.{name}": value for name, value in (changes or {}).items()})


def _collected(folder: SweepFolder, config: SweepConfig, driven: bool = False) -> Collected:
    verdicts = keeper.planned(folder, _standing(folder, config, driven))
    return Collected(folder.path, config.keep, tuple(verdicts), driven)


def _standing(folder: SweepFolder, config: SweepConfig, driven: bool = False) -> Standing:
    over = [is_over(one) for one in folder.each_trial()]
    ended = all(over) and len(over) >= config.search.total
    return keeper.standing_of(
        folder,
        config,
        unmade={row.trial.trial for row in missing_rows(folder, config)},
        measured=ended and choice.is_measured(folder),
        driven=driven,
    )


def _command(folder: SweepFolder, changes: Mapping[str, Any]) -> str:
    """What was asked, as a user would write it."""
    asked = ["mrisweep", "gc", folder.place]
    for name, value in changes.items():
        told = value if isinstance(value, int) else ",".join(words(value))
        asked += ["--keep", f"{name}={told}"]
    return shlex.join(asked)

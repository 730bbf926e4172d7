"""What processes that were killed have left in a sweep's folder."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sweep.core.files import is_left
from sweep.results.folder import SweepFolder
from sweep.results.inventory import TUNE


def clear_leftovers(folder: SweepFolder) -> None:
    """Remove what a driver and its workers left half done; for who alone drives the sweep.

    That is temporary files whose writers are dead, and the lock that Optuna has on its journal for
    the time of a line: it would wait half a minute before it breaks that of a dead process.
    """
    journal = folder.journal
    locks = journal.parent.glob(f"{journal.name}.lock*")
    for path in (*locks, *_torn(folder.path)):
        with suppress(OSError):  # one that cannot be removed harms nobody
            path.unlink()


def _torn(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != TUNE]
        for name in names:
            if name.startswith(".") and is_left(path := Path(place) / name):
                yield path

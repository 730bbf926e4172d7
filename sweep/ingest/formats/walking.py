"""Files below a folder, without what operating systems leave there."""

import os
from collections.abc import Iterator
from pathlib import Path

from sweep.core.errors import UserError

# Of Windows, and of archives that macOS makes; what it leaves itself begins with a dot.
LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's: hidden, or a system's own."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def files_below(*folders: Path) -> Iterator[Path]:
    """All files in folders and below them, in the order of their paths, leftovers included.

    Links are followed; a folder that is reached twice, as by a loop of links, is read once.

    Raises:
        UserError: A folder that cannot be read.

    """
    seen: set[tuple[int, int]] = set()
    for folder in folders:
        yield from _below(folder, seen)


def _below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    for root, subfolders, names in os.walk(folder, onerror=_refuse_folder, followlinks=True):
        subfolders.sort()
        status = Path(root).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        yield from (Path(root) / name for name in sorted(names))


def _refuse_folder(error: OSError) -> None:
    raise UserError(
        "the folder cannot be read",
        f"{error.filename} ({type(error).__name__}: {error.strerror})",
        "correct its permissions",
    ) from error

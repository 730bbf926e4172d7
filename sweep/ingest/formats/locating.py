"""Where the file that a row names is, and what may be meant where there is none."""

import difflib
import os
from functools import lru_cache
from pathlib import Path, PurePosixPath

from sweep.core.errors import UnusableError
from sweep.ingest.formats.manifest import Row


def located(row: Row, folder: Path) -> Path:
    """Where the file of a row is; links may lead anywhere, as those of data managers do.

    Raises:
        UnusableError: There is neither a file nor a folder, or links that lead in a circle.

    """
    path = folder / row.file
    try:
        path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle, before 3.13
        near = _near(folder, row.file)
        raise UnusableError(
            "a file of the manifest cannot be found",
            f"{row} in {folder} ({type(error).__name__}: {error})",
            f"correct the row: did you mean {near!r}?"
            if near
            else "add the file or remove the row",
        ) from error
    if not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise UnusableError(
            "what a row of the manifest names is no file",
            f"{row} in {folder}",
            "put a file in its place, or remove the row",
        )
    return path


def _near(folder: Path, file: str) -> str:
    """A path that is there and differs in case, or else a little; empty = none."""
    there = folder
    taken: list[str] = []
    for part in PurePosixPath(file).parts:
        names = _names_in(there)
        alike = [name for name in names if name.casefold() == part.casefold()]
        near = [part] if part in names else alike or difflib.get_close_matches(part, names, 1)
        if not near:
            return ""
        taken.append(near[0])
        there /= near[0]
    return "/".join(taken)


@lru_cache(maxsize=64)
def _names_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(folder))
    except OSError:
        return ()

"""The path in a folder that may be meant by one that is not there."""

import difflib
import os
from functools import lru_cache
from pathlib import Path, PurePosixPath


def near_path(folder: Path, file: str) -> str:
    """A path in the folder that may be meant.

    Args:
        folder: Where to look.
        file: A path with forward slashes that is not there, from the folder on, or outside of it,
            as of another machine.

    Returns:
        A path that differs in case, or else a little; else the longest end of ``file`` that is
        there; empty = none.

    """
    parts = PurePosixPath(file).parts
    return _alike(folder, parts) or next(
        ("/".join(end) for start in range(1, len(parts)) if _is_in(folder, end := parts[start:])),
        "",
    )


def _alike(folder: Path, parts: tuple[str, ...]) -> str:
    there = folder
    taken: list[str] = []
    for part in parts:
        names = _names_in(there)
        alike = [name for name in names if name.casefold() == part.casefold()]
        near = [part] if part in names else alike or difflib.get_close_matches(part, names, 1)
        if not near:
            return ""
        taken.append(near[0])
        there /= near[0]
    return "/".join(taken)


def _is_in(folder: Path, parts: tuple[str, ...]) -> bool:
    """Whether it is there by its very letters, which not every file system looks at."""
    return all(
        part in _names_in(folder.joinpath(*parts[:place])) for place, part in enumerate(parts)
    )


@lru_cache(maxsize=64)
def _names_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(folder))
    except OSError:
        return ()

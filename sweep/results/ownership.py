"""Whose a sweep's folder is, and that nothing done in it reaches out of it.

A folder of another user answers questions; it is neither written to nor are the modules run that
its settings name. Names that stand in its files, and links in it, lead nowhere else.
"""

import os
from pathlib import Path

from sweep.core.errors import UserError
from sweep.core.kinds import require_part
from sweep.core.owner import TRUST, stranger
from sweep.results.sweep_file import FILE


def is_strangers(folder: Path) -> bool:
    """Whether a sweep's folder, or its settings, are another user's."""
    return _owner(folder) is not None


def refuse_stranger(folder: Path, else_: str = "") -> None:
    """Raise ``UserError`` if a sweep's folder, or its settings, are another user's.

    Args:
        folder: The folder.
        else_: What else may be done about it, as it stands before ``take it over``.

    """
    if (name := _owner(folder)) is not None:
        raise UserError(
            "the sweep's folder is another user's, and the command would write into it and run the "
            "code that it names",
            f"{str(folder)!r}, which is of {name}",
            f"{else_}take it over by a copy, as `cp -r {folder} COPY` makes one, once you have "
            f"looked at what its {FILE} names; or set {TRUST}={name} if you trust that user",
        )


def _owner(folder: Path) -> str | None:
    if (name := stranger(folder)) is not None:
        return name
    try:
        return stranger(folder / FILE)
    except FileNotFoundError:  # of a sweep that is about to begin
        return None


def inside(folder: Path, *parts: str) -> Path:
    """A path in a sweep's folder.

    Args:
        folder: The folder, absolute.
        parts: Names of folders and at last of a file or a folder in it.

    Raises:
        UserError: A part is no name, or a link in the folder leads out of it.

    """
    try:
        for part in parts:
            require_part(part.removeprefix("."))
    except ValueError as error:
        raise UserError(
            "a name in the sweep's folder leads out of it", f"{folder} ({error})", "correct it"
        ) from None
    path = folder.joinpath(*parts)
    # What is not there yet leads nowhere; a link in the way to the folder is the user's own.
    if not os.path.realpath(path).startswith(f"{os.path.realpath(folder)}{os.sep}"):
        raise UserError(
            "a link in the sweep's folder leads out of it",
            f"{str(path)!r}, which is {os.path.realpath(path)!r}",
            "put in its place what it leads to; a link to the whole folder is none",
        )
    return path

"""Whose a sweep's folder is, and that nothing done in it reaches out of it.

A folder of another user answers questions; it is neither written to nor are the modules run that
its settings name. Names that stand in its files, and links in it, lead nowhere else.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.core.errors import UserError, WorkError, told
from sweep.core.kinds import require_part
from sweep.core.owner import TRUST, stranger
from sweep.results.sweep_file import FILE

TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # what a system says of a lock that is held


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
    return stranger(folder) or stranger(folder / FILE)


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


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Take a lock for the time of the block, if it is free, and give whether it was.

    Raises:
        UserError: Its folder cannot be written to.
        WorkError: Its file system has no locks.

    """
    try:
        # A link in its place is not followed: what it leads to would be made, or emptied.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise UserError(
            "the sweep's folder cannot be written to",
            f"{str(path.parent)!r} ({told(error)})",
            f"have its permissions changed, or take a copy: `cp -r {path.parent} COPY`",
        ) from None
    try:
        yield _is_free(descriptor)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        raise WorkError(
            "the sweep's folder cannot be locked, by which no other process works in it",
            told(error),
            "put it on a file system that has flock()",
        ) from error
    return True

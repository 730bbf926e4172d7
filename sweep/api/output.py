"""The file that a command is to write: whether it may, before the work begins."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.core.errors import UserError, WorkError, told
from sweep.core.files import may_write_in


def check_output(path: Path, force: bool, inputs: Collection[Path]) -> None:
    """Refuse what cannot or must not be written, before anything is computed.

    Args:
        path: The file to write.
        force: Whether it may be replaced.
        inputs: What is read, and so is never replaced.

    Raises:
        UserError: The path is a folder; or no regular file, such as a device; or a file, without
            ``force``; or an input; or its folder cannot be written.

    """
    if path.resolve() in {one.resolve() for one in inputs}:
        raise UserError("the output is one of the inputs", f"{str(path)!r}", "name another file")
    if path.is_dir():
        raise UserError("the output is a folder", f"{str(path)!r}", "name a file in it")
    if path.exists() and not path.is_file():
        raise UserError(
            "the output is there, and is no regular file", f"{str(path)!r}", "name another file"
        )
    if path.exists() and not force:
        raise UserError(
            "the output exists",
            f"{str(path)!r}",
            "remove it, choose another name, or replace it with --force",
        )
    check_place(path)


def check_place(path: Path) -> None:
    """Refuse a file or folder that cannot be made, before anything is computed.

    Args:
        path: What is to be made; folders on the way to it are made, too.

    Raises:
        UserError: What it, or the first of those, is to lie in is no folder, or cannot be
            written; of a folder that is there, it itself.

    """
    place = path.absolute()
    there = place if place.is_dir() else next(one for one in place.parents if one.exists())
    if not there.is_dir():
        raise UserError("a part of the output's path is no folder", f"{str(there)!r}", "correct it")
    if not may_write_in(there):
        raise UserError(
            "the output's folder cannot be written",
            f"{str(there)!r}",
            "choose another, or have its permissions changed",
        )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """While a file is written: what the disk refuses is work that failed.

    Raises:
        WorkError: The system refused to write.

    """
    try:
        yield
    except OSError as error:
        raise WorkError(
            "the output could not be written",
            f"{path} ({told(error)})",
            "make room, or choose another place",
        ) from error

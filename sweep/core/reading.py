"""Files that somebody may have damaged, read whole, and only as far as a file of their kind goes.

A path may lead to what is no file and has no end, such as ``/dev/zero``, or to a pipe that nobody
writes to; and damaged bytes make a reader raise nearly anything. What reads a file of a sweep does
so in ``readable``, by what is here.
"""

import io
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sweep.core.errors import UserError, WorkError, told

MOST_BYTES = 256 << 20  # of a record; those of a sweep of ten thousand trials are a hundredth
MOST_OF_TABLE = 512 << 20  # of a table as text, such as a manifest of five million rows


class NoFileError(OSError):
    """A path that leads to no regular file, or to one that is larger than any of its kind."""


@contextmanager
def readable(
    wrong: str, path: Path | str, remedy: str, kind: type[UserError | WorkError] = UserError
) -> Iterator[None]:
    """Turn whatever is raised of a damaged file into one kind of error.

    Args:
        wrong: What is wrong with a file that cannot be read, such as ``the plan cannot be read``.
        path: Its path.
        remedy: What the user should do.
        kind: Of the error.

    Raises:
        FileNotFoundError: There is no such file, which mostly means something else.
        UserError: Or ``kind``: anything else was raised.

    """
    try:
        yield
    except (UserError, WorkError, FileNotFoundError):
        raise
    except Exception as error:
        raise kind(wrong, f"{str(path)!r} ({told(error)})", remedy) from error


@contextmanager
def opened(path: Path | str, most: int | None = MOST_BYTES) -> Iterator[IO[bytes]]:
    """Open a regular file, without waiting for anybody.

    Args:
        path: Where it is.
        most: So many bytes it has at most; None: any number.

    Raises:
        NoFileError: It is none, or larger.
        OSError: It cannot be opened.

    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        known = os.fstat(file.fileno())
        if not stat.S_ISREG(known.st_mode):
            raise NoFileError("it is no regular file")
        if most is not None and known.st_size > most:
            raise NoFileError(f"it has {known.st_size} bytes, more than {most}")
        yield file


@contextmanager
def opened_text(path: Path | str) -> Iterator[IO[str]]:
    """Open a table as text, in UTF-8 with or without a mark for it; raises as ``opened`` does."""
    with opened(path, MOST_OF_TABLE) as file:
        yield io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def require_file(path: Path | str) -> None:
    """Raise as ``opened`` does, before a library reads a file by its path."""
    with opened(path, None):
        pass


def read_bytes(path: Path | str, most: int | None = MOST_BYTES) -> bytes:
    """What a regular file holds; raises as ``opened`` does."""
    with opened(path, most) as file:
        return file.read()


def read_text(path: Path | str, most: int = MOST_BYTES) -> str:
    """What a regular text file in UTF-8 holds; raises as ``opened`` does, or ``ValueError``."""
    return read_bytes(path, most).decode("utf-8")


def read_json(path: Path | str) -> Any:
    """What a JSON file holds; raises as ``read_text`` does, or ``RecursionError``."""
    return json.loads(read_text(path))


def glanced(path: Path | str) -> Any:
    """What a JSON file holds that nothing rests on; None where that cannot be read."""
    with suppress(OSError, ValueError, RecursionError):
        return read_json(path)
    return None

"""Settings that another user has written: they are read, and the code that they name is not run."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mrimodels.places import code_refused
from sweep.core.errors import UserError
from sweep.core.owner import TRUST, stranger


@contextmanager
def guarded(file: Path) -> Iterator[None]:
    """While inside, no code is run that a file of another user names, such as ``model.arch``.

    Args:
        file: Settings, or a checkpoint; one that cannot be looked at is nobody's.

    Raises:
        ModelError: It names some.

    """
    if (whose := _stranger(file)) is None:
        yield
        return
    with code_refused(f"{file}, which is of {whose}", _remedy(whose)):
        yield


def refuse_code(file: Path, what: str, place: str | None) -> None:
    """Raise ``UserError`` if a file of another user names code that is run later.

    Args:
        file: The file.
        what: What the code makes, for the message.
        place: Where the code is; None: the file names none.

    """
    whose = _stranger(file)
    if place is not None and whose is not None:
        raise UserError(
            f"the {what} {place!r} is code that another user's file names",
            f"{file}, which is of {whose}",
            _remedy(whose),
        )


def _remedy(whose: str) -> str:
    return (
        f"copy the file once you have looked at that code, or set {TRUST}={whose} if you trust "
        "that user"
    )


def _stranger(file: Path) -> str | None:
    with suppress(OSError, ValueError):  # whoever reads it says so
        return stranger(file)
    return None

"""`package.module:name`: where a function or a class of the user's is, and how it is found."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mrimodels.errors import ModelError, told
from mrimodels.libraries import imported

_PLACE = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


_refused: ContextVar[tuple[str, str] | None] = ContextVar("refused", default=None)


@contextmanager
def code_refused(by: str, remedy: str) -> Iterator[None]:
    """While inside, nothing that a place names is imported or run in this thread.

    Args:
        by: What names it, for messages: the path of a file.
        remedy: What to do about it.

    """
    before = _refused.set((by, remedy))
    try:
        yield
    finally:
        _refused.reset(before)


def is_place(text: str) -> bool:
    """Whether a text has the form `package.module:name`; nothing is imported."""
    return _PLACE.fullmatch(text) is not None


def callable_at(place: str, what: str, remedy: str) -> Callable[..., object]:
    """Return the function or the class that a place names.

    A module of the current folder is found, too: the folder goes to the end of `sys.path`, so that
    it hides nothing, and stays there, for what the module imports later and for worker processes.

    Args:
        place: The place.
        what: What is to be made by it, for messages: `network`.
        remedy: What to do where it is nothing to be called.

    Raises:
        ModelError: It cannot be imported, whatever its code raises, or cannot be called; or it is
            named where code is refused.

    """
    if (refused := _refused.get()) is not None:
        by, then = refused
        raise ModelError(f"the {what} {place!r} is code that another user's file names", by, then)
    try:
        found = _found(place)
    except Exception as error:  # the code of others can raise anything
        raise ModelError(
            f"the {what} {place!r} cannot be imported",
            told(error),
            "mend it there; its module has to be installed, in the current folder, or in a folder "
            "on PYTHONPATH",
        ) from error
    return as_callable(found, place, what, remedy)


def as_callable(found: object, name: str, what: str, remedy: str) -> Callable[..., object]:
    """Return what was found by a name; raises `ModelError` where it cannot be called."""
    if not callable(found):
        raise ModelError(f"the {what} {name!r} cannot be called", type(found).__name__, remedy)
    function: Callable[..., object] = found
    return function


def _found(place: str) -> object:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    module, _, path = place.partition(":")
    found: object = imported(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found

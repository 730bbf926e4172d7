"""What ends a whole sweep, told through a library that would take it for the end of one trial.

Tune calls the searcher and the callbacks of a sweep. Whatever goes wrong in them, such as a disk
that is full, it takes for a fault of the trial that it was about: it runs the trial again, and in
the end it says that it has failed. But no failure of the driver's own work is a result.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class SweepEnds(BaseException):
    """Not an ``Exception``, so that no library handles it.

    Args:
        cause: What went wrong.

    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause


def ends_sweep(call: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make whatever a function raises end the sweep; to be raised again by ``raising_cause``."""

    @functools.wraps(call)
    def ending(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            raise SweepEnds(error) from error

    return ending


@contextmanager
def raising_cause() -> Iterator[None]:
    """While a library is at work: what was to end the sweep is raised as what it was."""
    try:
        yield
    except SweepEnds as end:
        raise end.cause from end.cause.__cause__

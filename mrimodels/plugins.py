"""What other packages add to a table of this one, by entry point."""

import sys
from collections.abc import Collection
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mrimodels.errors import ModelError


class Added:
    """The entry points of one group; nothing of theirs is imported until it is asked for.

    Args:
        group: The name of the group, such as ``mrisweep.norms``.
        what: What each of them is, for messages: ``norm``.
        shipped: The names that this package has.

    """

    def __init__(self, group: str, what: str, shipped: Collection[str]) -> None:
        self.group, self.what, self.shipped = group, what, shipped

    def points(self) -> dict[str, EntryPoint]:
        """The entry points by name.

        Raises:
            ModelError: A name is one of this package, or is added twice.

        """
        found: dict[str, EntryPoint] = {}
        for point in _points(self.group, tuple(sys.path)):
            taken = point.name in self.shipped
            if taken or found.setdefault(point.name, point).value != point.value:
                raise ModelError(
                    f"the {self.what} {point.name!r} of {_package(point)} has a name that is taken",
                    point.value,
                    "rename it there, or uninstall that package",
                )
        return found

    def load(self, name: str) -> Any:
        """Import what the entry point of this name stands for.

        Raises:
            KeyError: No such name.
            ModelError: It cannot be imported.

        """
        point = self.points()[name]
        try:
            return point.load()
        except Exception as error:  # the code of another package can raise anything
            raise ModelError(
                f"the {self.what} {point.name!r} of {_package(point)} cannot be imported",
                f"{type(error).__name__}: {error} from {point.value}",
                "mend or uninstall that package",
            ) from error


@cache
def _points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of the packages on this path; finding them takes 20 ms."""
    return tuple(entry_points(group=group))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an installed package"

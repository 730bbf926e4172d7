"""What other packages add to the tables of this one, by entry point."""

from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sweep.core.errors import UserError


def added(group: str, ours: Collection[str]) -> dict[str, EntryPoint]:
    """The entry points of a group by name; nothing is imported.

    Args:
        group: The name of the group, such as ``mrisweep.metrics``.
        ours: The names that this package has in it.

    Raises:
        UserError: Two packages add the same name, or one of ours.

    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in ours:
            raise UserError(
                f"{point.name!r} of {_package(point)} has a name in {group} that is taken",
                point.value,
                "rename it there, or uninstall that package",
            )
        if found.setdefault(point.name, point).value != point.value:
            raise UserError(
                f"two packages add {point.name!r} to {group}",
                f"{found[point.name].value} and {point.value}",
                "uninstall one of them",
            )
    return found


def load(point: EntryPoint) -> Any:
    """The object that an entry point names.

    Raises:
        UserError: It cannot be imported.

    """
    try:
        return point.load()
    except Exception as error:  # the code of another package can raise anything
        raise UserError(
            f"{point.name!r} of {_package(point)} cannot be imported",
            f"{type(error).__name__}: {error} from {point.value}",
            "mend or uninstall that package",
        ) from error


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an installed package"

"""True and false where a setting takes a number: YAML has ``yes`` and ``on`` for them, too."""

from collections.abc import Iterator, Mapping
from types import NoneType

from sweep.config.base import Settings
from sweep.config.declared import alternatives, asked, place_at
from sweep.core.errors import SeveralFaultsError, UserError
from sweep.core.text import as_written


def refuse_truths(raw: object, whole: type[Settings]) -> None:
    """Refuse true and false in the place of a number, which pydantic would take for 1 and 0.

    Args:
        raw: Plain nested data, not checked yet.
        whole: The section that it is to become.

    Raises:
        UserError: One for each such place.

    """
    errors = list(_faults(raw, (), whole))
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralFaultsError(errors)


def _faults(
    value: object, path: tuple[str | int, ...], whole: type[Settings]
) -> Iterator[UserError]:
    if isinstance(value, bool):
        name, declared = place_at(path, whole)
        if {*alternatives(declared)} - {NoneType} <= {int, float}:
            wrong = f"{name} cannot take this value"
            yield UserError(wrong, as_written(value), asked(declared, value))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _faults(one, (*path, str(key)), whole)
    elif isinstance(value, list | tuple):
        for at, one in enumerate(value):
            yield from _faults(one, (*path, at), whole)

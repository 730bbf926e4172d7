"""What pydantic finds wrong with settings, said as everything else is said."""

import dataclasses
import reprlib
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sweep.config.base import key_of
from sweep.core.errors import SeveralFaultsError, UserError, nearest, within


def explained(error: ValidationError, whole: type) -> Exception:
    """One fault, or several together, of what was to become the settings class ``whole``."""
    errors = [_one(details, whole) for details in error.errors()]
    return errors[0] if len(errors) == 1 else SeveralFaultsError(errors)


def _one(details: ErrorDetails, whole: type) -> Exception:
    path = [str(part) for part in details["loc"]]
    name = ".".join(path)
    received = details["input"]
    match details["type"]:
        case "value_error":  # of ours, raised when a section was made
            found = details["ctx"]["error"]
            return within(name, found) if name else UserError(*found.args)
        case "unexpected_keyword_argument":
            hint = nearest(path[-1], _keys(path[:-1], whole))
            return UserError("there is no such setting", f"{name!r}", hint)
        case "missing":
            remedy = f"give it in the file, or by --set {name}=VALUE"
            return UserError(f"{name} is missing and has no default", "none", remedy)
        case "dataclass_type":
            keys = ", ".join(_keys(path, whole))
            alone = ", or null" if type(None) in get_args(_type_at(path, whole)) else ""
            return UserError(
                f"{name} is a section", f"{received!r}", f"give it keys: {keys}{alone}"
            )
        case "invalid_key":
            return UserError("there is no such setting", f"{name!r}", "take the name of a setting")
        case "tuple_type":
            asked = "give a list, such as [a, b]"
        case "dict_type":
            asked = "give keys with values"
        case _:
            asked = details["msg"].replace("Input should be", "give")
    remedy = asked[0].lower() + asked[1:]
    return UserError(f"{name} cannot take this value", reprlib.repr(received), remedy)


def _keys(path: list[str], whole: type) -> list[str]:
    """The names of the settings in the section of ``whole`` at ``path``."""
    return [key_of(item.name) for item in dataclasses.fields(_section_at(path, whole))]


def _section_at(path: list[str], whole: type) -> Any:
    """The class of a section, also of one that may be null."""
    declared = _type_at(path, whole)
    return next((one for one in get_args(declared) if one is not type(None)), declared)


def _type_at(path: list[str], whole: type) -> Any:
    """What the setting of ``whole`` at ``path`` is declared as."""
    if not path:
        return whole
    if path[-1].isdigit():  # the place in a list of sections
        return _type_at(path[:-1], whole)
    section = _section_at(path[:-1], whole)
    return next(f.type for f in dataclasses.fields(section) if key_of(f.name) == path[-1])

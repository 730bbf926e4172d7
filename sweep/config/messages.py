"""What pydantic finds wrong with settings, said as everything else is said."""

import dataclasses
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sweep.config.base import Settings, key_of
from sweep.config.declared import alternatives, asked, place_at, without_null
from sweep.core.errors import SeveralFaultsError, UserError, nearest, within
from sweep.core.text import as_written


def explained(error: ValidationError, whole: type[Settings]) -> Exception:
    """One fault, or several together, of what was to become the settings class ``whole``."""
    found: dict[object, Exception] = {}
    for details in error.errors():
        # Of a setting of several kinds there is a fault for each, and it is one.
        place = place_at(details["loc"], whole)
        key = place.name if len(alternatives(place.declared)) > 1 else details["loc"]
        found.setdefault(key, _one(details, whole))
    errors = list(found.values())
    return errors[0] if len(errors) == 1 else SeveralFaultsError(errors)


def _one(details: ErrorDetails, whole: type[Settings]) -> Exception:
    path = details["loc"]
    name, declared = place_at(path, whole)
    received = details["input"]
    match details["type"]:
        case "value_error":  # of ours, raised when a section was made
            found = details["ctx"]["error"]
            return within(name, found) if name else UserError(*found.args)
        case "unexpected_keyword_argument":
            section = without_null(place_at(path[:-1], whole).declared)
            return UserError(
                "there is no such setting", f"{name!r}", nearest(str(path[-1]), _keys(section))
            )
        case "missing":
            remedy = f"give it in the file, or by --set {name}=VALUE"
            return UserError(f"{name} is missing and has no default", "none", remedy)
        case "dataclass_type":
            keys = ", ".join(_keys(without_null(declared)))
            alone = ", or null" if type(None) in alternatives(declared) else ""
            return UserError(
                f"{name} is a section", as_written(received), f"give it keys: {keys}{alone}"
            )
        case "invalid_key":
            return UserError("there is no such setting", f"{name!r}", "take the name of a setting")
    return UserError(
        f"{name} cannot take this value", as_written(received), asked(declared, received)
    )


def _keys(section: Any) -> list[str]:
    """The names of the settings in a section."""
    return [key_of(item.name) for item in dataclasses.fields(section)]

"""Names of a package that are imported when they are used, as torch takes a second to import."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any


def imported(package: str, homes: Mapping[str, str], name: str) -> Any:
    """What a package has under a name, for its ``__getattr__``.

    Args:
        package: The name of the package.
        homes: Of each such name the module of the package that has it.
        name: The name that is asked for.

    Raises:
        AttributeError: There is no such name.

    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
    setattr(sys.modules[package], name, found)  # the next use is as fast as of any other name
    return found

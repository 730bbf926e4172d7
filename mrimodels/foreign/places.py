"""`package.module:name`: where a function or a class of the user's is, and how it is found."""

import os
import re
import sys

from mrimodels.foreign.libraries import imported

_PLACE = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")

REACHED = "installed, in the current folder, or in a folder on PYTHONPATH"
"""Where a module of the user's can be, for messages."""


def is_place(text: str) -> bool:
    """Whether a text has the form `package.module:name`; nothing is imported."""
    return _PLACE.fullmatch(text) is not None


def found_at(place: str) -> object:
    """Import what a place names; whatever its code raises comes through.

    A module of the current folder is found, too: the folder goes to the end of `sys.path`, so that
    it hides nothing, and stays there, for what the module imports later and for worker processes.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    module, _, path = place.partition(":")
    found: object = imported(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found

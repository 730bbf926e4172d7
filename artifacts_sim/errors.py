"""The one error this package raises at its public boundary."""

import re
from pathlib import PurePath

_MOST_CHARACTERS = 100


class ArtifactError(ValueError):
    """Bad input: what is wrong, what was received, and what to do.

    Args:
        wrong: What is wrong, such as ``there is no such level``.
        received: What was given instead, as it is to be shown.
        remedy: What to do, such as ``take 0 (identity) to 5``.

    """

    def __init__(self, wrong: str, received: object, remedy: str) -> None:
        text = str(received) if isinstance(received, str | PurePath) else shown(received)
        super().__init__(wrong, text, remedy)

    def __str__(self) -> str:
        wrong, received, remedy = self.args
        return f"{wrong}; received {received}; {remedy}"


def shown(value: object) -> str:
    """Write what was received for a message: in one line, and not much of it.

    Args:
        value: Anything; whatever cannot be written is named by its type.

    """
    try:
        line = re.sub(r"\s*\n\s*", " ", repr(value))
    except Exception:  # of a number of 5000 digits, or of anything that a user has made
        return f"a value of type {type(value).__name__}"
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 3]}..."

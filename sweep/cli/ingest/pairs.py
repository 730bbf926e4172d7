"""Options of the form ``NAME=VALUE``, several of which may be given."""

from collections.abc import Sequence

from sweep.core.errors import UserError


def pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    """The value of each name.

    Args:
        option: The option, for messages.
        texts: As they were given.
        example: One that could be read.

    Raises:
        UserError: One of another form.

    """
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise UserError(
                f"{option} cannot be read", f"{text!r}", f"give NAME=VALUE, such as {example}"
            )
        found[name] = value
    return found

"""What stands between the cells of a table, where that is no comma."""

from collections.abc import Collection, Sequence
from pathlib import Path

from sweep.core.errors import UserError

# As spreadsheets write them in countries whose numbers have a comma.
OTHERS = {";": "semicolons", "\t": "tabs"}


def refuse_other_separator(
    what: str, path: Path, header: Sequence[str], known: Collection[str]
) -> None:
    """Raise ``UserError`` for a table whose columns seem to be separated by something else.

    Args:
        what: The kind of table, for the message: "manifest".
        path: Its path.
        header: The cells of its first line, as commas separate them.
        known: Names that a column may have; where there is one, commas are right.

    """
    if set(header) & set(known):
        return
    for mark, name in OTHERS.items():
        if any(mark in cell for cell in header):
            raise UserError(
                f"the columns of the {what} seem to be separated by {name}",
                f"{path}, which begins with {','.join(header)!r:.80}",
                "save it with commas between the columns, as CSV in UTF-8",
            )

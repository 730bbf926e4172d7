"""What stands in cells of the tables that speak of files: paths, and numbers from 0."""

import math
import posixpath
import re
from pathlib import Path

from sweep.core.errors import UserError

# Spreadsheets write 3 as 3.0 beside empty cells; no file has more slices than 18 digits count.
NUMBER = re.compile(r"(\d{1,18})(\.0+)?", re.ASCII)


class Paths:
    """Reads paths of files in a folder.

    Args:
        folder: The folder that they start from; one that is absolute may lead into it.

    Attributes:
        slashed: Paths that had backslashes.

    """

    def __init__(self, folder: Path) -> None:
        self.slashed = 0
        self._roots = {str(folder.absolute()), str(folder.resolve())}

    def __call__(self, cell: str) -> str:
        """The path with forward slashes, from the folder on; empty = none."""
        if "\\" in cell and "/" not in cell:  # as Windows writes paths
            self.slashed += 1
            cell = cell.replace("\\", "/")
        if not cell:
            return ""
        file = posixpath.normpath(cell)
        for root in self._roots:
            if file.startswith(f"{root}/"):
                return file[len(root) + 1 :]
        return file


def leads_out(file: str) -> bool:
    """Whether a path, as written, leads out of its folder."""
    return file.startswith(("/", "../")) or file == ".."


def numbered(name: str, cell: str, where: str) -> int | None:
    """A number from 0; None of an empty cell.

    Args:
        name: The column.
        cell: What stands in it.
        where: How to name the row in messages.

    Raises:
        UserError: It is no such number.

    """
    if not cell:
        return None
    found = NUMBER.fullmatch(cell)
    if found is None:
        raise UserError(
            f"a {name} is not a number from 0, or empty for all of the file",
            f"{where}: {cell!r}",
            f"correct the column {name!r}",
        )
    return int(found[1])


def measured(name: str, cell: str, where: str) -> float:
    """A finite number.

    Args:
        name: The column.
        cell: What stands in it.
        where: How to name the row in messages.

    Raises:
        UserError: It is none.

    """
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"a cell of the column {name!r} is no number",
            f"{where}: {cell!r}",
            "correct it, or remove the row",
        )
    return value

"""Where the file that a row names is."""

from pathlib import Path

from sweep.core.errors import UnusableError
from sweep.ingest.formats.manifest import Row
from sweep.ingest.formats.near import near_path


def located(row: Row, folder: Path) -> Path:
    """Where the file of a row is; links may lead anywhere, as those of data managers do.

    Raises:
        UnusableError: There is neither a file nor a folder, or links that lead in a circle.

    """
    path = folder / row.file
    try:
        path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle, before 3.13
        near = near_path(folder, row.file)
        raise UnusableError(
            "a file of the manifest cannot be found",
            f"{row} in {folder} ({type(error).__name__}: {error})",
            f"correct the row: did you mean {near!r}?"
            if near
            else "add the file or remove the row",
        ) from error
    if not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise UnusableError(
            "what a row of the manifest names is no file",
            f"{row} in {folder}",
            "put a file in its place, or remove the row",
        )
    return path

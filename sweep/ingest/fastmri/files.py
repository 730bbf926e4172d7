"""Finding the volumes of a data set in folders."""

from collections.abc import Sequence
from pathlib import Path

from sweep.core.errors import UserError, refuse
from sweep.ingest.formats.walking import files_below

SUFFIX = ".h5"


def volume_name(text: str) -> str:
    """Name of a volume, which tables write with or without the suffix of its file."""
    return text.strip().removesuffix(SUFFIX)


def find_volumes(folders: Sequence[Path]) -> dict[str, Path]:
    """All ``*.h5`` below the folders, by name, in the order of the names.

    Links are followed; a folder that is reached twice, as by a loop of links, is read once.

    Raises:
        UserError: No such folder; a folder that cannot be read; a name twice; no file.

    """
    refuse(
        "there is no such folder of volumes",
        [str(folder) for folder in folders if not folder.is_dir()],
        "correct the path",
    )
    found: dict[str, list[Path]] = {}
    for path in files_below(*folders):
        if path.name.endswith(SUFFIX):
            found.setdefault(volume_name(path.name), []).append(path)
    repeated = [" and ".join(map(str, paths)) for paths in found.values() if len(paths) > 1]
    refuse(
        "several volumes have the same name, so that labels cannot tell which one they mean",
        repeated,
        "remove or rename the repeats",
    )
    if not found:
        raise UserError(
            f"there is no volume, a file *{SUFFIX}, in the folders or below them",
            ", ".join(map(str, folders)) or "no folder",
            "name the folder that the volumes are in",
        )
    return {name: found[name][0] for name in sorted(found)}

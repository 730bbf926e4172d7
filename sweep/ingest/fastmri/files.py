"""Finding the volumes of a data set in folders."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import UserError, refuse
from sweep.core.text import listed
from sweep.ingest.formats.walking import files_below, is_leftover

SUFFIXES = (".h5", ".hdf5")  # in upper or lower case


class Found(NamedTuple):
    """What is in folders.

    Attributes:
        volumes: The paths of the volumes by name, in the order of the names.
        others: How many other files there are of each suffix, such as ``*.txt``; without those
            that an operating system leaves.

    """

    volumes: dict[str, Path]
    others: Counter[str]


def volume_name(text: str) -> str:
    """Name of a volume, which tables write with or without the suffix of its file."""
    name = text.strip()
    suffix = next((one for one in SUFFIXES if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)]


def find_volumes(folders: Sequence[Path]) -> Found:
    """All files ``*.h5`` and ``*.hdf5`` below the folders.

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
    others: Counter[str] = Counter()
    for path in files_below(*folders):
        if is_leftover(path.name):
            continue
        if path.name.lower().endswith(SUFFIXES):
            found.setdefault(volume_name(path.name), []).append(path)
        else:
            others[f"*{path.suffix}" if path.suffix else "without a suffix"] += 1
    repeated = [" and ".join(map(str, paths)) for paths in found.values() if len(paths) > 1]
    refuse(
        "several volumes have the same name, so that labels cannot tell which one they mean",
        repeated,
        "remove or rename the repeats",
    )
    if not found:
        raise UserError(
            f"there is no volume, a file {' or '.join(f'*{one}' for one in SUFFIXES)}, in the "
            "folders or below them",
            f"{', '.join(map(str, folders)) or 'no folder'}{_instead(others)}",
            "name the folder that the volumes are in",
        )
    return Found({name: found[name][0] for name in sorted(found)}, others)


def _instead(others: Counter[str]) -> str:
    kinds = [f"{count} {kind}" for kind, count in others.most_common()]
    return f" (with {listed(kinds)})" if kinds else ""

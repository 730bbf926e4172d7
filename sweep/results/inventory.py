"""What lies in a sweep's folder: every file by its kind, and the trial and the epoch it is of.

Nothing is read but names and sizes. Links are not followed: what they lead to lies elsewhere.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from sweep.core.files import is_temporary
from sweep.core.mirrors import size_of
from sweep.core.records import TRAINED
from sweep.core.text import bytes_text


class Kind(StrEnum):
    """What a file is, as users are told of it."""

    CHECKPOINT = "checkpoints"
    STATE = "states of training"
    PREDICTIONS = "predictions"
    SCORES = "scores"
    RECORD = "records"
    FINAL_CHECKPOINT = "checkpoints of finalists"
    FINAL_PREDICTIONS = "predictions of finalists"
    TUNE = "Tune's own state"
    LEFT = "unfinished files"
    OTHER = "others"


TUNE = "tune"  # the folder that Tune is given
_EPOCH = r"epoch-(?P<epoch>\d+)"
_PLACES = (
    (rf"checkpoints/(?P<of>[^/]+)/{_EPOCH}(\.(?P<mode>\w+))?\.pt", Kind.CHECKPOINT),
    (r"checkpoints/(?P<of>[^/]+)/state\.pt", Kind.STATE),
    (rf"predictions/(?P<of>[^/]+)/{_EPOCH}\.parquet", Kind.PREDICTIONS),
    (r"predictions/(?P<of>[^/]+)/modes/(?P<mode>\w+)\.parquet", Kind.PREDICTIONS),
    (r"results/.+\.parquet", Kind.SCORES),
    (r"trials/[^/]+\.json", Kind.RECORD),
    (rf"finalists/(?P<of>[^/]+)/{_EPOCH}\.pt", Kind.FINAL_CHECKPOINT),
    (r"finalists/(?P<of>[^/]+)/state\.pt", Kind.STATE),
    (r"finalists/(?P<of>[^/]+)/predictions/[^/]+\.parquet", Kind.FINAL_PREDICTIONS),
    (r"finalists/[^/]+/results/[^/]+\.parquet", Kind.SCORES),
    (r"finalists/[^/]+\.json", Kind.RECORD),
    (rf"{TUNE}/.+", Kind.TUNE),
)
_KNOWN = tuple((re.compile(pattern), kind) for pattern, kind in _PLACES)


class Held(NamedTuple):
    """A file of a sweep's folder.

    Attributes:
        path: Below the folder, with slashes.
        kind: What it is.
        size: In bytes.
        mtime_ns: When it was written, Unix time.
        of: The trial or the training of a finalist that it is of; None: of neither.
        epoch: The number of the epoch; None where it is of none, or of a mode.
        mode: The mode of its checkpoint or predictions.

    """

    path: str
    kind: Kind
    size: int
    mtime_ns: int
    of: str | None = None
    epoch: int | None = None
    mode: str = TRAINED


def inventory(folder: Path, *below: str) -> Iterator[Held]:
    """The files of a sweep's folder.

    Args:
        folder: The folder.
        below: The only parts of it to look at, as paths below it; none: all of it.

    """
    for part in below or ("",):
        if not (folder / part).is_symlink():
            yield from _listed(folder, folder / part)


def of_trial(folder: Path, trial: str) -> Iterator[Held]:
    """The checkpoints and the predictions of one trial, with all that lies beside them."""
    for part in ("checkpoints", "predictions"):
        place = folder / part / trial
        if place.parent == folder / part and not place.is_symlink():  # a name, and no path
            yield from _listed(folder, place)


def sizes(files: Iterable[Held]) -> dict[Kind, int]:
    """Bytes of each kind that there is, the largest first."""
    found: Counter[Kind] = Counter()
    for file in files:
        found[file.kind] += file.size
    return dict(found.most_common())


def sizes_text(known: Mapping[Any, float]) -> str:
    """All bytes, and those of each kind that matters, the largest first."""
    total = sum(known.values())
    parts = [f"{kind} {bytes_text(size)}" for kind, size in known.items() if size >= total / 50]
    return f"{bytes_text(total)}: {', '.join(parts)}" if parts else bytes_text(total)


def _listed(folder: Path, place: Path) -> Iterator[Held]:
    for entry in _files(place):
        path = Path(entry.path).relative_to(folder).as_posix()
        known = entry.stat(follow_symlinks=False)
        yield _held(path, size_of(Path(entry.path), known.st_size), known.st_mtime_ns)


def _held(path: str, size: int, mtime_ns: int) -> Held:
    if is_temporary(path.rpartition("/")[2]):
        return Held(path, Kind.LEFT, size, mtime_ns)
    for pattern, kind in _KNOWN:
        if found := pattern.fullmatch(path):
            told = found.groupdict()
            epoch = told.get("epoch")
            return Held(
                path,
                kind,
                size,
                mtime_ns,
                told.get("of"),
                None if epoch is None else int(epoch),
                told.get("mode") or TRAINED,
            )
    return Held(path, Kind.OTHER, size, mtime_ns)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below a folder; what disappears while it is looked at is not there."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield entry

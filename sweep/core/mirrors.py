"""Which folders of this process are mirrors of a bucket, for all who read and write files there.

Whoever writes a file of a sweep's folder, reads one that another node may have written, or deletes
one, does it through these functions. In a folder on a disk they do what ``pathlib`` does; where a
mirror is known (``sweep.remote``), what is written is in the bucket before it is in the mirror.
"""

from pathlib import Path
from typing import Protocol


class Mirror(Protocol):
    """A folder on this node that stands for one in a bucket.

    Attributes:
        root: The folder, absolute.
        uri: What it is a mirror of.

    """

    root: Path
    uri: str

    def publish(self, written: Path, path: Path) -> None:
        """Put what is written into the bucket, as the file that ``path`` is in the mirror."""

    def fetch(self, path: Path) -> None:
        """Have ``path`` be what it is in the bucket, as far as this process knows that."""

    def remove(self, path: Path) -> None:
        """Delete a file, in the bucket first."""

    def listed(self, folder: Path) -> list[Path]:
        """The files that the bucket has directly in a folder of the mirror, by name."""

    def size(self, path: Path) -> int | None:
        """Bytes of a file, of which an empty one may stand here; None: as it is here."""

    def forget(self, below: Path) -> None:
        """Others may change what is at a path or below it: ask the bucket again."""


_known: dict[Path, Mirror] = {}


def register(mirror: Mirror) -> None:
    """Make a mirror known to this process, from now on."""
    _known[mirror.root] = mirror


def mirror_of(path: Path) -> Mirror | None:
    """The mirror that a path is in; None: it is on a disk alone."""
    return next((one for root, one in _known.items() if path.is_relative_to(root)), None)


def publish(written: Path, path: Path) -> None:
    """What is written is about to be the file ``path``: in a mirror, the bucket has it first."""
    if mirror := mirror_of(path):
        mirror.publish(written, path)


def fetched(path: Path) -> Path:
    """The same path, once it is what others may have written there; to be read."""
    if mirror := mirror_of(path):
        mirror.fetch(path)
    return path


def remove(path: Path) -> None:
    """Delete a file of a sweep's folder; one that is not there is no error."""
    if mirror := mirror_of(path):
        mirror.remove(path)
    path.unlink(missing_ok=True)


def listed(folder: Path) -> list[Path]:
    """The files directly in a folder, by name; none where there is no such folder."""
    if mirror := mirror_of(folder):
        return mirror.listed(folder)
    return sorted(path for path in folder.glob("*") if path.is_file())


def size_of(path: Path, here: int) -> int:
    """Bytes of a file that has so many on this node, where an empty one may stand for it."""
    mirror = mirror_of(path)
    known = None if mirror is None else mirror.size(path)
    return here if known is None else known


def forget(below: Path) -> None:
    """What is at a path or below it may be changed by another process from now on."""
    if mirror := mirror_of(below):
        mirror.forget(below)


def named(text: str) -> str:
    """A text in which folders are called as the user calls them: a mirror by its URI."""
    for root, mirror in _known.items():
        text = text.replace(str(root), mirror.uri)
    return text

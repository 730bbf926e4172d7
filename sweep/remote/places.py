"""Folders of sweeps and files in them, as users and other processes name them: where they are.

A path stays what it is. A URI is its mirror on this node; the library that talks to buckets is
imported where there is one.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.core import mirrors
from sweep.core.reading import read_text
from sweep.core.saying import say
from sweep.remote.address import MARK, mirrors_folder, uri_of

if TYPE_CHECKING:
    from sweep.remote.mirror import FolderMirror

# Those who drive a sweep and those who ask it have mirrors of their own: a question that brings its
# mirror up to date would put a file back that a driver on the same node has just replaced.
SWEEP, COPY = "sweep", "copy"
RECORDS, RESULTS = "records", "results"  # what is brought whole, see ``sweep.remote.mirror``
OWNER = ".owner"  # a file of a mirror with who held the lease last from this node
INSIDE = ("checkpoints", "finalists", "predictions", "results")  # folders of a sweep's folder


def meant(place: str | Path) -> str | None:
    """The URI that is meant, by itself or by the path of a mirror of it; None: a path.

    A mirror that this process works on is a folder as any other.

    Raises:
        UserError: See ``address.uri_of``.

    """
    if uri := uri_of(place):
        return uri
    path = Path(place).absolute()
    try:
        if mirrors.mirror_of(path) is not None or not path.is_relative_to(mirrors_folder()):
            return None
        return read_text(path / MARK)
    except (OSError, ValueError):
        return None


def shown(place: str | Path) -> str:
    """A path or a URI as a user would write it.

    Raises:
        UserError: See ``address.uri_of``.

    """
    return meant(place) or str(place)


def here(place: str | Path, bring: str = RECORDS) -> Path:
    """Where the folder of a sweep can be asked on this node, as it is now.

    Args:
        place: A path or a URI.
        bring: What of it is brought whole: the records of trials, or all scores as well.

    Raises:
        UserError: A URI that cannot be opened.
        WorkError: A bucket that does not answer.

    """
    if (uri := meant(place)) is None:
        return Path(place)
    from sweep.remote.mirror import records, results

    mirror = _checked(uri, COPY)
    mirror.bring(records if bring == RECORDS else results)
    return mirror.root


def file_here(place: str | Path) -> Path:
    """Where a file of a sweep's folder, such as a checkpoint, is on this node, as it is now.

    Raises:
        UserError: A URI that cannot be opened.
        WorkError: A bucket that does not answer.

    """
    if (uri := uri_of(place)) is None:
        return mirrors.fetched(Path(place))
    root, name = _split(uri)
    return mirrors.fetched(here(root) / name)


def to_drive(place: str | Path, *files: str) -> Path:
    """Where a sweep that was begun can be driven on this node, once it is locked.

    Args:
        place: A path or a URI.
        files: Those by which a folder is a sweep's; they alone are brought.

    Raises:
        UserError: A URI that cannot be opened.
        WorkError: A bucket that does not answer.

    """
    if (uri := meant(place)) is None:
        return Path(place)
    mirror = _checked(uri, SWEEP)
    for file in files:
        mirror.forget(mirror.root / file)
        mirror.fetch(mirror.root / file)
    return mirror.root


def known_place(place: str | Path) -> Path:
    """Where a sweep that this process drives is on this node; its bucket is not asked."""
    uri = meant(place)
    return Path(place) if uri is None else _mirror(uri, SWEEP).root


def names_in_bucket(place: str | Path) -> list[str] | None:
    """What lies directly in a folder that may be written; None: it is on a disk.

    Left out is what drivers make for themselves, whose names begin with a dot.

    Raises:
        UserError: A URI that cannot be opened, or not be written.
        WorkError: A bucket that does not answer.

    """
    if (uri := meant(place)) is None:
        return None
    bucket = _mirror(uri, SWEEP).bucket
    bucket.check()
    bucket.check_writable()
    names = {name.partition("/")[0] for name in bucket.listed()}
    return sorted(name for name in names if not name.startswith("."))


def is_there(folder: Path) -> bool:
    """Whether there is such a folder; a mirror is made of a URI that leads to nothing, too."""
    if not folder.is_dir():
        return False
    if mirrors.mirror_of(folder) is None:
        return True
    return any(not one.name.startswith(".") for one in folder.iterdir())


def made(place: str | Path) -> Path:
    """Make the folder of a new sweep; where it is on this node, absolute."""
    if (uri := meant(place)) is None:
        path = Path(place).resolve()
        path.mkdir(parents=True, exist_ok=True)
        return path
    mirror = _mirror(uri, SWEEP)
    mirror.bring(lambda name: False)
    return mirror.root


@contextmanager
def leased(folder: Path) -> Iterator[None]:
    """Hold the lease of the sweep in a bucket, and have its mirror up to date; else nothing.

    Args:
        folder: On this node; the caller has locked it.

    Raises:
        UserError: Another process drives it.
        WorkError: A bucket that does not answer.

    """
    mirror = mirrors.mirror_of(folder)
    if mirror is None:
        yield
        return
    from sweep.remote.lease import Lease
    from sweep.remote.mirror import all_but_heavy

    ours = _known(mirror)
    with Lease(ours.bucket, ours.root / OWNER, say).held() as lease:
        ours.lease = lease
        try:
            ours.bring(all_but_heavy)
            yield
        finally:
            ours.lease = None


def driven_at(folder: Path) -> Path:
    """Where a driver on this node would have locked a sweep: in a mirror of its own, or there."""
    mirror = mirrors.mirror_of(folder)
    return folder if mirror is None else _mirror(mirror.uri, SWEEP).root


def is_leased_elsewhere(folder: Path) -> bool:
    """Whether a process on another node drives the sweep in a bucket, as far as a look tells.

    Raises:
        WorkError: A bucket that does not answer.

    """
    mirror = mirrors.mirror_of(folder)
    if mirror is None:
        return False
    from sweep.remote.lease import is_held

    return is_held(_known(mirror).bucket, driven_at(folder) / OWNER)


def refresh(folder: Path) -> None:
    """Hear of what workers on other nodes have put into the folder of a sweep."""
    if mirror := mirrors.mirror_of(folder):
        from sweep.remote.mirror import records

        _known(mirror).bring(records, exactly=False)


def take_up(folder: Path, *below: str) -> None:
    """Begin to work on parts of a sweep's folder that nobody else writes in, as they are now.

    Args:
        folder: On this node.
        below: The parts, as relative paths.

    """
    if mirror := mirrors.mirror_of(folder):
        _known(mirror).tidy()
        relist(folder, *below)


def relist(folder: Path, *below: str) -> None:
    """Have every file named that there is in parts of a sweep's folder, where nobody writes now."""
    if mirror := mirrors.mirror_of(folder):
        ours = _known(mirror)
        for part in below:
            ours.forget(ours.root / part)
            ours.bring(lambda name: False, part)


def bring(folder: Path, names: Iterable[str]) -> None:
    """Have many files of a sweep's folder here before they are read, several at a time."""
    if mirror := mirrors.mirror_of(folder):
        _known(mirror).fetch_all(names)


@dataclass(frozen=True)
class Place:
    """A path in a sweep's folder on its way to another process, which may be on another node.

    Attributes:
        path: On a disk that both see; in a mirror, what leads to it from there.
        uri: Of what that is a mirror; None: a disk.

    """

    path: Path
    uri: str | None = None

    @classmethod
    def of(cls, path: Path) -> "Place":
        """That of a path in this process."""
        mirror = mirrors.mirror_of(path)
        return cls(path) if mirror is None else cls(path.relative_to(mirror.root), mirror.uri)

    def here(self) -> Path:
        """The path in this process."""
        return self.path if self.uri is None else _mirror(self.uri, SWEEP).root / self.path

    def current(self) -> Path:
        """The same, of a file, once it is what it is in the bucket now."""
        path = self.here()
        mirrors.forget(path)
        return mirrors.fetched(path)


def _checked(uri: str, role: str) -> "FolderMirror":
    """The mirror of a bucket that answers, and that may be read.

    Raises:
        UserError: It cannot be opened.
        WorkError: It does not answer.

    """
    mirror = _mirror(uri, role)
    mirror.bucket.check()
    return mirror


def _mirror(uri: str, role: str) -> "FolderMirror":
    from sweep.remote.mirror import mirror_at  # half a second

    return mirror_at(uri, role)


def _known(mirror: mirrors.Mirror) -> "FolderMirror":
    from sweep.remote.mirror import FolderMirror

    assert isinstance(mirror, FolderMirror), "no other kind is made"
    return mirror


def _split(uri: str) -> tuple[str, str]:
    """The folder of a sweep, and the name of a file below it."""
    parts = uri.split("/")
    at = next((at for at in range(len(parts) - 1, 3, -1) if parts[at] in INSIDE), len(parts) - 1)
    return "/".join(parts[:at]), "/".join(parts[at:])

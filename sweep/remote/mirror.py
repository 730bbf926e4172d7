"""The mirror of a folder in a bucket: what is brought here, what is put there, what it lists.

Small files are brought whole when a mirror is brought up to date. For what is large, an empty file
stands until it is read. A file here has the time of the object that it is a copy of: by that, and
by its size, it is known to be the same.
"""

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath

from sweep.core import mirrors
from sweep.core.errors import WorkError, told
from sweep.remote.address import MARK, mirrors_folder
from sweep.remote.bucket import Bucket, Version
from sweep.remote.lease import Lease

HERE_ONLY = ("tune", "summary.parquet")  # of this node alone, and made anew where they are wanted
HEAVY = ("checkpoints", "predictions")
# What a system answers to names that lie below a file, or are too long.
NO_NAME = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
UNUSED_S = 600.0  # after which what is large leaves a node
GRAIN_S = 2  # the coarsest clock of a store: two changes in it look like one

Which = Callable[[str], bool]


def records(name: str) -> bool:
    """Of a sweep what says which trials there are, and what came of them."""
    return name.endswith((".json", ".yaml")) or name in ("test_access.jsonl", "removed.jsonl")


def results(name: str) -> bool:
    """The same, with the sampler's journal, the scores of every epoch and the report."""
    parts = PurePosixPath(name).parts
    more = "results" in parts[:-1] or parts[0] == "optuna.parts" or name == "report.html"
    return more or records(name)


def all_but_heavy(name: str) -> bool:
    """All that a driver reads again and again."""
    return not (name.endswith(".pt") or "predictions" in PurePosixPath(name).parts)


class FolderMirror:
    """See ``sweep.core.mirrors.Mirror``.

    Args:
        uri: The folder in the bucket.
        root: The folder on this node.

    Attributes:
        lease: That by which this process alone drives the sweep; None: it does not drive it.

    """

    def __init__(self, uri: str, root: Path) -> None:
        self.uri, self.root = uri, root
        self.lease: Lease | None = None
        self._versions: dict[str, Version] = {}

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket; with it the mirror begins on this node.

        Raises:
            WorkError: There is no place for a mirror on this node.

        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / MARK).write_text(self.uri, encoding="utf-8")
        except OSError as error:
            raise _without_place(error) from None
        return Bucket(self.uri)

    def publish(self, written: Path, path: Path) -> None:
        """See ``Mirror``; the file has the time of the object then."""
        name = self._name(path)
        if _is_here_only(name):
            return
        self._require_lease()
        # Others on this node may look for these, and are to find that they are there already.
        stamped = name.endswith((".pt", ".parquet"))
        version = self.bucket.put(written, name, stamped)
        self._versions.pop(name, None)
        if version is not None:
            os.utime(written, (version.seconds, version.seconds))
            self._versions[name] = version

    def fetch(self, path: Path) -> None:
        """See ``Mirror``."""
        name = self._name(path)
        if _is_here_only(name):
            return
        here = Version.of_file(path)
        known = self._versions.get(name)
        if known is None and here is not None and here.size:
            known = self.bucket.stat(name)
        if known is not None and known == here:
            self._versions[name] = known
            os.utime(path, (known.seconds, known.seconds))  # in use, see ``tidy``
            return
        with _becoming_files():
            version = self.bucket.get(name, path)
        if version is None:
            self._versions.pop(name, None)
            path.unlink(missing_ok=True)
        else:
            self._versions[name] = version

    def remove(self, path: Path) -> None:
        """See ``Mirror``."""
        name = self._name(path)
        if not _is_here_only(name):
            self._require_lease()
            self.bucket.delete(name)
            self._versions.pop(name, None)

    def listed(self, folder: Path) -> list[Path]:
        """See ``Mirror``."""
        found = self.bucket.listed(self._name(folder), recursive=False)
        return sorted(self.root / name for name in found if not _is_here_only(name))

    def size(self, path: Path) -> int | None:
        """See ``Mirror``."""
        known = self._versions.get(self._name(path))
        return None if known is None else known.size

    def forget(self, below: Path) -> None:
        """See ``Mirror``."""
        name = self._name(below)
        for known in list(self._versions):  # at once, as other threads add to it
            if known == name or known.startswith(f"{name}/"):
                self._versions.pop(known, None)

    def bring(self, whole: Which, below: str = "", exactly: bool = True) -> None:
        """Bring the mirror up to date.

        Args:
            whole: Which files are brought; for others an empty file stands where there is none.
            below: A folder of the mirror, as a relative path; empty: all.
            exactly: Whether files that the bucket does not have are deleted here. While workers
                of this node write into the mirror, a list is older than what it is compared with.

        Raises:
            WorkError: The bucket does not answer, or has an object that is no file of a folder.

        """
        found = self.bucket.listed(below)
        found = {name: one for name, one in found.items() if not _is_here_only(name)}
        # What was changed with the last changes may have been changed again in the same second.
        settled = max((one.seconds for one in found.values()), default=0) - GRAIN_S
        lacking = []
        with _becoming_files():
            for name, version in found.items():
                here = Version.of_file(self.root / name)
                if whole(name) and (here != version or version.seconds >= settled):
                    lacking.append((name, self.root / name))
                elif here is None:
                    _stand_for(self.root / name)
            self._versions |= found
            self._versions |= self.bucket.get_all(lacking)
        if exactly:
            self._delete_others(found.keys(), below)

    def fetch_all(self, names: Iterable[str]) -> None:
        """Bring those of many files that are not here as they are in the bucket."""
        lacking = [
            (name, self.root / name)
            for name in names
            if Version.of_file(self.root / name) != self._versions.get(name)
        ]
        self._versions |= self.bucket.get_all(lacking)

    def tidy(self) -> None:
        """Let what is large and was not touched for some time leave this node; it can be read on.

        By the time of the last change of a file's entry, which no time that is given to it hides.
        """
        until = time.time() - UNUSED_S
        for kind in HEAVY:
            for path in (self.root / kind).glob("*/*"):
                known = path.stat()
                if known.st_size and known.st_ctime < until and path.is_file():
                    _stand_for(path)

    def _delete_others(self, known: Collection[str], below: str) -> None:
        for path in (self.root / below).rglob("*"):
            name = self._name(path)
            if path.is_file() and not _is_here_only(name) and name not in known:
                path.unlink(missing_ok=True)

    def _name(self, path: Path) -> str:
        name = path.relative_to(self.root).as_posix()
        return "" if name == "." else name

    def _require_lease(self) -> None:
        if self.lease is not None:
            self.lease.require()


def mirror_at(uri: str, role: str) -> FolderMirror:
    """The mirror of a URI on this node; one for those who write in it, one for those who ask.

    Args:
        uri: The folder in the bucket.
        role: The name of its place among the mirrors of that URI.

    Raises:
        WorkError: There is no place for a mirror on this node.

    """
    digest = hashlib.sha256(uri.encode()).hexdigest()[:16]
    try:
        root = mirrors_folder() / digest / role / PurePosixPath(uri).name
    except OSError as error:
        raise _without_place(error) from None
    known = mirrors.mirror_of(root)
    if isinstance(known, FolderMirror):
        return known
    mirror = FolderMirror(uri, root)
    mirrors.register(mirror)
    return mirror


def _without_place(error: OSError) -> WorkError:
    return WorkError(
        "this node has no place for the mirror of a sweep's folder",
        told(error),
        "make room there, or name a folder by MRISWEEP_CACHE on every node",
    )


@contextmanager
def _becoming_files() -> Iterator[None]:
    """While objects become files here: a store takes names that no folder has.

    Raises:
        WorkError: An object lies below another one, or its name is too long.

    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_NAME:
            raise
        raise WorkError(
            "the bucket has an object that cannot be a file of a sweep's folder",
            told(error),
            "delete it in the bucket, if it is none of the sweep's",
        ) from None


def _stand_for(path: Path) -> None:
    """Have an empty file where a large one is to be brought once it is read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    empty = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    empty.touch()
    empty.replace(path)


def _is_here_only(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and (parts[0] in HERE_ONLY or any(one.startswith(".") for one in parts))

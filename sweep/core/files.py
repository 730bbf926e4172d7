"""Files that a reader never sees half written, and where those lie that can be made anew."""

import errno
import os
import re
import stat
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from socket import gethostname

from sweep.core import mirrors

# Of a temporary file: the name it is to get, then its host, its process and a word of its own. The
# files of earlier versions name neither host nor process, those of `mrimodels` are named alike.
TEMPORARY = re.compile(r"\..+\.(?:(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]+)-)?[0-9a-f]{8}\.tmp")
NAMED = 100  # characters of the name to be that a temporary one has, as names have a limit
ABANDONED_S = 3600.0  # after which a file that nothing is known of is nobody's any more
SQLITE = "sqlite:///"  # before the path of a database in a tracking URI


@contextmanager
def replacing(path: Path, publish: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    The content is on disk before the rename, and the rename is atomic, so ``path`` holds the old
    content or the new one whatever happens to this process. After an exception nothing is left.
    In the mirror of a bucket the content is in the bucket before the rename, unless ``publish`` is
    false, as for what comes from there. A link is replaced, and the file that it leads to is not.

    Raises:
        OSError: What is there, or what a link leads to, is no regular file, such as a device.

    """
    require_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = f"{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary = path.with_name(f".{path.name[:NAMED]}.{own}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if publish:
            mirrors.publish(temporary, path)
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, temporary, str(temporary)):
            error.filename = str(path)  # which the user knows
        raise
    finally:
        temporary.unlink(missing_ok=True)


def may_write_in(folder: Path) -> bool:
    """Whether a file or folder can be made in one that is there: by trying it.

    Permissions alone do not tell of everything, such as a server that refuses the root of others.
    """
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".mrisweep-", dir=folder))
    except OSError:
        return False
    return True


def require_replaceable(path: Path) -> None:
    """Raise ``OSError`` if there is something at a path that is no regular file.

    A rename takes the place of whatever is there, of a device or a pipe as well, which would be no
    device to anybody any more.
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # nothing, or a link that leads nowhere; or what the system will refuse
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, "it is no regular file", str(path))


@contextmanager
def refused_by_system(path: Path) -> Iterator[None]:
    """While HDF5 writes: it says what the system refused in the text of errors of several kinds.

    Raises:
        OSError: The system refused to write ``path``.

    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        refusal = int(number[1])
        raise OSError(refusal, os.strerror(refusal), str(path)) from error


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that ``replacing`` has begun; a kill leaves it."""
    return TEMPORARY.fullmatch(name) is not None


def write_text(path: Path, text: str) -> None:
    """Replace the content of ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def is_left(path: Path) -> bool:
    """Whether a file is a temporary one whose writer is dead, as far as can be known from here.

    Of the writers of this host the system knows that. Where another host writes, or an earlier
    version has written, the file's last change was an hour ago.
    """
    found = TEMPORARY.fullmatch(path.name)
    if found is None:
        return False
    if found["host"] == _host():
        return not _runs(int(found["pid"]))
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_S
    except OSError:
        return False


@cache
def _host() -> str:
    return f"{zlib.crc32(gethostname().encode()):08x}"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # the second of a number that no process has
        return False
    except PermissionError:  # of another user
        return True
    return True


def cache_folder() -> Path:
    """The user's folder for what can be made anew: ``MRISWEEP_CACHE``, or as the system has it.

    Raises:
        OSError: Nothing says where it is.

    """
    if own := os.environ.get("MRISWEEP_CACHE"):
        return Path(own)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise FileNotFoundError("the user has no home folder") from error
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "mrisweep"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "mrisweep"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "mrisweep"


def missing_database(uri: str) -> bool:
    """Whether a tracking URI is of an sqlite file that is not there, which MLflow would make."""
    return uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists()

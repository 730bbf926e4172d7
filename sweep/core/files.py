"""Files that a reader never sees half written, and where those lie that can be made anew."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.core import mirrors

SQLITE = "sqlite:///"  # before the path of a database in a tracking URI


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    The content is on disk before the rename, and the rename is atomic, so ``path`` holds the old
    content or the new one whatever happens to this process. After an exception nothing is left.
    In the mirror of a bucket the content is in the bucket before the rename.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        mirrors.publish(temporary, path)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace the content of ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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

"""The objects below one URI: put, got, listed, deleted, with patience for a store that is away.

An object appears whole or not at all. Where the URI is ``file://`` the same holds by a rename.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from copy import copy
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from threading import Event
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import pyarrow as pa
from pyarrow.fs import FileSelector, FileSystem, FileType

from sweep.core.errors import UserError, WorkError, told
from sweep.core.files import replacing

PATIENCE = "MRISWEEP_BUCKET_PATIENCE_S"  # of the environment
PATIENCE_S = 120.0  # in which a request is made again and again before the work fails
AT_FIRST_S = 5.0  # the same while a command begins, as the fault is likely the address
PAUSES_S = 0.5, 15.0  # the first between two requests, and the longest
THREADS = 16
# What another request will not change, of the messages of Arrow and of the SDKs below it.
FINAL = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_SIGNATURE",
    "INVALID_CLIENT_TOKEN_ID",
    "MISSING_AUTHENTICATION_TOKEN",
    "UNRECOGNIZED_CLIENT",
    "ACCOUNT_PROBLEM",
    "NO_SUCH_BUCKET",
    "(HTTP status 400)",
    "(HTTP status 401)",
    "(HTTP status 403)",
)
ONE_REQUEST = "allow_delayed_open=true"  # for a small object, which takes three without
T = TypeVar("T")


class Version(NamedTuple):
    """By what an object is known to be the same.

    Attributes:
        size: In bytes.
        seconds: Unix time of its last change, as some stores have no finer one.

    """

    size: int
    seconds: int

    @classmethod
    def of_file(cls, path: Path) -> "Version | None":
        """That of a file on this node, which has the time of what it is a copy of."""
        try:
            known = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(known.st_size, int(known.st_mtime))


class Bucket:
    """Everything below one URI. It is opened by the first request, whose fault is told.

    Args:
        uri: As ``address.uri_of`` gives it.

    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.patience_s = float(os.environ.get(PATIENCE, PATIENCE_S))
        self._giving_up = Event()
        # A signal is raised in the main thread alone: in another one nothing comes between an
        # object that is opened and its content, which would leave it empty.
        self._threads = ThreadPoolExecutor(THREADS, "bucket")

    def brief(self) -> "Bucket":
        """The same, with little patience: for those who come again anyhow."""
        other = copy(self)
        other.patience_s = min(AT_FIRST_S, self.patience_s)
        return other

    def check(self) -> None:
        """Ask for the bucket, and what is at the URI, as the first of all requests.

        Raises:
            UserError: There is no such bucket, or it may not be read.
            WorkError: It does not answer.

        """
        known = self._asked(lambda: self._files.get_file_info(self._bucket), at_first=True)
        if known.type == FileType.NotFound:
            raise UserError(
                "there is no such bucket",
                f"{self._bucket!r} of {self.uri}",
                "correct the URI, or make the bucket first; an endpoint that is not Amazon's is "
                "given by AWS_ENDPOINT_URL",
            )
        self._asked(lambda: self._listed("", recursive=False), at_first=True)

    def check_writable(self) -> None:
        """Make an object and delete it.

        Raises:
            UserError: The bucket may not be written.
            WorkError: It does not answer.

        """
        probe = f".probe-{uuid.uuid4().hex[:8]}"
        with NamedTemporaryFile() as empty:
            source = Path(empty.name)
            self._asked(lambda: self._put(source, probe), at_first=True)
        self._asked(lambda: self._files.delete_file(self._key(probe)), at_first=True)

    def stat(self, name: str) -> Version | None:
        """The version of an object; None: there is none."""
        return self._asked(lambda: self._stat(name))

    def put(self, source: Path, name: str, stamped: bool = True) -> Version | None:
        """Make an object of a file, replacing one that is there; its version, if asked for."""
        self._asked(lambda: self._threads.submit(self._put, source, name).result())
        return self.stat(name) if stamped else None

    def get(self, name: str, path: Path) -> Version | None:
        """Replace a file by what the object is now, and by its time; None: there is no object."""
        try:
            version, content = self._asked(lambda: self._read(name))
        except FileNotFoundError:
            return None
        with replacing(path, publish=False) as temporary:
            temporary.write_bytes(content)
            os.utime(temporary, (version.seconds, version.seconds))
        return version

    def get_all(self, pairs: Iterable[tuple[str, Path]]) -> dict[str, Version]:
        """Many objects, several at a time; those that have gone meanwhile are left out."""
        asked = {name: self._threads.submit(self.get, name, path) for name, path in pairs}
        try:
            found = {name: one.result() for name, one in asked.items()}
        except BaseException:  # of an interruption, too: nobody waits for the patience of others
            self._giving_up.set()
            for one in asked.values():
                one.cancel()
            wait(asked.values())
            self._giving_up.clear()
            raise
        return {name: version for name, version in found.items() if version is not None}

    def text(self, name: str) -> str | None:
        """The content of a small object; None: there is none."""
        try:
            return self._asked(lambda: self._read(name))[1].decode("utf-8")
        except FileNotFoundError:
            return None

    def listed(self, below: str = "", recursive: bool = True) -> dict[str, Version]:
        """Every object below a name, or directly below it, by name."""
        return self._asked(lambda: self._listed(below, recursive))

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is no error."""

        def work() -> None:
            try:
                self._files.delete_file(self._key(name))
            except FileNotFoundError:
                return

        self._asked(work)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        return _opened(self.uri)

    @property
    def _files(self) -> Any:
        return self._opened[0]

    @property
    def _base(self) -> str:
        return self._opened[1]

    @property
    def _bucket(self) -> str:
        return PurePosixPath(self._base).parts[0]

    @property
    def _is_disk(self) -> bool:
        return bool(self._files.type_name == "local")

    def _key(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _stat(self, name: str) -> Version | None:
        info = self._files.get_file_info(self._key(name))
        return _version(info) if info.type == FileType.File else None

    def _put(self, source: Path, name: str) -> None:
        key = self._key(name)
        # Read by a map, as a checkpoint may be large; an empty file cannot be mapped.
        full = source.stat().st_size > 0
        content = pa.memory_map(str(source)).read_buffer() if full else b""
        if not self._is_disk:
            with self._files.open_output_stream(key) as stream:
                stream.write(content)
            return
        self._files.create_dir(key.rpartition("/")[0])
        beside = f"{key}.{uuid.uuid4().hex[:8]}.tmp"
        with self._files.open_output_stream(beside) as stream:
            stream.write(content)
        self._files.move(beside, key)

    def _read(self, name: str) -> tuple[Version, bytes]:
        # A file and not a stream, which is read in small parts, a request each.
        with self._files.open_input_file(self._key(name)) as stream:
            version = _version_of(stream.metadata()) or self._stat(name)
            content: bytes = stream.read()
        if version is None:
            raise FileNotFoundError(name)
        if len(content) != version.size:
            raise OSError(f"{name} was cut short at {len(content)} of {version.size} bytes")
        return version, content

    def _listed(self, below: str, recursive: bool = True) -> dict[str, Version]:
        asked = FileSelector(self._key(below), allow_not_found=True, recursive=recursive)
        start = len(self._base) + 1
        found = {
            info.path[start:]: _version(info)
            for info in self._files.get_file_info(asked)
            if info.type == FileType.File
        }
        # A store takes any name; a mirror takes none that leads out of it.
        odd = {"", ".", ".."}
        return {name: one for name, one in found.items() if not odd & {*name.split("/")}}

    def _asked(self, request: Callable[[], T], at_first: bool = False) -> T:
        """Make a request until it is answered or patience is used up.

        Raises:
            UserError: It was refused, as the first of a command.
            WorkError: It was refused later, or never answered.
            FileNotFoundError: As raised.

        """
        patience = min(AT_FIRST_S, self.patience_s) if at_first else self.patience_s
        until, pause = time.monotonic() + patience, PAUSES_S[0]
        while True:
            try:
                return request()
            except FileNotFoundError:
                raise
            except (OSError, pa.ArrowException, ImportError) as error:
                if at_first and _is_final(error):
                    raise _closed(self.uri, error) from None
                over = time.monotonic() + pause > until or self._giving_up.wait(pause)
                if _is_final(error) or over:
                    raise self._failed(error) from None
            pause = min(2 * pause, PAUSES_S[1])

    def _failed(self, error: Exception) -> WorkError:
        does = "refuses a request" if _is_final(error) else "does not answer"
        return WorkError(
            f"the bucket of the sweep's folder {does}",
            f"{self.uri} ({told(error)})",
            f"mend the cause; a sweep goes on with `mrisweep resume {self.uri}`",
        )


def _opened(uri: str) -> tuple[Any, str]:
    scheme, _, rest = uri.partition("://")
    quoted = f"{scheme}://{quote(rest, safe='/@')}"
    if scheme == "s3":
        with suppress(pa.ArrowInvalid):  # of versions before 21, which do not know it
            files, base = FileSystem.from_uri(f"{quoted}?{ONE_REQUEST}")
            return files, base
    files, base = FileSystem.from_uri(quoted)
    return files, base


def _closed(uri: str, error: Exception) -> UserError:
    return UserError(
        "the bucket cannot be opened",
        f"{uri} ({told(error)})",
        "correct the URI, the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "AWS_PROFILE or the role of the machine), AWS_ENDPOINT_URL or AWS_REGION",
    )


def _is_final(error: Exception) -> bool:
    may_pass = isinstance(error, OSError) and not isinstance(error, PermissionError)
    return not may_pass or any(sign in str(error) for sign in FINAL)


def _version(info: Any) -> Version:
    return Version(info.size, int(info.mtime_ns // 1_000_000_000))


def _version_of(metadata: Any) -> Version | None:
    """As the answer to the request for an object says it; other stores are asked."""
    told_of = metadata or {}
    changed, size = told_of.get("Last-Modified"), told_of.get("Content-Length")
    if changed is None or size is None:
        return None
    return Version(int(size), int(datetime.fromisoformat(changed.decode()).timestamp()))

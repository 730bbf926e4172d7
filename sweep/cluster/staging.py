"""The store on every node: mapped where its path leads to it, else copied there once.

The driver's node serves the bytes of its store. A worker that does not find the store under its
path, or is told to work on a local copy, takes a lock that its node's workers share; the first one
copies, the others wait and map the same file. The copy gets its name when it is complete and has
the right fingerprint: however a worker dies, no half copy is opened, and the next worker starts
over.

A copy is data that a sweep trusts, in a folder that others may know of: one that somebody else has
put there is not opened, whatever fingerprint it says it has.
"""

import fcntl
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import ray
from numpy.typing import NDArray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.cluster.session import address_of, gather
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError, WorkError, told
from sweep.core.owner import TRUST, stranger
from sweep.core.pulse import beat
from sweep.store import Store
from sweep.store.bound import changed

CHUNK_BYTES = 32 << 20
IN_FLIGHT = 3  # chunks of one copy in memory at a time
WAIT_S = 0.1  # between two looks at whether another worker's copy is there
Chunk = NDArray[np.uint8]


class Server:
    """Serves the bytes of a file that it holds open: the path may vanish meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._served = 0

    def ready(self) -> None:
        """Return once the file is open."""

    def read(self, start: int) -> Chunk:
        """The bytes from ``start``, ``CHUNK_BYTES`` or what is left."""
        chunk = np.frombuffer(os.pread(self._file.fileno(), CHUNK_BYTES, start), np.uint8)
        self._served += chunk.nbytes
        return chunk

    def served(self) -> int:
        """Bytes served so far."""
        return self._served


@dataclass(frozen=True)
class Staging:
    """How a worker gets the store; small enough to travel to each.

    Attributes:
        path: Where the driver has the store.
        fingerprint: The fingerprint of the store.
        size: The size of its file in bytes.
        folder: The folder for copies, on every node; None: this user's own in the node's folder for
            temporary files, where the path does not lead to the store.
        server: Name of a ``Server`` on the driver's node; not its handle, which would keep an
            evaluator from being started again. None: there is no other node.

    """

    path: Path
    fingerprint: str
    size: int
    folder: Path | None
    server: str | None

    def open(self) -> Store:
        """Open the store, or this node's copy of it, which is made first if need be.

        Raises:
            WorkError: No room for the copy, it cannot be made, or others have their hands in it.

        """
        shared = None if self.folder else self._at_path()
        if shared:
            return shared
        folder = self.folder or own_folder()
        try:
            return staged(folder, self.fingerprint, self.size, self.chunks)
        except (OSError, ValueError, ray.exceptions.RayError) as error:
            raise WorkError(
                f"the store {self.path} could not be copied to {folder} on {socket.gethostname()}",
                told(error),
                "set cluster.stage to a folder of local disks, or keep the store where all nodes "
                "see it",
            ) from error

    def _at_path(self) -> Store | None:
        try:
            store = Store.open(self.path)
        except (UserError, OSError):
            return None
        return store if store.fingerprint == self.fingerprint else None

    def chunks(self) -> Iterator[Chunk]:
        """The bytes of the store, from the driver's node."""
        if self.server is None:
            raise OSError("the store is gone, and nobody serves it")
        server = ray.get_actor(self.server)
        asked: deque[ray.ObjectRef] = deque()
        for start in range(0, self.size, CHUNK_BYTES):
            asked.append(server.read.remote(start))
            if len(asked) == IN_FLIGHT:
                yield ray.get(asked.popleft())
        while asked:
            yield ray.get(asked.popleft())


@contextmanager
def serving(store: Store, settings: ClusterSettings) -> Iterator[Staging]:
    """Serve the driver's store from its node while inside; from the start, its file is open.

    On this machine alone all workers see the store, and a server is started only for copies.
    """
    folder, size = Path(settings.stage) if settings.stage else None, store.path.stat().st_size
    if folder is None and address_of(settings) is None:
        yield Staging(store.path, store.fingerprint, size, folder, None)
        return
    here = ray.get_runtime_context().get_node_id()
    name = f"mrisweep-store-{uuid.uuid4().hex}"
    server = (
        ray.remote(Server)
        .options(
            name=name,
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
        )
        .remote(store.path)
    )
    try:
        gather([server.ready.remote()])
        yield Staging(store.path, store.fingerprint, size, folder, name)
    finally:
        ray.kill(server)


def own_folder() -> Path:
    """Where copies lie on a node for which no folder is named; each user has one."""
    return Path(tempfile.gettempdir()) / f"mrisweep-stores-{os.geteuid()}"


def staged(
    folder: Path, fingerprint: str, size: int, chunks: Callable[[], Iterable[Chunk]]
) -> Store:
    """Open this node's copy of a store; the first who asks makes it, all others wait for that.

    Args:
        folder: The folder of the copies; where there is none, one that this user alone can enter.
        fingerprint: The fingerprint of the store, and its name there.
        size: The size in bytes.
        chunks: Asked for the content, in order, if there is no copy.

    Raises:
        WorkError: No room, the copy is not the store, or it or its folder is another user's.
        OSError: The folder cannot be written.

    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    _refuse_strangers(folder)
    copy = folder / f"{fingerprint}.h5"
    while not _is_there(copy):
        with _alone(folder / f"{fingerprint}.lock") as alone:
            if alone and not _is_there(copy):
                _make(copy, fingerprint, size, chunks())
    _refuse_strangers(copy)
    return _opened(copy, fingerprint)


def _is_there(copy: Path) -> bool:
    """A link is no copy, but the work of one who wants another file to be read."""
    return copy.exists() and not copy.is_symlink()


def _refuse_strangers(path: Path) -> None:
    if whose := stranger(path):
        raise WorkError(
            "copies of the store are not taken from another user, who could exchange the data",
            f"{path} on {socket.gethostname()}, which is of {whose}",
            f"set cluster.stage to a folder of your own, or name that user in {TRUST}",
        )


def _make(copy: Path, fingerprint: str, size: int, chunks: Iterable[Chunk]) -> None:
    part = copy.with_suffix(".part")  # one name for all: that of a killed worker goes
    part.unlink(missing_ok=True)
    _refuse_small_disk(copy.parent, size)
    try:
        _write(part, chunks)
        _opened(part, fingerprint)
        part.rename(copy)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Wait for the others, and whether it is still to be done; any death frees the lock.

    Its file goes with who holds it. Who has waited for that holds a file without a name, and no
    other would wait for him.
    """
    with lock.open("w") as file:
        while not _locked(file):
            beat()
            time.sleep(WAIT_S)
        if not _is_named(file, lock):
            yield False
            return
        try:
            yield True
        finally:
            lock.unlink(missing_ok=True)


def _is_named(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(path: Path, chunks: Iterable[Chunk]) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk.data)
            beat()
        file.flush()
        os.fsync(file.fileno())


def _opened(copy: Path, fingerprint: str) -> Store:
    try:
        store = Store.open(copy)
        found = changed(store) or store.fingerprint
    except UserError as error:
        found = str(error)
    if found != fingerprint:
        raise WorkError(
            f"the copy of the store is not the store, with fingerprint {fingerprint}",
            f"{copy} on {socket.gethostname()} ({found})",
            "delete it and resume the sweep",
        )
    return store


def _refuse_small_disk(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise WorkError(
            f"a node that does not see the store has no room for a copy of {size / 1e9:.2f} GB",
            f"{free / 1e9:.2f} GB in {folder} on {socket.gethostname()}",
            "set cluster.stage to a folder with more, or keep the store where all nodes see it",
        )

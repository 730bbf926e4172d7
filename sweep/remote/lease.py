"""By what one process alone drives a sweep in a bucket: an object that it renews.

A bucket has no lock that the system frees on any death. A driver writes the object ``.lease`` and
renews it; while it does, others refuse. One that was not renewed for ``LEASE_S`` is of a driver
that is gone, and is taken over. Time is told by the store's clock, and by how long the object was
seen to stay as it is; the clocks of two nodes are never compared. What this cannot promise: a
driver that stood still for longer, and goes on, may write once more before it sees that it lost the
sweep; and of two that begin in the same second, both look whether they were the last, not who was
the first.
"""

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sweep.core.errors import UserError, WorkError
from sweep.core.reading import read_text
from sweep.remote.bucket import Bucket

FILE = ".lease"
LEASE = "MRISWEEP_LEASE_S"  # of the environment
LEASE_S = 60.0
RENEWALS = 6  # in the time of a lease
SETTLE_S = 1.0  # after which of two that took it at once the last is seen by both


@dataclass(frozen=True)
class Holder:
    """Who drives a sweep, as the object says.

    Attributes:
        owner: Unique.
        host: The name of its machine.
        pid: The number of its process there.
        renewed: How often it has renewed the lease.
        lease_s: How long it holds without that.

    """

    owner: str
    host: str
    pid: int
    renewed: int
    lease_s: float


class Lease:
    """That of this process, once it is taken.

    Args:
        bucket: With the folder of the sweep.
        last: A file of this node with the owner that held it last from here; the caller is alone
            with it, so that if it is the same, that one is dead.
        say: Says something to the user.

    """

    def __init__(self, bucket: Bucket, last: Path, say: Callable[[str], None]) -> None:
        self._bucket, self._last, self._say = bucket, last, say
        self._brief = bucket.brief()
        seconds = float(os.environ.get(LEASE, LEASE_S))
        self._mine = Holder(uuid.uuid4().hex, socket.gethostname(), os.getpid(), 0, seconds)
        self._until = 0.0  # by the monotonic clock, until when it holds if nobody renews it
        self._lost: str | None = None  # to whom
        self._turn = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Hold it while inside.

        Raises:
            UserError: Another process holds it.

        """
        self._take()
        thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
            with suppress(WorkError):  # of a store that is away: it ends by itself
                if self._lost is None and self._is_mine(self._brief):
                    self._brief.delete(FILE)

    def require(self) -> None:
        """Go on only as the holder; where it may have ended unseen, it is looked at first.

        Raises:
            WorkError: Another process has taken the sweep over.

        """
        if self._lost is None and time.monotonic() > self._until:
            self._renew(self._bucket)
        if self._lost is not None:
            raise WorkError(
                "another process has taken this sweep over",
                f"{self._bucket.uri}, now driven by {self._lost}",
                "let it go on, or stop it and resume the sweep here",
            )

    def _take(self) -> None:
        there = _holder(self._bucket)
        if there is not None and there.owner != _last_here(self._last):
            self._outlive(there)
        self._write(self._bucket)
        time.sleep(SETTLE_S)
        now = _holder(self._bucket)
        if now is not None and now.owner != self._mine.owner:
            raise _driven(self._bucket.uri, now)
        self._write(self._bucket)  # as young as it looks, whatever the time of a lease is
        self._last.write_text(self._mine.owner, encoding="utf-8")

    def _outlive(self, there: Holder) -> None:
        """Return once a lease has ended; refuse if it is renewed before."""
        left = there.lease_s - self._age()
        if left > 0:
            self._say(
                f"the sweep was driven by {_shown(there)} a moment ago; waiting up to "
                f"{left:.0f} s to see whether it still is"
            )
        until = time.monotonic() + left
        while time.monotonic() < until:
            time.sleep(min(there.lease_s / RENEWALS, max(0.0, until - time.monotonic())))
            now = _holder(self._bucket)
            if now is None:
                return
            if now != there:
                raise _driven(self._bucket.uri, now)

    def _age(self) -> float:
        """Seconds since the object was renewed, by the clock of the store that holds it."""
        probe = f"{FILE}-{self._mine.owner}"
        with _file(b"") as empty:
            now = self._bucket.put(empty, probe)
        self._bucket.delete(probe)
        then = self._bucket.stat(FILE)
        return 0.0 if now is None or then is None else float(now.seconds - then.seconds)

    def _keep(self) -> None:
        while not self._ended.wait(self._mine.lease_s / RENEWALS):
            with suppress(WorkError):  # of a store that is away: `require` says so where it counts
                self._renew(self._brief)

    def _renew(self, bucket: Bucket) -> None:
        with self._turn:
            if self._lost is not None:
                return
            now = _holder(bucket)
            if now is None:
                self._lost = "nobody, as its lease was deleted"
            elif now.owner != self._mine.owner:
                self._lost = _shown(now)
            else:
                self._write(bucket)

    def _is_mine(self, bucket: Bucket) -> bool:
        now = _holder(bucket)
        return now is not None and now.owner == self._mine.owner

    def _write(self, bucket: Bucket) -> None:
        began = time.monotonic()
        renewed = Holder(**{**asdict(self._mine), "renewed": self._mine.renewed + 1})
        with _file(json.dumps(asdict(renewed)).encode()) as file:
            bucket.put(file, FILE, stamped=False)
        self._mine, self._until = renewed, began + renewed.lease_s


def is_held(bucket: Bucket, last: Path) -> bool:
    """Whether another node's process holds the lease, as far as a look tells that writes nothing.

    The store tells its time to those who write alone, so that this node's clock stands for it: good
    enough to show, and nobody takes a sweep over by it.

    Args:
        bucket: With the folder of the sweep.
        last: See ``Lease``; whether that process lives, its lock says.

    Raises:
        WorkError: The bucket does not answer.

    """
    there, version = _holder(bucket), bucket.stat(FILE)
    if there is None or version is None or there.owner == _last_here(last):
        return False
    return time.time() - version.seconds < there.lease_s


def _last_here(last: Path) -> str | None:
    with suppress(OSError, ValueError):
        return read_text(last)
    return None


def _holder(bucket: Bucket) -> Holder | None:
    text = bucket.text(FILE)
    try:
        return None if text is None else Holder(**json.loads(text))
    except (ValueError, TypeError, RecursionError):  # somebody has written it by hand
        return Holder("", "an unknown machine", 0, 0, LEASE_S)


@contextmanager
def _file(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "lease"
        file.write_bytes(content)
        yield file


def _driven(uri: str, holder: Holder) -> UserError:
    return UserError(
        "another process drives this sweep",
        f"{uri}, driven by {_shown(holder)}",
        "wait for it, or stop it first",
    )


def _shown(holder: Holder) -> str:
    return f"process {holder.pid} on {holder.host}"

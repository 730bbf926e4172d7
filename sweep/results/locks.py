"""The lock of who drives a sweep: a file in its folder that the system frees on any death.

Of a folder in a bucket that is the lock of the mirror on this node, and for other nodes a lease
(``sweep.remote.lease``).
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.core.errors import UserError, told
from sweep.core.saying import say
from sweep.remote import places

NAME = ".lock"
# What a file system answers that has no locks, such as a Lustre that is mounted without them.
LOCKLESS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # what a system says of a lock that is held
TRIES, PAUSE_S = 4, 0.1  # as a glance of `mrisweep watch` holds it for a moment


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Be the only process that drives the sweep in a folder, while inside.

    Raises:
        UserError: Another process drives it, or the folder cannot be written to.
        WorkError: A bucket that does not answer.
        OSError: The file system refuses the lock for another reason than having none.

    """
    try:
        # A link in its place is not followed: what it leads to would be made, or emptied.
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise UserError(
            "the sweep's folder cannot be written to",
            f"{str(folder)!r} ({told(error)})",
            f"have its permissions changed, or take a copy: `cp -r {folder} COPY`",
        ) from None
    try:
        _acquire(descriptor, folder)
        with places.leased(folder):
            yield
    finally:
        os.close(descriptor)


def driven(folder: Path) -> bool | None:
    """Whether a process drives the sweep in a folder; None: the file system does not tell.

    A driver that begins in this very moment tries its lock again, see ``driving``.

    Raises:
        WorkError: A bucket that does not answer.

    """
    here = _locked(places.driven_at(folder))
    return here if here else places.is_leased_elsewhere(folder) or here


def _locked(folder: Path) -> bool | None:
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in TAKEN else None
    finally:
        os.close(descriptor)
    return False


def _acquire(descriptor: int, folder: Path) -> None:
    for left in reversed(range(TRIES)):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in LOCKLESS:
                return say(
                    f"note: the file system of {folder} takes no locks ({error.strerror}): nothing "
                    "keeps a second process from driving this sweep"
                )
            if error.errno not in TAKEN:
                raise
            if left:
                time.sleep(PAUSE_S)
    raise UserError(
        "another process drives this sweep", f"{str(folder)!r}", "wait for it, or stop it first"
    )

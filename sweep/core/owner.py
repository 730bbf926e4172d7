"""Whose a file is: what somebody else has written is read, and neither changed nor run."""

import os
import pwd
from pathlib import Path

TRUST = "MRISWEEP_TRUST"
"""The environment variable that names users, or their numbers, whose folders are as one's own."""

ROOT = 0  # who may change everything, and is trusted with it


def stranger(path: Path) -> str | None:
    """The user that a file or a folder belongs to, if it is one who is not trusted with it.

    Trusted are the user who runs this process, the system's own, and those of ``MRISWEEP_TRUST``.

    Raises:
        OSError: There is no such file.

    """
    owner = path.stat().st_uid
    if owner in (os.geteuid(), ROOT):
        return None
    name = _name(owner)
    trusted = {one.strip() for one in os.environ.get(TRUST, "").split(",")}
    return None if trusted & {name, str(owner)} else name


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)

"""Which cluster ``auto`` means: one that runs on this machine, and never a sweep's own.

Left to itself, Ray takes the one that the last `ray start` here has made or joined, and where that
is over any of which it sees a process: so that of another sweep, which ends with its driver.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sweep.cluster.guard import PROC
from sweep.cluster.local import is_own_folder
from sweep.core.errors import UserError

AUTO = "auto"


class Running(NamedTuple):
    """A node of a cluster that runs on this machine.

    Attributes:
        address: Of its cluster.
        is_of_a_sweep: Whether a sweep has started the cluster for itself.

    """

    address: str
    is_of_a_sweep: bool


def running(processes: Path = PROC) -> Iterator[Running]:
    """The nodes on this machine, whoever has started them.

    Args:
        processes: The folder of the system with what is known of each process.

    """
    for entry in processes.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is hidden
            words = os.fsdecode((entry / "cmdline").read_bytes()).replace("\0", " ").split(" ")
            if Path(words[0]).name == "raylet":
                address, folder = _flag(words, "gcs-address"), _flag(words, "temp-dir")
                if address:
                    yield Running(address, is_own_folder(Path(folder)))


def _flag(words: Collection[str], name: str) -> str:
    start = f"--{name}="
    return next((one.removeprefix(start) for one in words if one.startswith(start)), "")


def chosen(nodes: Collection[Running], last: str | None) -> str:
    """The address that ``auto`` means.

    Args:
        nodes: Those that run on this machine.
        last: The address that `ray start` has left, of a cluster that may be over; None: none.

    Raises:
        UserError: No cluster runs here but those of sweeps, or several do.

    """
    own = {one.address for one in nodes if one.is_of_a_sweep}
    others = sorted({one.address for one in nodes} - own)
    if last is not None and last not in own and (last in others or not others):
        return last  # also where processes cannot be seen; whether it answers is asked later
    if len(others) == 1:
        return others[0]
    if others:
        raise UserError(
            "several Ray clusters run on this machine",
            f"{AUTO!r}, with {', '.join(others)}",
            "set cluster.address to one of them",
        )
    besides = " but those that sweeps have started for themselves" if own else ""
    raise UserError(
        f"no Ray cluster runs on this machine{besides}",
        repr(AUTO),
        "run `ray start --head`, set cluster.address to that of a cluster, or leave it out for a "
        "cluster of this sweep's own",
    )


def automatic() -> str:
    """The address that ``auto`` means here and now.

    Raises:
        UserError: See ``chosen``.

    """
    from ray._private.services import find_bootstrap_address

    asked = os.environ.get("RAY_ADDRESS") or AUTO  # which goes before, as with Ray's own ``auto``
    return asked if asked != AUTO else chosen(list(running()), find_bootstrap_address(None))

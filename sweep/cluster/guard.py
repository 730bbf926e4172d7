"""A small process that ends what a driver leaves behind, however the driver dies.

Ray's processes end with the driver that started them, all but some: its agents and workers are
children of another one, and look for it now and then. The guard holds the one end of a pipe. When
the driver ends, in whatever way, the system closes the other end, and the guard kills what belongs
to the driver's cluster. It knows that by an environment variable that the driver gave to Ray, and
Ray to every process that it started; nothing else on the machine has it. A process of Ray that
gives itself a title writes it over the beginning of its environment, where the variable may stand:
such a one is known by the logs that it has open in the cluster's folder.

Where the driver had no time to say so itself, the guard says how to go on. It is run by its path,
with the standard library alone, and starts in hundredths of a second.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "MRISWEEP_CLUSTER"  # whose value tells one cluster from all others
LOOK_S = 1.0  # between two looks at whether the driver is there, should its pipe be held elsewhere
PATIENCE_S = 10.0  # that processes have to vanish; one may be held in a system call
ORDERLY = b"."
PROC = Path("/proc")
TITLE = b"ray::"  # with which the titles begin that processes of Ray give themselves


class Guard:
    """The driver's side.

    Args:
        then: The command that goes on with the work, which the guard names if the driver dies
            without an orderly end; empty: it says nothing.
        begun: A file without which it says nothing; None: it needs none.
        folder: A folder of the cluster's own, removed if the driver dies; None: none.

    Attributes:
        mark: The value of ``VARIABLE`` that processes to be ended have in their environment.

    """

    def __init__(self, then: str, begun: Path | None, folder: Path | None = None) -> None:
        self.mark = uuid.uuid4().hex
        texts = (str(os.getpid()), self.mark, then, str(begun or ""), str(folder or ""))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *texts],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # what a terminal or a shell sends to all is not meant for it
        )

    def close(self) -> None:
        """End what is left of the cluster, in an orderly way."""
        with suppress(BrokenPipeError, subprocess.TimeoutExpired):  # somebody has killed or held it
            self._process.communicate(ORDERLY, PATIENCE_S)


def marked(mark: str) -> Iterator[int]:
    """The processes that were started with a mark in their environment."""
    wanted = f"{VARIABLE}={mark}".encode()
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)


def titled(folder: str) -> Iterator[int]:
    """The processes with a title of Ray's that have a file open in a folder, even a removed one."""
    inside = os.path.join(os.path.realpath(folder), "")
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            title = (entry / "cmdline").read_bytes()
            if title.startswith(TITLE) and any(one.startswith(inside) for one in _open_in(entry)):
                yield int(entry.name)


def _open_in(process: Path) -> Iterator[str]:
    """The paths of what a process has open."""
    for file in (process / "fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            yield os.readlink(file)


def end(mark: str, folder: str) -> None:
    """Kill every process of a cluster, and those that these still start meanwhile.

    Args:
        mark: That they were started with.
        folder: Of the cluster's own; empty: it has none.

    """
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = {*marked(mark), *(titled(folder) if folder else ())}
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def wait_for(driver: int) -> bytes:
    """What the driver writes; nothing where it has died."""
    while not select.select([0], [], [], LOOK_S)[0]:
        if os.getppid() != driver:
            return b""
    return os.read(0, 1)


def main(driver: str, mark: str, then: str, begun: str, folder: str) -> None:
    """Wait, then end what is left."""
    orderly = wait_for(int(driver)) == ORDERLY
    end(mark, folder)
    if orderly:
        return
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # nobody may be left to read it
        if then and (not begun or Path(begun).exists()):
            said = f"mrisweep: the driver ended before it had cleaned up; continue with: {then}\n"
            os.write(2, said.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What may happen to a sweep, each as one function: it disturbs, and gives back its cure.

Each says what exit status the command may end with. Whatever happens, the sweep must come to what
an undisturbed one comes to, once it was resumed.
"""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.chaos.arena import Arena, mount
from tests.support.processes import titled

Cure = Callable[[], None]
WORKER, EVALUATOR = r"ray::(\S*Trainable|SweepTrial)", r"ray::EvaluatorActor"
RAYLET, GCS = r"\S*/raylet/raylet ", r"\S*/gcs_server "
PAUSE_S = 5.0  # for which a process is stopped
DAY_S = 24 * 3600


@dataclass(frozen=True)
class Disturbance:
    """One of them.

    Attributes:
        does: Given the arena, the driver, and draws of its own.
        ends: What the driver may end with; a signal is its negative number.
        own_disk: Whether the sweep's folder is to lie on a file system of its own.
        clock: Whether its clock is set.
        cluster_dies: Whether Ray dies and the driver lives, so that Ray's logs are kept.
        terminal: Whether the command is to have a terminal.
        synced: Whether MLflow has to be filled again in the end.

    """

    does: Callable[[Arena, subprocess.Popen[str], Random], Cure]
    ends: Sequence[int]
    own_disk: bool = False
    clock: bool = False
    cluster_dies: bool = False
    terminal: bool = False
    synced: bool = False


def nothing() -> None:
    """No cure is needed."""


def kill(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The driver alone."""
    driver.kill()
    return nothing


def kill_group(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The driver and all that shares its process group, as a shell's `kill -9 -PGID` does."""
    os.killpg(driver.pid, signal.SIGKILL)
    return nothing


def killed_one(pattern: str) -> Callable[[Arena, subprocess.Popen[str], Random], Cure]:
    """One of the processes whose title a pattern says."""

    def does(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
        if found := titled(arena.processes(), pattern):
            with suppress(ProcessLookupError):
                os.kill(drawn.choice(found), signal.SIGKILL)
        return nothing

    return does


def signalled(number: signal.Signals) -> Callable[[Arena, subprocess.Popen[str], Random], Cure]:
    """The driver gets a signal."""

    def does(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
        driver.send_signal(number)
        return nothing

    return does


def close_terminal(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The terminal goes: all processes in its foreground hear of it, and nobody reads on."""
    arena.close_terminal()
    return nothing


def stopped(
    pattern: str | None, *, for_good: bool = False
) -> Callable[[Arena, subprocess.Popen[str], Random], Cure]:
    """The driver, or one whose title a pattern says, stands still, for a while or for good."""

    def does(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
        found = [driver.pid] if pattern is None else titled(arena.processes(), pattern)
        if found:
            pid = drawn.choice(found)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            if not for_good:
                time.sleep(PAUSE_S)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        return nothing

    return does


def lock_mlflow(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """MLflow's database takes nothing any more."""
    held = sqlite3.connect(arena.disk / "mlflow.db", timeout=60, isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    return held.close


def fill_disk(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The file system of the sweep's folder is full."""
    ballast = arena.disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        size = 1 << 20
        while True:
            try:
                file.write(bytes(size))
            except OSError:
                if size == 1:
                    raise
                size //= 2
    return ballast.unlink


def make_read_only(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The sweep's folder can only be read."""
    if not arena.has_folder(driver):
        return nothing
    folder = str(arena.sweep.folder)
    mount("--bind", folder, folder)
    mount("-o", "remount,ro,bind", folder)
    return lambda: subprocess.run(["umount", "--lazy", folder], check=True) and None


def set_clock(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The clock jumps by a day, to either side, and stays there."""
    arena.set_clock(drawn.choice((-DAY_S, DAY_S)))
    return nothing


def set_clock_and_kill(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The clock jumps back, some epochs follow, the driver is killed."""
    arena.set_clock(-DAY_S)
    before = arena.reports()
    while arena.reports() < before + 2 and driver.poll() is None:
        time.sleep(0.05)
    driver.kill()
    return nothing


def kill_and_move(arena: Arena, driver: subprocess.Popen[str], drawn: Random) -> Cure:
    """The driver is killed, and its folder renamed."""
    if not arena.has_folder(driver):
        return nothing
    driver.kill()
    return lambda: arena.moved(arena.disk / f"moved-{drawn.randrange(10**6)}")


DISTURBANCES: Mapping[str, Disturbance] = {
    "kill -9 of the driver": Disturbance(kill, (-9,)),
    "kill -9 of its process group": Disturbance(kill_group, (-9,)),
    "kill -9 of a trial's worker": Disturbance(killed_one(WORKER), (0,)),
    "kill -9 of an evaluator": Disturbance(killed_one(EVALUATOR), (0,)),
    "kill -9 of the raylet": Disturbance(killed_one(RAYLET), (1,), cluster_dies=True),
    "kill -9 of the GCS": Disturbance(killed_one(GCS), (1,), cluster_dies=True),
    "SIGINT": Disturbance(signalled(signal.SIGINT), (130,)),
    "SIGTERM": Disturbance(signalled(signal.SIGTERM), (130,)),
    "SIGHUP": Disturbance(signalled(signal.SIGHUP), (130,)),
    "terminal closed": Disturbance(close_terminal, (130,), terminal=True),
    "driver stopped and continued": Disturbance(stopped(None), (0,)),
    "worker stopped and continued": Disturbance(stopped(WORKER), (0,)),
    "worker stopped for good": Disturbance(stopped(WORKER, for_good=True), (0,)),
    "MLflow takes nothing": Disturbance(lock_mlflow, (0,), synced=True),
    "disk full": Disturbance(fill_disk, (1,), own_disk=True),
    "folder read-only": Disturbance(make_read_only, (1,), own_disk=True),
    "clock set by a day": Disturbance(set_clock, (0,), clock=True),
    "clock set back, then kill -9": Disturbance(set_clock_and_kill, (-9,), clock=True),
    "kill -9, then folder moved": Disturbance(kill_and_move, (-9,)),
}

"""Where a sweep is disturbed: a place of its own, from which nothing may be left in the end."""

import dataclasses
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sweep.cluster import guard
from sweep.store import Store
from tests.support.data import ROOT
from tests.support.processes import started_with, title
from tests.support.sweeps import Sweep, settings

MARK = "MRISWEEP_TEST_CHAOS"  # all processes of an arena have it in their environment
CLOCK = "MRISWEEP_TEST_CLOCK"
RUNNING = "SELECT name FROM runs WHERE status = 'RUNNING'"
DISK_MB = 64
HANG_MINUTES = 1.0  # longer than a worker takes to start on a busy machine
VANISH_S = 5.0  # that processes have to end once their driver has


Settings = Callable[[Store], dict[str, Any]]


def sweep_settings(store: Store) -> dict[str, Any]:
    """Four trials of three epochs, one after the other, so that their order is fixed."""
    plain = settings(store)
    return {
        **plain,
        "search": {
            "trials": 4,
            "space": {**plain["search"]["space"], "model.norm": {"choice": ["batch", "group"]}},
            "scheduler": "asha",
            "grace_epochs": 1,
            "screen": {"patients": 0.5, "levels": 1},
        },
        "stress": {"artifacts": ["rician", "bias"], "levels": [1, 3], "grid": "physical"},
        "cluster": {"concurrent": 1, "hang_minutes": HANG_MINUTES},
    }


@dataclass
class Arena:
    """A sweep and what surrounds it.

    Attributes:
        place: A folder that is removed in the end.
        disk: The folder in it that the sweep's lies in; a file system of its own where the
            disturbance asks for one.
        sweep: The sweep; another one once its folder was moved.
        mark: By which its processes are known.
        reader: Reads what a command writes to its terminal; None: it has none.

    """

    place: Path
    disk: Path
    sweep: Sweep
    mark: str
    reader: "subprocess.Popen[bytes] | None" = None

    def open_terminal(self) -> int:
        """A terminal for a command; the user's end of it is held by a reader alone."""
        self.close_terminal()
        user, command = pty.openpty()
        self.reader = subprocess.Popen(["cat"], stdin=user, stdout=subprocess.DEVNULL)
        os.close(user)
        return command

    def close_terminal(self) -> None:
        """The reader goes, and with it the terminal."""
        if self.reader is not None:
            self.reader.kill()
            self.reader.wait()
            self.reader = None

    def processes(self) -> list[int]:
        """All that belong to it; Ray's titles may be written over the mark."""
        return sorted({*started_with(MARK, self.mark), *guard.titled(str(self.place))})

    def reports(self) -> int:
        """How many epochs are reported."""
        return len(list((self.sweep.folder / "results").glob("*/epoch-*.parquet")))

    def under_way(self) -> list[str]:
        """The runs that MLflow's database says to be running."""
        database = self.sweep.folder.parent / "mlflow.db"
        if not database.exists():
            return []
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
            return [name for (name,) in reader.execute(RUNNING)]

    def has_folder(self, driver: "subprocess.Popen[str]") -> bool:
        """Wait until the sweep's folder is there; False where the driver ends before."""
        while not self.sweep.folder.is_dir():
            if driver.poll() is not None:
                return False
            time.sleep(0.02)
        return True

    def moved(self, folder: Path) -> None:
        """The sweep's folder lies elsewhere from now on."""
        self.sweep.folder.rename(folder)
        self.sweep = dataclasses.replace(self.sweep, folder=folder)

    def set_clock(self, seconds: int) -> None:
        """Set the clock of its Python processes by so much."""
        (self.place / "clock").write_text(str(seconds))

    def left(self, died: bool) -> list[str]:
        """What should not be there once a command has ended.

        Args:
            died: Whether its cluster has died, whose logs are kept.

        """
        until = time.monotonic() + VANISH_S
        while (alive := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        scratch = list((self.place / "t").glob("mrisweep-*"))
        if died:
            for folder in scratch:
                shutil.rmtree(folder, ignore_errors=True)
            scratch = []
        return [f"process {title(pid)}" for pid in alive] + [f"folder {one}" for one in scratch]


def small_settings(store: Store) -> dict[str, Any]:
    """Two trials of two epochs."""
    plain = settings(store)
    space = {**plain["search"]["space"], "model.norm": {"choice": ["batch", "group"]}}
    return {
        **plain,
        "search": {"trials": 2, "space": space, "scheduler": "none"},
        "train": {**plain["train"], "epochs": 2},
        "stress": {"artifacts": ["bias"], "levels": [3], "grid": "physical"},
        "cluster": {"concurrent": 1},
    }


@contextmanager
def arena(
    store: Store, settings: Settings, *, own_disk: bool = False, clock: bool = False
) -> Iterator[Arena]:
    """Make one; whatever happens, no process and no folder of it stays.

    Args:
        store: The data.
        settings: Of the sweep.
        own_disk: Whether the sweep's folder is to lie on a small file system of its own.
        clock: Whether its clock is to be set.

    """
    place = Path(tempfile.mkdtemp(prefix="chaos-"))
    disk, mark = place / "d", uuid.uuid4().hex
    for folder in (disk, place / "t"):
        folder.mkdir()
    if own_disk:
        mount("-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk))
    (place / "sweep.yaml").write_text(yaml.safe_dump(settings(store)))
    paths = [str(ROOT / "tests" / "chaos" / "clock")] if clock else []
    environment = {
        MARK: mark,
        CLOCK: str(place / "clock") if clock else "",
        "TMPDIR": str(place / "t"),  # short, as there will be sockets in it
        "PYTHONPATH": os.pathsep.join([*paths, str(ROOT)]),
    }
    made = Arena(place, disk, Sweep(place / "sweep.yaml", disk / "out", environment), mark)
    try:
        yield made
    finally:
        made.close_terminal()
        for pid in made.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if own_disk:
            subprocess.run(["umount", "--lazy", str(disk)], check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)


def mount(*arguments: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def may_mount() -> bool:
    """Whether this user may mount a file system here."""
    with tempfile.TemporaryDirectory() as there:
        try:
            mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", there)
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", there], check=True)
        return True

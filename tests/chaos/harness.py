"""A sweep, disturbed at moments that a key draws, resumed until it is done, and compared.

``play`` disturbs one and says what it came to; ``undisturbed`` is what it is compared with.
"""

import fcntl
import os
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sweep.store import Store
from tests.chaos.arena import Arena, Settings, arena, may_mount, sweep_settings
from tests.chaos.disturbances import DISTURBANCES, Disturbance
from tests.support.same import unlike
from tests.support.sweeps import Sweep

PATIENCE_S = 600.0
RESUMES = 4  # that a sweep may need for each disturbance, before it counts as one that never ends
WAIT_S = 0.5  # the longest wait after the epoch at which the disturbance comes
START_S = 15.0  # the longest wait where it comes before an epoch: about what a start takes


@dataclass
class Outcome:
    """What became of a disturbed sweep.

    Attributes:
        disturbances: What happened to it, in order.
        resumes: How often it was resumed, or begun again where it had not come to a folder.
        seconds: How long all of it took.
        differs: What is not as in the undisturbed sweep, a line each.
        faults: What should not have been said or left on the way.

    """

    disturbances: list[str] = field(default_factory=list)
    resumes: int = 0
    seconds: float = 0.0
    differs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether it came to the same, with nothing to remark on the way."""
        return not self.differs and not self.faults


@contextmanager
def undisturbed(store: Store, settings: Settings = sweep_settings) -> Iterator[Sweep]:
    """A sweep that nothing happens to."""
    with arena(store, settings) as calm:
        status, said = _ended(calm.sweep, calm.sweep.run_arguments())
        assert status == 0, said
        left = calm.left(died=False)
        assert not left, left
        yield calm.sweep


def possible() -> list[str]:
    """The disturbances that this user can cause on this machine."""
    mounts = may_mount()
    return [name for name, one in DISTURBANCES.items() if mounts or not one.own_disk]


def drawn_names(names: Sequence[str], key: str, runs: int) -> list[list[str]]:
    """For each run what happens: every disturbance in turn, and in every other run a second one."""
    drawn = Random(key)
    plan: list[list[str]] = []
    while len(plan) < runs:
        for name in drawn.sample(names, len(names)):
            again = [drawn.choice(names)] if drawn.random() < 0.5 else []
            plan.append([name, *(one for one in again if _go_together(name, one))])
    return plan[:runs]


def _go_together(one: str, other: str) -> bool:
    """An arena has one disk and one clock, which the first disturbance asks for."""
    first, second = DISTURBANCES[one], DISTURBANCES[other]
    return (first.own_disk or not second.own_disk) and (first.clock or not second.clock)


def play(
    store: Store,
    whole: Sweep,
    names: Sequence[str],
    key: str,
    settings: Settings = sweep_settings,
) -> Outcome:
    """Disturb a sweep, resume it until it is done, and compare it.

    Args:
        store: The data.
        whole: What it is compared with.
        names: What happens, in order; once it is done, the rest happens no more.
        key: Of all draws.
        settings: Of the sweep.

    """
    outcome, drawn, began = Outcome(), Random(key), time.monotonic()
    asked = [DISTURBANCES[name] for name in names]
    own_disk, clock = (any(getattr(one, what) for one in asked) for what in ("own_disk", "clock"))
    with arena(store, settings, own_disk=own_disk, clock=clock) as scene:
        command, status = list(scene.sweep.run_arguments()), 1
        for number, name in enumerate(names):
            outcome.resumes += number > 0
            status = _disturbed(scene, command, name, drawn, outcome)
            command = _going_on(scene)
            if status == 0:
                break
        while status != 0 and outcome.resumes < RESUMES * len(names):
            outcome.resumes += 1
            status = _undisturbed_command(scene, command, outcome)
            command = _going_on(scene)
        if any(one.synced for one in asked):
            _undisturbed_command(scene, ["sync", str(scene.sweep.folder)], outcome)
        if status == 0:
            outcome.differs = unlike(whole, scene.sweep)
        else:
            outcome.faults.append(f"not done after {outcome.resumes} resumes")
    outcome.seconds = time.monotonic() - began
    return outcome


def _disturbed(scene: Arena, command: list[str], name: str, drawn: Random, outcome: Outcome) -> int:
    """Begin a command, disturb it at a drawn moment; what it ended with."""
    disturbance, so_far, epochs = DISTURBANCES[name], scene.reports(), drawn.randint(0, 3)
    before = scene.under_way()  # of a command that was killed; one that comes to no epoch leaves it
    wait = drawn.uniform(0, WAIT_S if epochs else START_S)
    with _started(scene, command, disturbance) as (driver, log):
        while scene.reports() < so_far + epochs and driver.poll() is None:
            time.sleep(0.02)
        with suppress(subprocess.TimeoutExpired):
            driver.wait(wait)
        if driver.poll() is None:
            outcome.disturbances.append(name)
            cure = disturbance.does(scene, driver, drawn)
        else:
            outcome.disturbances.append("nothing")

            def cure() -> None:
                """It came too late."""

        status = driver.wait(PATIENCE_S)
        if outcome.disturbances[-1] == name and status not in (0, *_ends(scene, disturbance)):
            outcome.faults.append(f"{name}: exit status {status}")
        _judge(scene, name, log.read_text, status, disturbance.cluster_dies, outcome)
        if status >= 0 and not disturbance.own_disk and not disturbance.synced:
            known = before if scene.reports() == so_far else []
            left = [one for one in scene.under_way() if one not in known]
            outcome.faults += [f"{name}: left {one} in MLflow" for one in left]
    cure()
    return status


def _ends(scene: Arena, disturbance: Disturbance) -> Sequence[int]:
    """What a command may end with; before it has begun a sweep, a signal ends it by itself."""
    own = (-signal.SIGHUP, -signal.SIGTERM) if "sweep.yaml" not in _names(scene) else ()
    return (*disturbance.ends, *(own if 130 in disturbance.ends else ()))


def _undisturbed_command(scene: Arena, command: list[str], outcome: Outcome) -> int:
    status, said = _ended(scene.sweep, command)
    if status not in (0, 1):
        outcome.faults.append(f"{command[0]}: exit status {status}")
    _judge(scene, command[0], lambda: said, status, False, outcome)
    return status


def _ended(sweep: Sweep, command: Sequence[str]) -> tuple[int, str]:
    """A command that nothing happens to: its exit status, and what it said."""
    with sweep.start(*command) as process:
        try:
            _, said = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return process.returncode, said


def _judge(
    scene: Arena,
    what: str,
    says: Callable[[], str],
    status: int,
    cluster_died: bool,
    outcome: Outcome,
) -> None:
    """Note what a command should neither have left nor said; the guard may speak after its end."""
    outcome.faults += [f"{what}: left {one}" for one in scene.left(cluster_died)]
    said = says()
    if "Traceback" in said:
        outcome.faults.append(f"{what}: {said[said.index('Traceback') :][-2000:]!r}")
    told = "mrisweep resume" in said or not said  # to a terminal
    if status not in (0, 130) and not told and "sweep.yaml" in _names(scene):
        outcome.faults.append(f"{what}: no word of how to go on, but: {said[-300:]!r}")


def _going_on(scene: Arena) -> list[str]:
    """What a user types next: before there is a sweep in the folder, the same command again."""
    if "sweep.yaml" in _names(scene):
        return ["resume", str(scene.sweep.folder)]
    return list(scene.sweep.run_arguments())


def _names(scene: Arena) -> list[str]:
    return os.listdir(scene.sweep.folder) if scene.sweep.folder.is_dir() else []


@contextmanager
def _started(
    scene: Arena, command: list[str], disturbance: Disturbance
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command in a process group of its own, and what it says; on a terminal, that is lost."""
    log = scene.place / "said"
    log.write_text("")
    options: dict[str, object] = {"start_new_session": True, "stdout": subprocess.DEVNULL}
    if disturbance.terminal:
        end = scene.open_terminal()
        options |= {"stdin": end, "stdout": end, "stderr": end, "preexec_fn": _take_terminal}
        driver = scene.sweep.start(*command, **options)
        os.close(end)
    else:
        with log.open("w") as file:
            driver = scene.sweep.start(*command, **options, stderr=file)
    with driver:
        try:
            yield driver, log
        finally:
            driver.kill()


def _take_terminal() -> None:
    """Make standard input the terminal of this session, so that its end is heard of."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

"""A Ray cluster of the sweep's own, on this machine alone: who reaches it, and when it ends.

Ray listens on all interfaces, gives its session folder to every user, and keeps a token where
others can read it. Here it is on loopback, in a folder of this user's alone, behind a token that
lies nowhere but in the environment of its processes; and it ends with its driver.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import ray
import ray._raylet
from ray._private import ray_constants

from sweep.cluster.guard import PROC, VARIABLE, Guard, marked
from sweep.core.ending import SweepEnds
from sweep.core.errors import WorkError
from sweep.core.stages import stage

# Predictions and handles are all that travels through the object store.
OBJECT_STORE_BYTES = 512 << 20
PREFIX, OF_RAY = "mrisweep-", "r"  # of the folder of a cluster, and what Ray calls its own in it
# The path of a socket has 107 characters at most; so many of them come after the folder for
# temporary files: ours, then Ray's session with its date and process, then the longest name.
SOCKET_PATH, BELOW = (107, 86)
VITAL = {"raylet": "starts and ends workers", "gcs_server": "knows what runs where"}
# A call of the GCS that has died blocks the driver for 60 s by default, after which Ray ends it in
# the midst of its work; one that fails before lets it end in order.
PATIENCE = {"RAY_gcs_server_request_timeout_seconds": "10"}
MODE, TOKEN, TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@dataclass
class OwnCluster:
    """The cluster that this driver has started.

    Attributes:
        folder: Where Ray keeps its logs and sockets.
        then: The command that goes on with the work, should the cluster die.
        vital: The processes without which nothing goes on, by name.
        died: Whether one of them has been found dead.

    """

    folder: Path
    then: str
    vital: dict[str, int] = field(default_factory=dict)
    died: bool = False

    def check(self) -> None:
        """Raise ``SweepEnds`` if a vital process has died: Ray would wait, then end the driver."""
        dead = [name for name, pid in self.vital.items() if not _lives(pid)]
        if dead:
            self.died = True
            logs = next(self.folder.glob("*/session_2*/logs"), self.folder)
            raise SweepEnds(
                WorkError(
                    f"Ray has lost its {dead[0]}, which {VITAL[dead[0]]}",
                    f"the end of process {self.vital[dead[0]]}, with its logs in {logs}",
                    f"see whether memory ran out, then run `{self.then}`: no result is lost",
                )
            )


_own: OwnCluster | None = None


def check_cluster() -> None:
    """Raise ``SweepEnds`` if this driver has started a cluster that has died; it is to be asked."""
    if _own is not None:
        _own.check()


@contextmanager
def own_cluster(then: str, begun: Path | None, options: Mapping[str, object]) -> Iterator[None]:
    """Start a cluster on this machine; when the driver ends, in whatever way, so does it.

    Its folder stays where Ray died, for its logs.

    Args:
        then: The command that goes on with the work, should the driver die.
        begun: The file whose presence says that there is something to go on with; None: there is.
        options: Of ``ray.init``.

    Raises:
        SweepEnds: See ``OwnCluster.check``; nothing of it is raised but by ``check_cluster``.

    """
    global _own  # as Ray's own session is: a process has one or none
    stage("starting Ray on this machine")
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_scratch()))  # for this user alone
    _own = OwnCluster(folder, then)
    guard = Guard(then, begun, folder)
    try:
        with _on_loopback(), _environment(PATIENCE | _secret() | {VARIABLE: guard.mark}):
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=str(folder / OF_RAY),  # Ray opens this one to every user
                **options,
            )
        _own.vital = _vital(guard.mark)
        yield
    finally:
        stage("ending Ray")
        try:
            _shut_down()
        finally:
            _forget_secret()
            guard.close()
            if not _own.died:
                shutil.rmtree(folder, ignore_errors=True)
            _own = None


def _shut_down() -> None:
    """End Ray as far as this process goes, also where it is asked to stop in the midst of it.

    What a half-ended Ray leaves, the guard would take for the work of a driver that has died.

    Raises:
        KeyboardInterrupt: It was asked to; once Ray has ended.

    """
    try:
        ray.shutdown()
    except KeyboardInterrupt:
        ray.shutdown()
        raise


def is_own_folder(path: Path) -> bool:
    """Whether Ray's folder is that of a cluster which a sweep has started for itself."""
    return path.name == OF_RAY and path.parent.name.startswith(PREFIX)


def _scratch() -> str:
    """A folder for temporary files that is not too far away for a socket."""
    asked = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    return asked if len(os.fsencode(asked)) + BELOW <= SOCKET_PATH else "/tmp"


@contextmanager
def _on_loopback() -> Iterator[None]:
    """While inside, a cluster that is started has the address 127.0.0.1, as on a Mac by default.

    Ray reads its switch from the environment when it is imported, which it is here already; the
    processes that it starts read it there.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        with _environment({ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0"}):
            yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _secret() -> dict[str, str]:
    """A token for this cluster alone, unless the user has one, or wants none.

    Ray then asks for it by default, and makes no file of it.
    """
    if MODE in os.environ or TOKEN in os.environ or TOKEN_FILE in os.environ:
        return {}
    _forget_secret()
    return {TOKEN: secrets.token_hex(32)}


def _forget_secret() -> None:
    """Let this process connect to a cluster as if it had never started one."""
    loader = getattr(ray._raylet, "AuthenticationTokenLoader", None)
    if loader is not None:  # else it is a Ray without tokens
        loader.instance().reset_cache()
        ray._raylet.Config.initialize("")


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """While inside, variables that a process gets which is started; what Ray sets goes as well."""
    names = (*changes, MODE)
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _vital(mark: str) -> dict[str, int]:
    found = {}
    for pid in marked(mark):
        with suppress(OSError):
            name = (PROC / str(pid) / "comm").read_text().strip()
            if name in VITAL:
                found[name] = pid
    return found


def _lives(pid: int) -> bool:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"  # a zombie is dead, and not asked for

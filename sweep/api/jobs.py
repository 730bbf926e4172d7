"""Sweeps as jobs of a cluster: submitted with their configuration, listed, stopped."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.cluster.job_server import travels_openly
from sweep.cluster.jobs import Job, JobServer
from sweep.core.errors import UserError, WorkError, refuse
from sweep.core.job import FOLDER, SWEEP, VERSION
from sweep.remote.address import uri_of
from sweep.remote.places import shown
from sweep.results.standing import Standing, Watcher
from sweep.results.sweep_file import FILE, asked, require_nameable

if TYPE_CHECKING:
    from sweep.config.sweep import SweepConfig


@dataclass(frozen=True)
class Submitted:
    """A job that was submitted.

    Attributes:
        id: Its id.
        server: The job server that has it.
        notes: What is to be said of how it was submitted, a line each.

    """

    id: str
    server: JobServer
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A job, and how far its sweep is.

    Attributes:
        job: The job.
        trials: How many trials have ended, and of how many; None where that cannot be seen.

    """

    job: Job
    trials: tuple[int, int] | None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        trials = self.trials and dict(zip(("ended", "total"), self.trials, strict=True))
        return {**vars(self.job), "trials": trials}


def submit(
    config: "SweepConfig",
    out: str,
    address: str | None = None,
    env: Iterable[str] = (),
    insecure: bool = False,
) -> Submitted:
    """Submit a sweep to a cluster: its configuration as resolved here, and no data.

    The job is ``mrisweep run --or-resume``, so that what was begun in the folder goes on.

    Args:
        config: The sweep.
        out: Its folder: an absolute path on storage that all nodes see, or a URI in a bucket.
        address: Of the job server; None: ``RAY_API_SERVER_ADDRESS``, ``RAY_ADDRESS``, or this
            machine's.
        env: Names of environment variables that the job gets as they are here. Ray shows them to
            whoever has the token of the cluster.
        insecure: Whether a cluster that asks nobody for a token is accepted.

    Raises:
        UserError: A path that is not absolute or that no sweep can have, or a URI of no folder; no
            such variable; nobody at
            the address, or somebody who asks for no token, or who does not take the user's; a job
            on the folder is running.
        WorkError: The job server does not answer any more.

    """
    out = shown(out)
    require_nameable(out)
    refuse_relative(config, out)
    variables = values_of(env)
    server = _server(address, insecure)
    _refuse_busy(server, out)
    with tempfile.TemporaryDirectory() as packed:
        # The job connects to the cluster that it was submitted to.
        text = config.replace({"cluster.address": None}).to_yaml()
        (Path(packed) / FILE).write_text(text, encoding="utf-8")
        command = ("mrisweep", "run", "--or-resume", FILE, "--out", out)
        noted = _noted(config.name, out)
        given = server.submit(command, config.name, noted, variables, Path(packed))
    return Submitted(given, server, tuple(_notes(server, variables, config)))


def submit_resume(
    folder: str,
    options: Iterable[str] = (),
    address: str | None = None,
    env: Iterable[str] = (),
    insecure: bool = False,
) -> Submitted:
    """Submit a job that goes on with the sweep in a folder.

    Args:
        folder: An absolute path, as the cluster sees it, or a URI; it need not be seen here.
        options: Further arguments of ``mrisweep resume``.
        address: And the rest: see ``submit``.
        env: See there.
        insecure: See there.

    Raises:
        UserError: See there.
        WorkError: See there.

    """
    folder = shown(folder)
    if not _is_absolute(folder):
        raise UserError("--resume is not an absolute path", f"{folder!r}", _as_seen("it", folder))
    variables = values_of(env)
    server = _server(address, insecure)
    _refuse_busy(server, folder)
    name = _name_in(Path(folder)) or Path(folder).name
    command = ("mrisweep", "resume", folder, *options)
    given = server.submit(command, name, _noted(name, folder), variables)
    return Submitted(given, server, tuple(_notes(server, variables, None)))


def jobs(address: str | None = None, job_id: str | None = None) -> list[Listed]:
    """The jobs of mrisweep on a cluster, the newest first.

    Args:
        address: See ``submit``.
        job_id: The one that is asked for; None: all.

    Raises:
        UserError: Nobody at the address, or no such job.
        WorkError: The job server does not answer any more.

    """
    server = JobServer(address)
    found = server.all() if job_id is None else [server.one(job_id)]
    return [Listed(job, _trials(server, job)) for job in found]


def refuse_relative(config: "SweepConfig", out: str) -> None:
    """Refuse paths that mean something else on the cluster than here.

    Raises:
        UserError: A path of the sweep that is not absolute.

    """
    wrong = [
        f"{name} {path!r}" for name, path in _paths(config, out).items() if not _is_absolute(path)
    ]
    first = next((path for path in _paths(config, out).values() if not _is_absolute(path)), "")
    refuse(
        "a job has another current folder, and paths that are not absolute",
        wrong,
        _as_seen("them", first),
    )


def values_of(names: Iterable[str]) -> dict[str, str]:
    """Environment variables, by name.

    Raises:
        UserError: One is not set, or what is given is more than a name.

    """
    found = {}
    for name in names:
        if not name.isidentifier():  # it may be NAME=SECRET, which stands in the shell's history
            raise UserError(
                "--env takes the name of an environment variable, whose value is read here",
                f"{name.partition('=')[0]!r} and more" if "=" in name else f"{name!r}",
                "give --env NAME, and set NAME before",
            )
        if name not in os.environ:
            raise UserError("the environment variable of --env is not set", name, "set it before")
        found[name] = os.environ[name]
    return found


def _server(address: str | None, insecure: bool) -> JobServer:
    server = JobServer(address)
    if server.open and not insecure:
        # On loopback too: Ray's other ports answer on all interfaces, and it may be a tunnel.
        raise UserError(
            "the cluster asks nobody for a token: whoever reaches it can run anything on it",
            server.address,
            "start it with RAY_AUTH_MODE=token, or accept that by --insecure",
        )
    return server


def _refuse_busy(server: JobServer, folder: str) -> None:
    for job in server.all():
        if job.folder == folder and not job.is_over:
            raise UserError(
                "a job is at work on this folder already",
                f"{job.id}, which is {job.state}, on {folder}",
                f"follow it with `mrisweep status {job.id} --follow`, or stop it first",
            )


def _noted(name: str, folder: str) -> dict[str, str]:
    return {VERSION: version("mrisweep"), SWEEP: name, FOLDER: folder}


def _notes(
    server: JobServer, variables: Mapping[str, str], config: "SweepConfig | None"
) -> Iterator[str]:
    if variables:
        yield (
            f"Ray shows {', '.join(variables)} to whoever has the cluster's token, and keeps them "
            "with the job; what is set where the cluster is started is not shown"
        )
    if not server.open and travels_openly(server.address):
        yield f"the token is not encrypted on its way to {server.address}; https or a tunnel would"
    named = {one.variable for one in config.notify if one.variable} if config else set()
    if lacking := sorted(named - variables.keys()):
        yield (
            f"notify reads {', '.join(lacking)} where the job runs: set it where the cluster is "
            f"started, or give --env {lacking[0]}"
        )


def _paths(config: "SweepConfig", out: str) -> dict[str, str]:
    """What the cluster has to find, by its setting."""
    from artifacts_sim import GRIDS  # torch, which a look at jobs does not wait for
    from sweep.config.settings import AUTO

    finalists = config.finalists
    named = {
        "--out": out,
        "data.store": config.data.store,
        "model.weights": config.model.weights,
        "search.from": config.search.from_,
        "stress.grid": None if config.stress.grid in (AUTO, *GRIDS) else config.stress.grid,
        "tracking.uri": _database(config.tracking.uri),
        **{
            f"finalists.external.{number}.store": external.store
            for number, external in enumerate(finalists.external if finalists else ())
        },
    }
    return {name: path for name, path in named.items() if path is not None}


def _database(uri: str) -> str | None:
    """The path of a file of sqlite that a tracking URI names."""
    found = re.fullmatch(r"sqlite:///(?P<path>.+)", uri)
    return found and found["path"]


def _is_absolute(path: str) -> bool:
    return "://" in path or Path(path).is_absolute()


def _as_seen(what: str, path: str) -> str:
    here = Path(path).resolve()
    return f"give {what} as the cluster's nodes see it, such as {here} if they have this path"


def _name_in(folder: Path) -> str | None:
    try:
        return asked(folder).name if (folder / FILE).exists() else None
    except (UserError, OSError):
        return None


def _trials(server: JobServer, job: Job) -> tuple[int, int] | None:
    """By the folder, where it is seen here and is that sweep's; else by the log while it runs.

    No bucket is asked for the sake of a line: it may be one that only the cluster can reach.
    """
    if (found := _standing(job)) is not None:
        return sum(found.ended.values()), found.total
    if job.state != "running":
        return None
    try:
        said = re.findall(r"(\d+)/(\d+) done", server.log(job.id))
    except (UserError, WorkError):  # a log that cannot be had costs the list nothing
        return None
    return (int(said[-1][0]), int(said[-1][1])) if said else None


def _standing(job: Job) -> Standing | None:
    try:
        if uri_of(job.folder) or not (Path(job.folder) / FILE).exists():
            return None
        found = Watcher(Path(job.folder)).look()
    except (UserError, WorkError, OSError):
        return None
    return found if found.name == job.sweep else None

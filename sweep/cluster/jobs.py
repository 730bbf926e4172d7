"""Jobs of a running cluster, on Ray's job client: submitted, looked at, followed, stopped."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any, NoReturn

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from sweep.cluster.job_server import (
    ADDRESSES,
    DISABLED,
    NO_RAY,
    TIMEOUT_S,
    address_of,
    authentication,
    authority,
    headers_for,
)
from sweep.core.errors import UserError, WorkError, nearest, told
from sweep.core.job import FOLDER, SWEEP, VERSION

STOP_S = 60  # that Ray gives a sweep to end in order, before it kills it; 3 by default
STOP_ENV = "RAY_JOB_STOP_WAIT_TIME_S"
PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0  # between two looks at a job
PATIENCE_S = 120.0  # with a job server that does not answer any more, as its head starts anew
SLOWER_FROM = 200_000  # characters of a log, all of which Ray sends each time
INTERRUPTED = 130
OURS = (0, 1, 2, INTERRUPTED)  # the exit statuses of mrisweep

for _name in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they tell of every file that is sent


@dataclass(frozen=True)
class Job:
    """A job of mrisweep.

    Attributes:
        id: Its submission id.
        state: ``pending``, ``running``, ``stopped``, ``succeeded`` or ``failed``.
        exit_status: That of its process; None before its end, and where Ray knows of none.
        started_at_ms: Unix time.
        ended_at_ms: Unix time; None before its end.
        sweep: The name of the sweep.
        folder: The sweep's folder, as the cluster sees it.
        version: The version of mrisweep that submitted it.
        message: What Ray says of it, without the end of its log.

    """

    id: str
    state: str
    exit_status: int | None
    started_at_ms: int
    ended_at_ms: int | None
    sweep: str
    folder: str
    version: str
    message: str

    @property
    def is_over(self) -> bool:
        """Whether it came to its end."""
        return self.state in ("stopped", "succeeded", "failed")

    @property
    def outcome(self) -> int:
        """The exit status of its sweep; of one whose process never ended by itself 1 or 130."""
        if self.state == "stopped":
            return INTERRUPTED
        if self.state == "succeeded":
            return 0
        return self.exit_status if self.exit_status in OURS[1:] else 1


class _Client(JobSubmissionClient):
    """Ray's client waits for an answer for ever; this one does not."""

    def _do_request(self, *args: Any, **kwargs: Any) -> Any:
        return super()._do_request(*args, **{"timeout": TIMEOUT_S, **kwargs})


class JobServer:
    """The job server of a cluster.

    Args:
        address: Its address; None: of Ray's environment variables, or this machine's.

    Attributes:
        address: As asked.
        open: Whether it lets in whoever asks.

    Raises:
        UserError: Nobody answers, something else does, or it does not take the user's token.

    """

    def __init__(self, address: str | None = None) -> None:
        self.address = address_of(address)
        mode = authentication(self.address)
        self.open = mode == DISABLED
        headers = headers_for(self.address, mode)
        with _instead(ADDRESSES[0], self.address), self._asking():
            verify = authority() or True
            self._client = _Client(self.address, headers=headers, verify=verify)

    def submit(
        self,
        command: Sequence[str],
        name: str,
        noted: Mapping[str, str],
        env: Mapping[str, str],
        working_dir: Path | None = None,
    ) -> str:
        """Submit a job.

        Args:
            command: What its process is.
            name: Of the sweep, from which its id is made.
            noted: What ``all`` and the job itself are to know of it.
            env: Environment variables for it and its workers, which Ray shows to whoever may ask.
            working_dir: A small folder that is copied to it.

        Returns:
            Its id.

        Raises:
            UserError: The cluster does not take it.
            WorkError: The job server does not answer any more.

        """
        runtime_env: dict[str, Any] = {"env_vars": {STOP_ENV: str(STOP_S), **env}}
        if working_dir is not None:
            runtime_env["working_dir"] = str(working_dir)
        first = id_of(name)
        for wanted in (first, *(f"{first}-{number}" for number in range(2, 10))):
            with self._asking(taken_is_none=True):
                given: str = self._client.submit_job(
                    entrypoint=join(command),
                    submission_id=wanted,
                    metadata=dict(noted),
                    runtime_env=runtime_env,
                )
                return given
        raise UserError("the cluster has jobs of this name already", first, "try again in a second")

    def all(self) -> list[Job]:
        """The jobs of mrisweep, the newest first."""
        with self._asking():
            found = [_job(details) for details in self._client.list_jobs() if _is_ours(details)]
        return sorted(found, key=lambda job: -job.started_at_ms)

    def one(self, job_id: str) -> Job:
        """One job.

        Raises:
            UserError: There is no such job, or it is not one of mrisweep.
            WorkError: The job server does not answer any more.

        """
        with self._asking(job_id):
            details = self._client.get_job_info(job_id)
        if not _is_ours(details):
            raise UserError(
                "the job is none of mrisweep's", f"{job_id!r}", "ask Ray's own `ray job` about it"
            )
        return _job(details)

    def log(self, job_id: str) -> str:
        """What a job has written so far."""
        with self._asking(job_id):
            text: str = self._client.get_job_logs(job_id)
        return text

    def follow(self, job_id: str, write: Callable[[str], None]) -> Job:
        """Write down what a job writes, until it has ended.

        Args:
            job_id: The job.
            write: Given what is new, time and again.

        Raises:
            UserError: There is no such job.
            WorkError: The job server does not answer any more, or knows the job no more.

        """
        job: Job | None = None
        shown, answered = 0, time.monotonic()
        while True:
            try:
                # First: what has ended by then has written everything.
                job = self.one(job_id) if job is None else self._again(job)
                text = self.log(job_id)
                answered = time.monotonic()
            except WorkError:
                if time.monotonic() - answered > PATIENCE_S:
                    if job is not None and job.is_over:  # the node that has its log is gone, too
                        return job
                    raise
                time.sleep(LONGEST_PAUSE_S)
                continue
            if len(text) > shown:
                write(text[shown:])
                shown = len(text)
            if job.is_over:
                return job
            time.sleep(min(LONGEST_PAUSE_S, PAUSE_S * max(1.0, shown / SLOWER_FROM)))

    def _again(self, job: Job) -> Job:
        try:
            return self.one(job.id)
        except UserError:
            raise WorkError(
                "the cluster knows the job no more, as its head was started anew",
                f"{job.id} at {self.address}",
                f"go on with its sweep by `mrisweep submit --resume {job.folder}`",
            ) from None

    def stop(self, job_id: str, waited_s: float = STOP_S + 30) -> tuple[Job, Job]:
        """End a job in order, and wait until it has ended.

        Returns:
            The job before, and after that.

        Raises:
            UserError: There is no such job.
            WorkError: It has not ended.

        """
        before = after = self.one(job_id)
        if before.is_over:
            return before, after
        with self._asking(job_id):
            self._client.stop_job(job_id)
        until = time.monotonic() + waited_s
        while not (after := self.one(job_id)).is_over:
            if time.monotonic() > until:
                raise WorkError(
                    "the job has not ended",
                    f"{job_id} {after.state} after {waited_s:g} s",
                    f"look again with `mrisweep status {job_id}`",
                )
            time.sleep(PAUSE_S)
        return before, after

    @contextmanager
    def _asking(self, job_id: str | None = None, taken_is_none: bool = False) -> Iterator[None]:
        """While the server is asked: what goes wrong is one sentence."""
        try:
            yield
        except AuthenticationError:
            raise UserError(
                "the cluster does not take the token any more",
                f"{self.address}",
                "give the token that the cluster was started with",
            ) from None
        except RuntimeError as error:
            if not (taken_is_none and "already exists" in str(error)):
                self._refused(error, job_id)
        except OSError as error:  # of requests too
            raise WorkError(
                "the job server does not answer any more",
                f"{self.address} ({told(error)})",
                f"its jobs may go on; look again with `mrisweep status --address {self.address}`",
            ) from None
        except (ValueError, TypeError, LookupError) as error:
            raise UserError(
                NO_RAY, f"{self.address} ({told(error)})", "compare the versions of Ray"
            ) from None

    def _refused(self, error: RuntimeError, job_id: str | None) -> NoReturn:
        found = re.match(r"Request failed with status code (\d+): (.*)", str(error), re.DOTALL)
        status, said = found.groups() if found else ("", str(error))
        if status == "404" and job_id is not None:
            known = [job.id for job in self.all()]
            raise UserError(
                "the cluster has no such job", f"{job_id!r}", nearest(job_id, known)
            ) from None
        last = [line for line in said.removesuffix(".").splitlines() if line.strip()][-1:]
        raise WorkError(
            "the job server refuses",
            f"{' '.join(['status', status, *last]) if status else ''.join(last)}",
            f"mend the cause at {self.address}, and try again",
        ) from None


def id_of(name: str) -> str:
    """A readable id of a job of a sweep: its name, and when it was submitted."""
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "sweep"
    return f"{word}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"


def _is_ours(details: Any) -> bool:
    return bool(details.submission_id) and VERSION in (details.metadata or {})


def _job(details: Any) -> Job:
    noted = details.metadata or {}
    return Job(
        id=details.submission_id,
        state=str(details.status).lower(),
        exit_status=details.driver_exit_code,
        started_at_ms=int(details.start_time or 0),
        ended_at_ms=details.end_time or None,
        sweep=noted.get(SWEEP, ""),
        folder=noted.get(FOLDER, ""),
        version=noted[VERSION],
        message=(details.message or "").partition(", last available logs")[0],
    )


@contextmanager
def _instead(name: str, value: str) -> Iterator[None]:
    """Ray's client takes an environment variable before the address that it is given."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

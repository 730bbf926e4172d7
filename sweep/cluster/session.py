"""A Ray session for the time of a sweep: the user's cluster, or this machine alone."""

import logging
import os
import re
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from sweep.cluster.guard import Guard
from sweep.cluster.job_server import own_token
from sweep.cluster.local import MODE, TOKEN, TOKEN_FILE, check_cluster, own_cluster
from sweep.cluster.running import AUTO, automatic
from sweep.config.sweep import ClusterSettings
from sweep.core.ending import raising_cause
from sweep.core.errors import UserError, WorkError, told
from sweep.core.interruption import stop_if_asked
from sweep.core.saying import said_if_long
from sweep.core.stages import stage

# glibc gives large blocks back to the system at each free, and a torch step in a Ray worker then
# spends more time in page faults than in arithmetic: 2 to 3 times slower, measured.
WORKER_ENV = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    # A worker that takes no GPU sees none: it would use one that is another's, without a limit.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}
NO_TOKEN: Any = getattr(ray.exceptions, "AuthenticationError", ())  # of a Ray that has tokens
CLIENT = "ray://"
CLUSTER_NAME = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # of Ray's own service
ADDRESS = re.compile(r"(?:ray://)?(\[[0-9a-fA-F:.]+\]|[^\s/:@]+):(\d{1,5})")
TLS = "RAY_USE_TLS"
WITH_TOKEN = "token"
ANSWER_S = 10.0  # in which somebody has to answer
POLL_S = 1.0  # between two looks at what may end the driver's waiting
_taken = threading.Lock()  # by the session of this process: it has one Ray


@contextmanager
def session(settings: ClusterSettings, then: str = "", begun: Path | None = None) -> Iterator[None]:
    """Connect to the cluster, or start one on this machine and end it afterwards.

    Args:
        settings: Which.
        then: The command that goes on with the work, said should the driver or the cluster die.
        begun: The file whose presence says that there is something to go on with; None: there is.

    Raises:
        UserError: No cluster at the address, or this process uses Ray already.
        WorkError: A cluster could not be started here, or it died: as ``look`` says.

    """
    for name in ("ray", "ray.tune", "ray.train"):
        # Tune logs the whole traceback at every retry; the cause stands in the trial's record.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    options = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "runtime_env": {"env_vars": WORKER_ENV},
    }
    address = address_of(settings)
    if address:
        cluster = _connected(address, then, begun, options)
    else:
        cluster = own_cluster(then, begun, options)
    said = then if begun is None or begun.exists() else ""
    with _only_one(), raising_cause(), _started(cluster, said):
        stop_if_asked()
        yield


@contextmanager
def _only_one() -> Iterator[None]:
    """Refuse a second user of this process's Ray: the end of either would be that of both.

    Raises:
        UserError: It is in use.

    """
    if not _taken.acquire(blocking=False):
        raise UserError(
            "a process has one Ray, and another sweep of this process uses it",
            f"a second one in {threading.current_thread().name}",
            "wait until the other has ended, or run this one in a process of its own",
        )
    try:
        if ray.is_initialized():
            raise UserError(
                "a sweep starts Ray and ends it, and this process uses Ray already",
                "a Ray that is initialised",
                "call ray.shutdown() before, or run the sweep in a process of its own",
            )
        yield
    finally:
        _taken.release()


@contextmanager
def _started(cluster: AbstractContextManager[None], then: str) -> Iterator[None]:
    """Enter a session as the user meets it: one sentence where it cannot be.

    Args:
        cluster: To enter.
        then: The command that goes on with the work; empty: none was begun.

    """
    with ExitStack() as stack:
        on_terminate = signal.getsignal(signal.SIGTERM)
        try:
            stack.enter_context(cluster)
        except SystemExit:  # Ray's answer to SIGTERM
            raise KeyboardInterrupt from None
        except (UserError, WorkError):
            raise
        except Exception as error:  # of many kinds, where one of its processes dies meanwhile
            remedy = f"run `{then}`" if then else "run the command again"
            raise WorkError(
                "Ray could not be started", told(error), f"mend the cause, then {remedy}"
            ) from error
        finally:
            if on_terminate and threading.current_thread() is threading.main_thread():
                # Ray takes SIGTERM for itself and would end the driver with a dump of its stack.
                signal.signal(signal.SIGTERM, on_terminate)
        yield


@contextmanager
def _connected(
    address: str, then: str, begun: Path | None, options: Mapping[str, object]
) -> Iterator[None]:
    """A session on the user's cluster, which ends with the driver, as far as it is the driver's."""
    stage(f"connecting to the Ray cluster at {address}")
    address = automatic() if address == AUTO else address
    require_answer(address)
    with closing(Guard(then, begun)):
        try:
            # Ray's client warns of what it raises, too.
            with (
                said_if_long(f"waiting for the Ray cluster at {address}"),
                warnings.catch_warnings(action="ignore", category=UserWarning),
            ):
                ray.init(address=address, **options)
        except NO_TOKEN as error:
            raise _no_token(address, told(error)) from None
        except ConnectionError as error:
            if os.environ.get(MODE) == WITH_TOKEN or "auth" in str(error).lower():
                raise _no_token(address, told(error)) from None
            raise _no_answer(address, told(error)) from None
        try:
            yield
        finally:
            ray.shutdown()


def require_answer(address: str) -> None:
    """Refuse the address of a cluster at which nobody listens, for which Ray waits for minutes.

    Raises:
        UserError: It is no address, or nobody does.

    """
    form = ADDRESS.fullmatch(address)
    if form is None:
        raise UserError(
            "this is no address of a Ray cluster",
            f"{address!r}",
            f"give HOST:PORT, ray://HOST:PORT or {AUTO}",
        )
    try:
        with said_if_long(f"waiting for somebody to answer at {address}"):
            socket.create_connection((form[1].strip("[]"), int(form[2])), ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _no_answer(address, told(error)) from None
    if not address.startswith(CLIENT) and os.environ.get(TLS, "0") in ("0", ""):
        _ask(address)


def _ask(address: str) -> None:
    """Ask a cluster for its name, as Ray does time and again; whatever it says, Ray finds out.

    Raises:
        UserError: What answers is no cluster, or does not take the user's token.

    """
    import grpc  # comes with Ray

    metadata = (("authorization", f"Bearer {_token()}"),)
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(CLUSTER_NAME)(b"", timeout=ANSWER_S, metadata=metadata)
        except grpc.RpcError as error:
            code = error.code()
            if code == grpc.StatusCode.UNAUTHENTICATED:
                mode = os.environ.get(MODE)
                sent = f"{MODE}={mode}" if mode else f"{MODE} is not set"
                sent = "another token, or none" if mode == WITH_TOKEN else sent
                raise _no_token(address, sent) from None
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise _no_answer(address, "who answers there is no cluster") from None


def _token() -> str:
    """The user's, where Ray looks for it; empty: none."""
    if os.environ.get(MODE) != WITH_TOKEN:
        return ""
    try:
        return own_token()[0]
    except (UserError, RuntimeError):  # the second of a user without a home
        return ""


def _no_answer(address: str, received: str) -> UserError:
    return UserError(
        "no Ray cluster answers",
        f"{address!r} ({received})",
        "correct the address, or start the cluster",
    )


def _no_token(address: str, received: str) -> UserError:
    return UserError(
        "the cluster does not take this token, or there is none",
        f"{address!r} ({received})",
        f"set {MODE}={WITH_TOKEN}, and {TOKEN} or {TOKEN_FILE} to its token",
    )


def look() -> None:
    """Raise what ends the driver's waiting: it was asked to stop, or its own cluster has died.

    Raises:
        KeyboardInterrupt: It was asked to.
        SweepEnds: The cluster has died.

    """
    stop_if_asked()
    check_cluster()


def gather(calls: Sequence[ray.ObjectRef], also: Callable[[], object] = lambda: None) -> list[Any]:
    """The results of calls, waited for as long as nothing ends that; ``also`` is done meanwhile."""
    while len(ray.wait(calls, num_returns=len(calls), timeout=POLL_S)[0]) < len(calls):
        look()
        also()
    return list(ray.get(calls))


def address_of(settings: ClusterSettings) -> str | None:
    """Of the user's cluster; None: a session starts one on this machine."""
    return settings.address or os.environ.get("RAY_ADDRESS")

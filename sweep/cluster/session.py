"""A Ray session for the time of a sweep: the user's cluster, or this machine alone."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import ray

from sweep.cluster.guard import Guard
from sweep.cluster.local import check_cluster, own_cluster
from sweep.config.sweep import ClusterSettings
from sweep.core.ending import raising_cause
from sweep.core.errors import UserError, WorkError, told
from sweep.core.interruption import stop_if_asked

# glibc gives large blocks back to the system at each free, and a torch step in a Ray worker then
# spends more time in page faults than in arithmetic: 2 to 3 times slower, measured.
WORKER_ENV = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    # A worker that takes no GPU sees none: it would use one that is another's, without a limit.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}
POLL_S = 1.0  # between two looks at what may end the driver's waiting


@contextmanager
def session(settings: ClusterSettings, then: str = "", begun: Path | None = None) -> Iterator[None]:
    """Connect to the cluster, or start one on this machine and end it afterwards.

    Args:
        settings: Which.
        then: The command that goes on with the work, said should the driver or the cluster die.
        begun: The file whose presence says that there is something to go on with; None: there is.

    Raises:
        UserError: No cluster at the address.
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
    with raising_cause(), _started(cluster):
        stop_if_asked()
        yield


@contextmanager
def _started(cluster: AbstractContextManager[None]) -> Iterator[None]:
    """Enter a session as the user meets it: one sentence where it cannot be."""
    with ExitStack() as stack:
        on_terminate = signal.getsignal(signal.SIGTERM)
        try:
            stack.enter_context(cluster)
        except SystemExit:  # Ray's answer to SIGTERM
            raise KeyboardInterrupt from None
        except (RuntimeError, OSError) as error:
            raise WorkError(
                "Ray could not be started", told(error), "mend the cause, then run again"
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
    with closing(Guard(then, begun)):
        try:
            ray.init(address=address, **options)
        except ConnectionError as error:
            raise UserError(
                "no Ray cluster answers",
                f"{address!r} ({error})",
                "correct the address, or start the cluster",
            ) from None
        try:
            yield
        finally:
            ray.shutdown()


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

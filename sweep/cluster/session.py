"""A Ray session for the time of a sweep: the user's cluster, or this machine alone."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from sweep.config.sweep import ClusterSettings
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
# Predictions and handles are all that travels through the object store.
OBJECT_STORE_BYTES = 512 << 20


@contextmanager
def session(settings: ClusterSettings) -> Iterator[None]:
    """Connect to the cluster, or start one on this machine and end it afterwards.

    Raises:
        UserError: No cluster at the address.
        WorkError: A cluster could not be started here.

    """
    for name in ("ray", "ray.tune", "ray.train"):
        # Tune logs the whole traceback at every retry; the cause stands in the trial's record.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    on_terminate = signal.getsignal(signal.SIGTERM)
    address = address_of(settings)
    local = (
        {} if address else {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    )
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            runtime_env={"env_vars": WORKER_ENV},
            **local,
        )
    except (SystemExit, KeyboardInterrupt):  # the first is Ray's answer to SIGTERM
        ray.shutdown()
        raise KeyboardInterrupt from None
    except ConnectionError as error:
        raise UserError(
            "no Ray cluster answers",
            f"{address!r} ({error})",
            "correct the address, or start the cluster",
        ) from None
    except (RuntimeError, OSError) as error:
        raise WorkError(
            "Ray could not be started", told(error), "mend the cause, then run again"
        ) from error
    finally:
        if on_terminate and threading.current_thread() is threading.main_thread():
            # Ray takes SIGTERM for itself and would end the driver with a dump of its stack.
            signal.signal(signal.SIGTERM, on_terminate)
    try:
        stop_if_asked()
        yield
    finally:
        ray.shutdown()


def address_of(settings: ClusterSettings) -> str | None:
    """Of the user's cluster; None: a session starts one on this machine."""
    return settings.address or os.environ.get("RAY_ADDRESS")

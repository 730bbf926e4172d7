"""Sweeps that ran to their end, and sweeps to be run."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from sweep.store import Store
from tests.support.sweeps import Sweep, settings


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Sweeps hear SIGINT even where the tests run in a shell's background, which ignores it.

    A signal that is ignored is so in every process that is started; one with a handler is not.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def make_sweep(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Sweep]:
    """A sweep's file in a folder of its own."""

    def make(**changes: Any) -> Sweep:
        place = tmp_path_factory.mktemp("sweep")
        file = place / "sweep.yaml"
        file.write_text(yaml.safe_dump(settings(store, **changes)))
        return Sweep(file, place / "out")

    return make


@pytest.fixture(scope="session")
def finished(make_sweep: Callable[..., Sweep]) -> tuple[Sweep, subprocess.CompletedProcess[str]]:
    """A sweep that ran to its end, and what it said."""
    sweep = make_sweep()
    return sweep, sweep.run()

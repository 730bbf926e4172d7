"""The table of trackers: who may be told of a sweep, by the names that ``tracking.to`` takes."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import MappingProxyType
from typing import cast

from sweep.config.sweep import SweepConfig
from sweep.core.errors import require_known
from sweep.core.plugins import added, load
from sweep.results.callbacks import (
    Callback,
    InThread,
    Say,
    SilentCallback,
    Task,
    aftermath,
    history,
    tell_report,
)
from sweep.results.folder import SweepFolder

GROUP = "mrisweep.trackers"
Factory = Callable[[SweepFolder, SweepConfig], Callback]

MLFLOW = "mlflow"
# Imported when they are used: MLflow takes a second.
OURS = {
    MLFLOW: "sweep.results.mlflow.tracker:MLflowTracker",
    "jsonl": "sweep.results.jsonl_tracker:JsonLinesTracker",
}


@cache
def trackers() -> Mapping[str, EntryPoint]:
    """Where each tracker is, by its name: those above, then those that installed packages add.

    Raises:
        UserError: A package adds one under a name that is taken.

    """
    ours = {name: EntryPoint(name, place, GROUP) for name, place in OURS.items()}
    return MappingProxyType({**ours, **added(GROUP, ours)})


def check_trackers(config: SweepConfig) -> None:
    """Raise ``UserError`` for a tracker that does not exist, or cannot be imported or used."""
    require_known("tracking.to", config.tracking.to, trackers())
    config.tracking.check()
    if MLFLOW in config.tracking.to:
        config.tracking.server(Path())  # which the environment may lack
    for name in config.tracking.to:
        if name not in OURS:
            load(trackers()[name])


def start_trackers(
    folder: SweepFolder,
    config: SweepConfig,
    say: Say,
    past: Callable[[SweepFolder], Iterator[Task]] = history,
    without: Collection[str] = (),
) -> list[InThread]:
    """Start the trackers of a sweep, each in a thread of its own.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.
        say: Says something to the user.
        past: What is in the folder that they are told first.
        without: Names of trackers that are left out.

    """
    return [
        InThread(name, partial(make_tracker, name, folder, config), folder, say, past=past)
        for name in config.tracking.to
        if name not in without
    ]


@contextmanager
def trackers_of_aftermath(
    folder: SweepFolder, config: SweepConfig, say: Say, without: Collection[str] = ()
) -> Iterator[list[InThread]]:
    """The trackers of a sweep whose trials have ended; of the trials they are told nothing again.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.
        say: Says something to the user.
        without: Names of trackers that are left out, as they were given up before.

    """
    started = start_trackers(folder, config, say, aftermath, without)
    try:
        yield started
    finally:
        for tracker in started:
            tracker.close(finished=True)


def log_report(folder: SweepFolder, page: Path, say: Say) -> None:
    """Give the report of a sweep to its trackers; a server that is down is said, and nothing more.

    Args:
        folder: The folder of the sweep, whatever its trials are doing.
        page: The HTML file. Below the folder as ``report.html``, `mrisweep sync` gives it again.
        say: Says something to the user.

    """
    config = folder.config()

    def told(_: SweepFolder) -> Iterator[Task]:
        """As what is past, it is told again where the first attempt fails."""
        yield lambda callback: tell_report(callback, page)

    for name in config.tracking.to:
        make = partial(_ForReport, name, folder, config)
        InThread(name, make, folder, say, past=told).close(finished=True)


class _ForReport(SilentCallback):
    """A tracker that is told of a report alone: the sweep goes on, or has ended, as it may be."""

    def __init__(self, name: str, folder: SweepFolder, config: SweepConfig) -> None:
        self._tracker = make_tracker(name, folder, config)

    def wrote_report(self, page: Path) -> None:
        """See ``ReportCallback``."""
        tell_report(self._tracker, page)


def make_tracker(name: str, folder: SweepFolder, config: SweepConfig) -> Callback:
    """A tracker of a sweep, in this thread."""
    return cast("Factory", load(trackers()[name]))(folder, config)

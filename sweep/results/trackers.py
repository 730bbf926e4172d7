"""The table of trackers: who may be told of a sweep, by the names that ``tracking.to`` takes."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import cast

from sweep.config.sweep import SweepConfig
from sweep.core.errors import require_known
from sweep.core.plugins import added, load
from sweep.results.callbacks import Callback, InThread, Say
from sweep.results.folder import SweepFolder

GROUP = "mrisweep.trackers"
Factory = Callable[[SweepFolder, SweepConfig], Callback]

# Imported when they are used: MLflow takes a second.
OURS = {
    "mlflow": "sweep.results.mlflow.tracker:MLflowTracker",
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
    """Raise ``UserError`` for a tracker that does not exist or cannot be imported."""
    require_known("tracking.to", config.tracking.to, trackers())
    for name in config.tracking.to:
        if name not in OURS:
            load(trackers()[name])


def start_trackers(folder: SweepFolder, config: SweepConfig, say: Say) -> list[InThread]:
    """Start the trackers of a sweep, each in a thread of its own."""
    return [
        InThread(name, partial(make_tracker, name, folder, config), folder, say)
        for name in config.tracking.to
    ]


def make_tracker(name: str, folder: SweepFolder, config: SweepConfig) -> Callback:
    """A tracker of a sweep, in this thread."""
    return cast("Factory", load(trackers()[name]))(folder, config)

"""Mirrors a sweep into MLflow from a thread of its own, so that a slow server slows nothing."""

import queue
import threading
from collections.abc import Callable

from sweep.config.sweep import SweepConfig
from sweep.core.records import EpochRecord, TrialRecord
from sweep.results.closing import close_trial
from sweep.results.folder import SweepFolder
from sweep.results.tracking import Tracker


def sync(folder: SweepFolder, config: SweepConfig) -> int:
    """Write a whole sweep to MLflow; what is there already is not written twice.

    Args:
        folder: of the sweep.
        config: as resolved.

    Returns:
        How many trials there are.

    """
    tracker = Tracker(folder, config)
    trials = folder.trials()
    for trial in trials:
        replay(tracker, trial, running=False)
    unfinished = any(trial.status == "running" for trial in trials)
    tracker.sweep_ended(finished=not unfinished and len(trials) >= config.search.trials)
    return len(trials)


def replay(tracker: Tracker, trial: TrialRecord, *, running: bool) -> None:
    """Write one trial from its records; ``running``: the sweep goes on after this."""
    # The best epoch first, as its metrics are then the first that MLflow's pages offer.
    epochs = tracker.folder.epochs(trial.trial)
    for record in sorted(epochs, key=lambda record: record.epoch != trial.best_epoch):
        tracker.epoch(trial, record)
    if trial.status != "running":
        tracker.ended(close_trial(tracker.folder, trial))
    elif not running:
        tracker.interrupted(trial)


class MLflowCallback:
    """A callback that settles ended trials and keeps MLflow up to date.

    A failure of MLflow is said once and fails no trial; ``close`` then tries to write all of it
    again, and ``mrisweep sync`` can do so at any later time.

    Args:
        folder: of the sweep.
        config: as resolved.
        warn: says something to the user.

    """

    def __init__(
        self, folder: SweepFolder, config: SweepConfig, warn: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.config = config
        self.warn = warn
        self.tracker: Tracker | None = None
        self.broken = False
        self.events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self.thread.start()
        self.events.put(lambda: self._mirror(self._open))

    def began(self, trial: TrialRecord) -> None:
        """Nothing to write before the first epoch."""

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """Log an epoch."""
        self.events.put(lambda: self._mirror(lambda tracker: tracker.epoch(trial, epoch)))

    def ended(self, trial: TrialRecord) -> None:
        """Settle a trial, then log what that gave."""
        self.events.put(lambda: self._ended(trial))

    def close(self, finished: bool) -> None:
        """Write what is left, end the runs, and stop.

        Args:
            finished: all trials ended; otherwise those that run are marked as interrupted.

        """
        self.events.put(None)
        self.thread.join()
        try:
            if self.broken or not finished:
                sync(self.folder, self.config)
            elif self.tracker is not None:
                self.tracker.sweep_ended(finished=True)
        except Exception as error:
            self.warn(
                f"MLflow lacks a part of this sweep ({_first_line(error)}). Nothing is lost: when "
                f"the server answers again, run `mrisweep sync {self.folder.path}`."
            )

    def _ended(self, trial: TrialRecord) -> None:
        closed = close_trial(self.folder, trial)
        self._mirror(lambda tracker: tracker.ended(closed))

    def _open(self, tracker: Tracker) -> None:
        """Bring what earlier runs of the driver left into MLflow."""
        for trial in self.folder.trials():
            replay(tracker, trial, running=True)

    def _work(self) -> None:
        while (event := self.events.get()) is not None:
            try:
                event()
            except Exception as error:
                self._failed(error)

    def _mirror(self, write: Callable[[Tracker], None]) -> None:
        if not self.broken:
            self.tracker = self.tracker or Tracker(self.folder, self.config)
            write(self.tracker)

    def _failed(self, error: Exception) -> None:
        if not self.broken:
            self.broken = True
            self.warn(
                f"MLflow does not take the results ({_first_line(error)}); the sweep goes on and "
                f"keeps them in its folder."
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

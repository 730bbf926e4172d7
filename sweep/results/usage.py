"""What the trials of a sweep have used, over all runs of its driver, and which limit ends it.

Epochs are counted in the folder. Time is added up while trials run, by a clock that nobody sets,
and written every few seconds: a kill loses no more than ``WRITE_EVERY_S`` of it, and what passes
between two looks at the clock.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sweep.config.search import SearchSettings, stratum_of
from sweep.config.sweep import SweepConfig
from sweep.core.records import TrialRecord
from sweep.core.states import INTERRUPTED, RUNNING
from sweep.core.text import number_of
from sweep.results.folder import SweepFolder

WRITE_EVERY_S = 5.0
HOUR_S = 3600.0
UNITS = {"hours": "hours", "gpu_hours": "GPU hours", "epochs": "epochs"}


@dataclass(frozen=True)
class Reached:
    """A limit that is used up.

    Attributes:
        name: Which, as in ``search.limits``.
        limit: What may be used.
        used: What is used: of hours the step of the driver more in which the limit was reached, of
            epochs those that other trials finished at that moment.

    """

    name: str
    limit: float
    used: float

    def text(self) -> str:
        """How much of what is used."""
        return f"{round(self.used, 3):g} of {self.limit:g} {UNITS[self.name]}"


class Usage:
    """Counts what the trials of a sweep use.

    Args:
        folder: The folder of the sweep, which says what earlier runs of the driver have used. Of a
            sweep that an earlier version began it says nothing of the time until then.
        config: Its limits, and the GPU shares of trials and evaluators.
        now: The clock, monotonic seconds.

    """

    def __init__(
        self,
        folder: SweepFolder,
        config: SweepConfig,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._now = folder, now
        self._limits = config.search.limits
        self._of_trial = config.cluster.trial.gpu
        self._of_pool = config.cluster.evaluators * config.cluster.evaluator.gpu
        self._seconds, self._gpu_seconds = folder.time_used()
        self.epochs = {one.trial: folder.last_reported(one.trial) for one in folder.trials()}
        self._epochs = sum(self.epochs.values())
        self._under_way: set[str] = set()
        self._looked = self._written = now()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While inside, time is used."""
        self._looked = self._written = self._now()
        try:
            yield
        finally:
            self.look()
            self._write()

    def started(self, trial: str) -> None:
        """A trial holds its share from now on; told again, it holds one all the same."""
        self.look()
        self._under_way.add(trial)

    def reported(self, trial: str, epoch: int) -> None:
        """A trial has come to an epoch; after an interruption it says its last one again."""
        more = max(0, epoch - self.epochs.get(trial, 0))
        self.epochs[trial] = self.epochs.get(trial, 0) + more
        self._epochs += more

    def ended(self, trial: str) -> None:
        """A trial gives its share back."""
        self.look()
        self._under_way.discard(trial)

    def look(self) -> None:
        """Add the time since the last look, and write it down now and then."""
        now = self._now()
        passed, self._looked = now - self._looked, now
        self._seconds += passed
        self._gpu_seconds += passed * (self._of_pool + self._of_trial * len(self._under_way))
        if now - self._written >= WRITE_EVERY_S:
            self._write()

    def reached(self) -> Reached | None:
        """The first limit that is used up."""
        used = {
            "hours": self._seconds / HOUR_S,
            "gpu_hours": self._gpu_seconds / HOUR_S,
            "epochs": self._epochs,
        }
        for name, value in used.items():
            limit = getattr(self._limits, name)
            if limit is not None and value >= limit:
                return Reached(name, limit, value)
        return None

    def _write(self) -> None:
        self._written = self._looked
        self._folder.write_time_used(self._seconds, self._gpu_seconds)


def said_of_limit(
    reached: Reached, folder: SweepFolder, search: SearchSettings, epochs: dict[str, int]
) -> str:
    """One sentence: which limit ended the sweep, what each stratum has used, how to go on.

    Args:
        reached: The limit.
        folder: The folder of the sweep.
        search: Its strata, and how many trials it is to have.
        epochs: Reported epochs of each trial.

    """
    trials = folder.trials()
    left = sum(one.status == RUNNING for one in trials)  # nothing runs once a limit is reached
    return (
        f"search.limits.{reached.name} is reached, {reached.text()} are used"
        f"{_of_strata(trials, search, epochs)}; {number_of(left, 'trial')} {INTERRUPTED} and "
        f"{search.total - len(trials)} not begun are left; to go on: mrisweep resume {folder.path} "
        f"--limit {reached.name}={2 * reached.limit:g}"
    )


def _of_strata(trials: list[TrialRecord], search: SearchSettings, epochs: dict[str, int]) -> str:
    """The epochs of each stratum, which a limit may cut between."""
    if not search.strata():
        return ""
    used = Counter({str(one): 0 for one in search.strata()})
    for trial in trials:
        used[stratum_of(search, trial.params)] += epochs.get(trial.trial, 0)
    return f" (epochs: {', '.join(f'{name} {count}' for name, count in used.items())})"

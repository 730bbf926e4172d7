"""What Tune's driver sees, told to the trial log; and what becomes of trials that fail."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray import tune
from ray.actor import ActorHandle
from ray.tune import Callback
from ray.tune.experiment import Trial

from sweep.cluster.room import Room
from sweep.cluster.session import look
from sweep.cluster.tries import Tries
from sweep.cluster.watch import StoreWatch, Watch
from sweep.config.sweep import SweepConfig
from sweep.core.ending import ends_sweep
from sweep.core.errors import WorkError
from sweep.core.failures import Failure, failure_of_worker
from sweep.results.callbacks import Say
from sweep.results.trials import TrialLog
from sweep.results.usage import Usage
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Suggestion

BATCH = "train.batch_size"


class TuneCallback(Callback):
    """Translates Tune's events; what goes wrong in that ends the sweep, and no trial.

    Args:
        trial_log: The trial log that is told.
        config: The config of the sweep.
        searcher: Told what becomes of a trial that failed.
        scheduler: Asked whether it ended a trial; None: nothing is stopped early.
        usage: Told which trials hold their shares.
        watch: Ends workers that hang.
        room: Looks after what waits for a place.
        store: Watches the store; None: all work on copies.
        say: Says something to the user.

    Attributes:
        halted: Why the sweep cannot go on, once it cannot.

    """

    def __init__(
        self,
        trial_log: TrialLog,
        config: SweepConfig,
        searcher: StudySearcher,
        scheduler: StratifiedScheduler | None,
        usage: Usage,
        watch: Watch,
        room: Room,
        store: StoreWatch | None,
        say: Say,
    ) -> None:
        self.trial_log, self.config = trial_log, config
        self.searcher, self.scheduler = searcher, scheduler
        self.usage, self.watch, self.room = usage, watch, room
        self.store, self.say = store, say
        self.tries = Tries(config.cluster.retries)
        self.smaller: set[str] = set()
        self.halted: WorkError | None = None

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks to restore them, and a resume builds them anew."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Tune goes on; here the sweep ends if it was asked to, and who hangs is found."""
        look()
        self.watch.look(lambda: _given(trials))
        self.halted = self.halted or self.room.look(trials, trial_name)
        if self.store is not None:
            self.halted = self.halted or self.store.look()

    @ends_sweep
    def on_trial_start(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial's worker is up, for the first time or again."""
        name = trial_name(trial)
        self.usage.started(name)
        self.watch.began(name, trial.temporary_state.ray_actor)
        self._begin(trial)

    def _begin(self, trial: Trial) -> None:
        suggestion = Suggestion.from_tune(trial.config)
        trial_config = self.config.trial(suggestion.params)
        self.trial_log.began(
            suggestion.trial,
            suggestion.number,
            suggestion.params,
            trial_config.model.norm,
            trial_config.seed,
        )

    @ends_sweep
    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """An epoch is reported, with the last one also what was scored in full after all."""
        if Failure.of_result(result):
            return
        name = trial_name(trial)
        self.watch.got_on(name)
        self.usage.reported(name, result["epoch"])
        for epoch in dict.fromkeys((*result["completed"], result["epoch"])):
            self.trial_log.reported(name, epoch)

    @ends_sweep
    def on_trial_complete(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial ended by itself, was stopped, or says that it failed."""
        key = trial_name(trial)
        if (failure := Failure.of_result(trial.last_result)) is not None:
            self._failed(trial, failure)
            return
        self._released(key)
        if self.scheduler is not None and self.scheduler.waits(key):
            self.trial_log.waits(key)
            return
        pruned = self.scheduler is not None and self.scheduler.stopped(key)
        self.trial_log.ended(key, "pruned" if pruned else "finished")

    @ends_sweep
    def on_trial_error(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A worker died, at work on a trial or while it was set up for it."""
        name = trial_name(trial)
        hung = self.watch.minutes if name in self.watch.hung else None
        self._failed(trial, failure_of_worker(_told_of(trial), hung))

    def _failed(self, trial: Trial, failure: Failure) -> None:
        look()  # where the cluster has died, its trials have not failed
        suggestion = Suggestion.from_tune(trial.config)
        name = suggestion.trial
        self._released(name)
        if name not in self.trial_log.records:
            self._begin(trial)  # Tune says nothing of the start of one whose worker died before
        if failure.kind == "gpu_memory" and (batch := self._smaller_batch(suggestion)):
            self.say(f"{name}: {failure.reason}; it is tried once more, with batches of {batch}")
            self.trial_log.changes(name, {BATCH: batch})
            self.searcher.again(name)
            return
        verdict = self.tries.verdict(name, failure)
        if verdict == "again":
            count = f"{self.tries.failed[name]} of {self.tries.retries}"
            self.say(f"{name}: {failure.reason}; it is tried again ({count})")
            self.searcher.again(name)
        elif verdict == "fails":
            self.searcher.fails(name)
            self.trial_log.ended(name, "failed", failure.reason, failure.kind)
        elif self.halted is None:
            self.halted = WorkError(
                "the sweep is stopped, as what it needs fails",
                f"{name}: {failure.reason}",
                f"then run `mrisweep resume {self.trial_log.folder.path}`",
            )

    def _released(self, trial: str) -> None:
        self.usage.ended(trial)
        self.watch.ended(trial)

    def _smaller_batch(self, suggestion: Suggestion) -> int | None:
        """Half the batch of a trial that does not fit its GPU, where the user allows one try.

        A trial that has reported an epoch has been compared with others as it was.
        """
        name = suggestion.trial
        allowed = self.config.cluster.smaller_batch and name not in self.smaller
        if not allowed or self.trial_log.folder.last_reported(name):
            return None
        batch = self.config.trial(suggestion.params).train.batch_size // 2
        if batch:
            self.smaller.add(name)
        return batch or None


class WholeStopper(tune.Stopper):
    """Ends all trials when a limit is reached or nothing works, as an interruption would.

    But Tune itself in order: it asks after each event, ends the workers and asks the searcher for
    no trial more. Neither the searcher nor the scheduler nor a callback is told of an end, so that
    trials under way stay under way in the journal and in the folder.

    Args:
        callback: Counts what trials use, and says whether the sweep can go on.

    """

    def __init__(self, callback: TuneCallback) -> None:
        self.callback = callback

    def __getstate__(self) -> dict[str, object]:
        """Nothing: see ``TuneCallback``."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No trial is ended alone."""
        return False

    @ends_sweep
    def stop_all(self) -> bool:
        """Whether a limit is reached, or the sweep cannot go on."""
        usage = self.callback.usage
        usage.look()
        return self.callback.halted is not None or usage.reached() is not None


def _given(trials: Iterable[Trial]) -> Iterator[tuple[str, ActorHandle]]:
    """The trials that have a worker, each with it."""
    for trial in trials:
        worker = trial.temporary_state.ray_actor
        if worker is not None and not trial.is_finished():
            yield trial_name(trial), worker


def trial_name(trial: Trial) -> str:
    """Of a trial as Tune has it."""
    return Suggestion.from_tune(trial.config).trial


def _told_of(trial: Trial) -> str:
    """What Ray says of the end of a trial's worker, which Tune keeps as a text."""
    if trial.error_file:
        with suppress(OSError):
            return Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    return ""

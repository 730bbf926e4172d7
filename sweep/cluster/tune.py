"""Tune, set up to run the trials of a sweep, and what its driver sees, told to the trial log.

The pool of evaluators is up for as long as there are trials, and rows of modes after them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import ray
from ray import tune
from ray.actor import ActorHandle
from ray.tune import Callback
from ray.tune.experiment import Trial

from sweep.cluster.pool import RemoteModes, start_pool
from sweep.cluster.staging import Staging, serving
from sweep.cluster.trial import SweepTrial
from sweep.config.sweep import SweepConfig
from sweep.core.interruption import stop_if_asked
from sweep.results.callbacks import Say
from sweep.results.folder import SweepFolder
from sweep.results.rows import Count, score_rows
from sweep.results.trials import TrialLog
from sweep.results.usage import Usage
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Suggestion
from sweep.store import Store


def run_trials(
    folder: SweepFolder,
    config: SweepConfig,
    concurrent: int,
    searcher: StudySearcher,
    scheduler: StratifiedScheduler | None,
    trial_log: TrialLog,
    usage: Usage,
    count: Count,
    say: Say,
) -> None:
    """Run what the searcher still has to hand out, then score the ended trials in other modes.

    A limit ends the trials alone: what belongs to those that ended is still made.

    Args:
        folder: The folder of the sweep.
        config: The configuration as resolved.
        concurrent: Trials at a time.
        searcher: Says which trials.
        scheduler: Stops weak ones; None: none.
        trial_log: Is told of everything.
        usage: Counts what trials use, and says when a limit is reached.
        count: Told of each row of a mode, see ``score_rows``.
        say: Says something to the user.

    Raises:
        WorkError: A node cannot get the store.

    """
    store = Store.open(config.data.store)
    with serving(store, config.cluster) as staging:
        pool = start_pool(staging, config.data, config.stress, config.cluster)
        try:
            _run_all(
                folder, config, concurrent, searcher, scheduler, trial_log, usage, pool, staging
            )
            modes = RemoteModes(pool, config.stress)
            score_rows(folder, config, store, trial_log, modes, count, say)
        finally:
            for evaluator in pool:  # what comes after the trials has its share
                ray.kill(evaluator)


def _run_all(
    folder: SweepFolder,
    config: SweepConfig,
    concurrent: int,
    searcher: StudySearcher,
    scheduler: StratifiedScheduler | None,
    trial_log: TrialLog,
    usage: Usage,
    pool: Sequence[ActorHandle],
    staging: Staging,
) -> None:
    if searcher.remaining and not usage.reached():
        callback = TuneCallback(trial_log, config, scheduler, usage)
        tuner = _tuner(folder, config, concurrent, searcher, scheduler, callback, pool, staging)
        with usage.counting():
            tuner.fit()


def _tuner(
    folder: SweepFolder,
    config: SweepConfig,
    concurrent: int,
    searcher: StudySearcher,
    scheduler: StratifiedScheduler | None,
    callback: "TuneCallback",
    pool: Sequence[ActorHandle],
    staging: Staging,
) -> tune.Tuner:
    share = config.cluster.trial
    trainable = tune.with_resources(
        tune.with_parameters(SweepTrial, sweep=config, folder=folder, pool=pool, staging=staging),
        {"cpu": share.cpu, "gpu": share.gpu},
    )
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=searcher.remaining,
            max_concurrent_trials=concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_folder_name,
        ),
        run_config=tune.RunConfig(
            name=datetime.now(UTC).strftime("%Y%m%dT%H%M%S"),
            storage_path=str(folder.path / "tune"),
            stop=LimitStopper(callback.usage),
            callbacks=[callback],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=config.cluster.retries),
            verbose=0,
        ),
    )


def _trial_name(trial: Trial) -> str:
    return Suggestion.from_tune(trial.config).trial


def _folder_name(trial: Trial) -> str:
    """A trial that waited and goes on is another one to Tune."""
    return f"{_trial_name(trial)}-{trial.trial_id}"


class TuneCallback(Callback):
    """Translates Tune's events.

    Args:
        trial_log: The trial log that is told.
        config: The config of the sweep.
        scheduler: Asked whether it ended a trial; None: nothing is stopped early.
        usage: Told which trials hold their shares.

    """

    def __init__(
        self,
        trial_log: TrialLog,
        config: SweepConfig,
        scheduler: StratifiedScheduler | None,
        usage: Usage,
    ) -> None:
        self.trial_log = trial_log
        self.config = config
        self.scheduler = scheduler
        self.usage = usage

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks to restore them, and a resume builds them anew."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Tune goes on; here the sweep ends if it was asked to."""
        stop_if_asked()

    def on_trial_start(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial's worker is up, for the first time or again."""
        self.usage.started(Suggestion.from_tune(trial.config).trial)
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

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """An epoch is reported, with the last one also what was scored in full after all."""
        name = Suggestion.from_tune(trial.config).trial
        self.usage.reported(name, result["epoch"])
        for epoch in dict.fromkeys((*result["completed"], result["epoch"])):
            self.trial_log.reported(name, epoch)

    def on_trial_complete(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial ended by itself or was stopped."""
        key = Suggestion.from_tune(trial.config).trial
        self.usage.ended(key)
        if self.scheduler is not None and self.scheduler.waits(key):
            self.trial_log.waits(key)
            return
        pruned = self.scheduler is not None and self.scheduler.stopped(key)
        self.trial_log.ended(key, "pruned" if pruned else "finished")

    def on_trial_error(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        **info: Any,
    ) -> None:
        """A trial failed for good, after all its retries, or while its worker was set up."""
        name = Suggestion.from_tune(trial.config).trial
        self.usage.ended(name)
        if name not in self.trial_log.records:
            self._begin(trial)  # Tune says nothing of the start of such a trial
        self.trial_log.ended(name, "failed", _cause(trial))


class LimitStopper(tune.Stopper):
    """Ends all trials when a limit is reached, as an interruption would, but Tune itself in order.

    Tune asks it after each event, ends the workers and asks the searcher for no trial more. Neither
    the searcher nor the scheduler nor a callback is told of an end, so that trials under way stay
    under way in the journal and in the folder.

    Args:
        usage: Counts what trials use.

    """

    def __init__(self, usage: Usage) -> None:
        self.usage = usage

    def __getstate__(self) -> dict[str, object]:
        """Nothing: see ``TuneCallback``."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No trial is ended alone."""
        return False

    def stop_all(self) -> bool:
        """Whether a limit is reached."""
        self.usage.look()
        return self.usage.reached() is not None


def _cause(trial: Trial) -> str:
    """The innermost error of a failed trial, on one line."""
    error = trial.get_pickled_error() or trial.get_error()
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "its worker died"

"""Tune, set up to run the trials of a sweep.

The pool of evaluators is up for as long as there are trials, and rows of modes after them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import ray
from ray import tune
from ray.actor import ActorHandle
from ray.tune.experiment import Trial

from sweep.cluster.driver import TuneCallback, WholeStopper, trial_name
from sweep.cluster.nodes import bundles
from sweep.cluster.packing import Plan
from sweep.cluster.pool import RemoteModes, start_pool
from sweep.cluster.room import RollCall, Room
from sweep.cluster.session import look as look_at_cluster
from sweep.cluster.staging import Staging, serving
from sweep.cluster.trial import SweepTrial
from sweep.cluster.tune_state import Forgetting, cleared
from sweep.cluster.watch import StoreWatch, Watch
from sweep.config.sweep import SweepConfig
from sweep.core.errors import WorkError
from sweep.core.stages import stage
from sweep.results.folder import SweepFolder
from sweep.results.inventory import TUNE
from sweep.results.progress import Progress
from sweep.results.rows import score_rows
from sweep.results.trials import TrialLog
from sweep.results.usage import Usage
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.store.bound import open_bound


def run_trials(
    folder: SweepFolder,
    config: SweepConfig,
    plan: Plan,
    searcher: StudySearcher,
    scheduler: StratifiedScheduler | None,
    trial_log: TrialLog,
    usage: Usage,
    progress: Progress,
) -> None:
    """Run what the searcher still has to hand out, then score the ended trials in other modes.

    A limit ends the trials alone: what belongs to those that ended is still made.

    Args:
        folder: The folder of the sweep.
        config: The configuration as resolved.
        plan: Where the evaluators go, and how many trials there is room for at first.
        searcher: Says which trials.
        scheduler: Stops weak ones; None: none.
        trial_log: Is told of everything.
        usage: Counts what trials use, and says when a limit is reached.
        progress: Shows the user how far it is.

    Raises:
        UserError: The store is not the one that the sweep is bound to any more.
        WorkError: A node cannot get the store, or what the sweep needs fails in the midst of it.
        NoRoomError: Nodes were lost, and evaluators and trials have to go on in other places.

    """
    # Ray took its time to start, and others give room back: what was checked may be gone by now.
    store, say = open_bound(config.data.store, config.data.fingerprint), progress.say
    with serving(store, config.cluster) as staging:
        pool = start_pool(staging, config.data, config.stress, config.cluster, plan.places, say)
        watch = Watch(pool, config.cluster.hang_minutes, say, see=progress.at)
        room = Room(config.cluster, plan, RollCall(pool), say)
        on_store = None if config.cluster.stage else StoreWatch(store)
        callback = TuneCallback(
            trial_log, config, searcher, scheduler, usage, watch, room, on_store, say
        )
        try:
            if searcher.remaining and not usage.reached():
                tuner = _tuner(folder, config, callback, pool, staging)
                stage("starting the first trials")
                with usage.counting(), cleared(folder.path / TUNE), _cluster_asked():
                    tuner.fit()
            if callback.halted is not None:
                raise callback.halted

            def look() -> None:
                watch.look()
                room.look_at_evaluators()
                if on_store is not None:
                    on_store.require()

            modes = RemoteModes(pool, config.stress, look)
            score_rows(folder, config, store, trial_log, modes, progress.rows, say)
        finally:
            for evaluator in pool:  # what comes after the trials has its share
                ray.kill(evaluator)


@contextmanager
def _cluster_asked() -> Iterator[None]:
    """While inside, an error of Ray is that of its cluster, where that has died."""
    try:
        yield
    except ray.exceptions.RayError:
        look_at_cluster()
        raise
    except RuntimeError as error:  # Tune has no name for a worker that ends as it starts
        if isinstance(error.__cause__, ray.exceptions.OutOfMemoryError):
            raise WorkError(
                "the memory of a node was used up as a worker started there",
                "its worker, which Ray ended as the node ran low on memory",
                "end what else takes memory there, or lower cluster.concurrent; then run "
                "`mrisweep resume`, which goes on from the last epochs",
            ) from error
        raise


def _tuner(
    folder: SweepFolder,
    config: SweepConfig,
    callback: TuneCallback,
    pool: Sequence[ActorHandle],
    staging: Staging,
) -> tune.Tuner:
    trainable = tune.with_resources(
        tune.with_parameters(SweepTrial, sweep=config, folder=folder, pool=pool, staging=staging),
        tune.PlacementGroupFactory(**bundles([config.cluster.trial])),
    )
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=callback.room.limited(callback.searcher),
            scheduler=callback.scheduler,
            num_samples=-1,  # the searcher says when there is none more
            reuse_actors=True,
            trial_name_creator=trial_name,
            trial_dirname_creator=_folder_name,
        ),
        run_config=tune.RunConfig(
            name=datetime.now(UTC).strftime("%Y%m%dT%H%M%S"),
            storage_path=str(folder.path / TUNE),
            stop=WholeStopper(callback),
            callbacks=[callback, Forgetting()],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            # A trial that is tried again is another one to Tune.
            failure_config=tune.FailureConfig(max_failures=0),
            verbose=0,
        ),
    )


def _folder_name(trial: Trial) -> str:
    """A trial that waited and goes on is another one to Tune."""
    return f"{trial_name(trial)}-{trial.trial_id}"

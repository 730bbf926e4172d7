"""Tune, set up to run the trials of a sweep."""

from datetime import UTC, datetime

from ray import tune
from ray.tune.experiment import Trial

from sweep.cluster.pool import start_pool
from sweep.cluster.staging import serving
from sweep.cluster.trial import SweepTrial
from sweep.cluster.watch import Watch
from sweep.config.sweep import SweepConfig
from sweep.results.folder import SweepFolder
from sweep.results.trials import Chronicle
from sweep.search.scheduler import StratifiedASHA
from sweep.search.searcher import StudySearcher
from sweep.store import Store


def run_trials(
    folder: SweepFolder,
    config: SweepConfig,
    concurrent: int,
    searcher: StudySearcher,
    scheduler: StratifiedASHA | None,
    chronicle: Chronicle,
) -> None:
    """Run what the searcher still has to hand out; returns when every trial has ended.

    Args:
        folder: of the sweep.
        config: as resolved.
        concurrent: trials at a time.
        searcher: says which trials.
        scheduler: stops weak ones; None: none.
        chronicle: is told of everything.

    Raises:
        WorkError: a node cannot come by the store.

    """
    store = Store.open(config.data.store)
    with serving(store, config.cluster) as staging:
        pool = start_pool(staging, config.data, config.stress, config.cluster)
        share = config.cluster.trial
        trainable = tune.with_resources(
            tune.with_parameters(
                SweepTrial, sweep=config, folder=folder.path, pool=pool, staging=staging
            ),
            {"cpu": share.cpu, "gpu": share.gpu},
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=searcher.remaining,
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name=datetime.now(UTC).strftime("%Y%m%dT%H%M%S"),
                storage_path=str(folder.path / "tune"),
                callbacks=[Watch(chronicle, config, scheduler)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=config.cluster.retries),
                verbose=0,
            ),
        )
        tuner.fit()


def _trial_name(trial: Trial) -> str:
    return str(trial.config["trial"])

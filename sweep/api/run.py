"""The composition root: builds every part of a sweep, runs it, brings it to an end."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from artifacts_sim import Shift
from sweep.api.calibrate import levels_text
from sweep.api.dataset import make_store, refuse_vanishing
from sweep.api.finalists import follow_up, places_of
from sweep.api.preflight import about_evidence, bind, open_data
from sweep.api.warm_start import told_by
from sweep.cluster.session import cluster_resources, refuse_small_machine, session, trials_at_a_time
from sweep.cluster.tune import run_trials
from sweep.config.levels import shift_of
from sweep.config.search import TURNS, SearchSettings
from sweep.config.settings import StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, WorkError, told
from sweep.core.failures import AGAIN
from sweep.core.mirrors import named
from sweep.core.records import Cell, EpochRecord, TrialRecord, is_missing
from sweep.core.text import SHOWN
from sweep.learn.checkpoints import CheckpointInfo
from sweep.learn.fit import is_over
from sweep.learn.stress import cells_of
from sweep.results import choice, differences
from sweep.results.callbacks import Callback, replay
from sweep.results.folder import SweepFolder
from sweep.results.progress import Progress
from sweep.results.rows import missing_rows, refuse_other_modes
from sweep.results.trackers import check_trackers, make_tracker, start_trackers
from sweep.results.trials import TrialLog
from sweep.results.usage import Usage, said_of_limit
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study, Suggestion
from sweep.store import Store


@dataclass(frozen=True)
class SweepResult:
    """Where a sweep is.

    Attributes:
        path: The path of its folder.
        experiment: Its name in MLflow.
        tracking_uri: The tracking URI of MLflow; None where it is not told of the sweep.
        objective: The objective that the trials are ranked by.
        objectives: The two that are maximised together; empty: the one.
        failed: Trials without a result, with their errors.
        limit: What is to be said of the limit that ended the sweep before its last trial; None: it
            came to its end.

    """

    path: Path
    experiment: str
    tracking_uri: str | None
    objective: str
    objectives: tuple[str, ...]
    failed: tuple[TrialRecord, ...]
    limit: str | None = None


def run(config: SweepConfig, out: Path | None = None) -> SweepResult:
    """Run a new sweep to its end, or until a limit is reached.

    Args:
        config: What to search.
        out: Folder to make; None: ``sweeps/<name>``.

    Raises:
        UserError: The folder exists, the search is one of earlier versions, the data cannot carry
            the sweep, there is nothing to learn of the earlier sweep, or the cluster is too small.
        WorkError: No trial came to a result.
        KeyboardInterrupt: After the folder was left in a state that ``resume`` continues.

    """
    path = out or Path("sweeps") / config.name
    refuse_vanishing(path, "the sweep's folder", "add --out /shared/...")
    SweepFolder.refuse_existing(path)
    _refuse_turns(config.search)
    refuse_small_machine(config.cluster)
    make_store(config.data, _say)
    store = open_data(config)
    places_of(config, store)  # what is wrong with them is better said now than in the end
    config, levels = bind(config, store, _say)
    for line in about_evidence(config, store):
        _say(f"note: {line}")
    if config.search.from_:
        told_by(config)  # refused here, before there is a folder
    with session(config.cluster):
        concurrent = trials_at_a_time(config.cluster, cluster_resources())
        folder = SweepFolder.create(path, config, levels_text(levels.record) if levels else None)
        with folder.lock():
            return _drive(folder, config, store, concurrent)


def resume(
    path: Path, more: int = 0, limits: Mapping[str, float | None] | None = None
) -> SweepResult:
    """Continue an interrupted sweep where it stopped, or add trials to a finished one.

    A sweep that has used up a limit gets no trial until the limit is raised.

    Args:
        path: The path of the sweep's folder.
        more: Trials to add to those it was to have.
        limits: Those of ``search.limits`` that change, by name; a limit that is None is lifted.

    Raises:
        UserError: Not a sweep's folder, another process at work on it, a stress test that is not
            the one that its trials were scored by, modes with other settings than the rows that
            it has, trials to add or limits to set where a limit is used up all the same, or as in
            ``run``.
        WorkError: No trial came to a result.
        KeyboardInterrupt: See ``run``.

    """
    folder = SweepFolder.open(path, driving=True)
    with folder.lock():
        config = folder.config()
        store = open_data(config)
        _refuse_other_stress(folder, config.stress)
        refuse_other_modes(folder, config)
        refuse_small_machine(config.cluster)
        if more:
            config = replace(config, search=config.search.extended(more))
        if limits:
            config = config.replace({f"search.limits.{name}": limits[name] for name in limits})
        if more or limits:
            _refuse_used_up(folder, config)
        with session(config.cluster):
            concurrent = trials_at_a_time(config.cluster, cluster_resources())
            if more or limits:
                folder.write_config(config)
            return _drive(folder, config, store, concurrent)


def sync_folder(path: Path) -> int:
    """Replay a sweep's folder into its trackers; how many trials it has.

    Raises:
        UserError: Not a sweep's folder, or a sweep that is running.
        WorkError: A tracker does not take it.

    """
    folder = SweepFolder.open(path, driving=True)
    with folder.lock():
        config = folder.config()
        check_trackers(config)
        total = config.search.total
        with TrialLog(folder, config.search.objective, total=total) as trial_log:
            finished = trial_log.is_whole()
        differences.keep_measured(folder, config, _say)
        for name in config.tracking.to:
            _sync(name, folder, config, finished)
    return len(trial_log.records)


def _sync(name: str, folder: SweepFolder, config: SweepConfig, finished: bool) -> None:
    try:
        tracker = make_tracker(name, folder, config)
        replay(tracker, folder)
        tracker.close(finished)
    except UserError:
        raise
    except Exception as error:
        raise WorkError(
            f"{name} does not take the sweep",
            told(error),
            "mend the cause, and run `mrisweep sync` again",
        ) from error


def _refuse_turns(search: SearchSettings) -> None:
    if search.budget == TURNS:
        raise UserError(
            "search.budget is that of sweeps that earlier versions began, whose sampler takes "
            "every norm for the leading one",
            f"{search.budget!r}",
            "set it to equal, or to joint",
        )


def _refuse_used_up(folder: SweepFolder, config: SweepConfig) -> None:
    if reached := Usage(folder, config).reached():
        raise UserError(
            f"search.limits.{reached.name} is used up, so that no trial would be begun",
            reached.text(),
            f"raise it by --limit {reached.name}=..., or lift it by --limit {reached.name}=none",
        )


def _say(text: str) -> None:
    print(named(text), file=sys.stderr, flush=True)


def _drive(folder: SweepFolder, config: SweepConfig, store: Store, concurrent: int) -> SweepResult:
    search = config.search
    fidelity = Fidelity(search, config.train.epochs)
    study = Study(folder.journal, config.name, search, config.seed, config.train.epochs)
    if search.from_ and not study.has_learnt():
        study.learn_from(search.from_, told_by(config))
    _reconcile(folder, study, config, fidelity)
    scheduler = StratifiedScheduler.of(search, config.train.epochs)
    if scheduler is not None:
        ended = [one.trial for one in folder.trials() if one.status != "running"]
        scheduler.replay(_reports(folder, study, config), ended)
    waiting = {name: one.epoch for name, one in scheduler.waiting.items()} if scheduler else {}
    progress = Progress(
        search.total,
        search.most_epochs(config.train.epochs),
        search.objective,
        folder.trials(),
        waiting=waiting,
    )
    trackers = start_trackers(folder, config, progress.say)
    callbacks: list[Callback] = [*trackers, progress]
    with TrialLog(
        folder, search.objective, callbacks, progress.say, search.total, store.task
    ) as trial_log:
        searcher = StudySearcher(
            study,
            search.objective,
            search.total,
            scheduler,
            trial_log.best_metrics,
            fidelity,
            leave_out=lambda trial: trial_log.ended(trial, "pruned"),
            changed=trial_log.params,
        )
        usage = Usage(folder, config)
        if (searcher.remaining and not usage.reached()) or missing_rows(folder, config):
            count, say = progress.rows, progress.say
            run_trials(
                folder, config, concurrent, searcher, scheduler, trial_log, usage, count, say
            )
    result = _result(folder, config, usage)
    if result.limit is None:
        folder.refresh()
        choice.keep_measured(folder, _say)
        lost = {one.name for one in trackers if one.lacks}
        follow_up(folder, config, store, without=lost)
    return result


def _reconcile(folder: SweepFolder, study: Study, config: SweepConfig, fidelity: Fidelity) -> None:
    """Bring up to date what the driver died before hearing of.

    Epochs of trials under way are in the folder, and not yet in their records or in the study; and
    trials have ended in the study, and their records not. A trial that waits for others may never
    be handed out again: nobody would say its last epoch again. What failed for its surroundings
    runs again.
    """
    with TrialLog(folder, config.search.objective) as trial_log:
        for record in folder.trials():
            if record.failure in AGAIN:
                _say(f"{record.trial} is tried again, which had failed: {record.error}")
                study.reopen(record.number)
                trial_log.reopened(record.trial)
        for record in folder.trials():
            if record.status != "running":
                continue
            status = study.status(record.number)
            for epoch in folder.epochs(record.trial):
                trial_log.reported(record.trial, epoch.epoch)
                values = config.search.values(fidelity(epoch.epoch, epoch.metrics))
                if status == "running" and not any(map(is_missing, values)):
                    study.report(record.number, epoch.epoch, *values)
            if status != "running":
                trial_log.ended(record.trial, status)


def _refuse_other_stress(folder: SweepFolder, stress: StressSettings) -> None:
    """Trials are comparable where every cell shows the same pixels; a checkpoint says which."""
    trials = [trial.trial for trial in folder.trials()]
    files = [path for one in trials for path in sorted(folder.checkpoints(one).glob("epoch-*.pt"))]
    for path in files:
        with suppress(UserError):  # of a damaged one, whose trial says so
            earlier = CheckpointInfo.read(path).config.stress
            break
    else:
        return
    now, then = _shown(stress), _shown(earlier)
    differ = [cell for cell in {**then, **now} if now.get(cell) != then.get(cell)]
    if differ or stress.seed != earlier.seed:
        named = ", ".join(f"{cell.artifact} {cell.level}" for cell in differ[:SHOWN])
        raise UserError(
            "the stress test is not the one that the sweep's trials were scored by",
            f"another {named or 'stress.seed'} in {folder.path / 'sweep.yaml'} than in {path}",
            "put the settings of the stress test back, or start a new sweep",
        )


def _shown(stress: StressSettings) -> dict[Cell, Shift]:
    """What happens to slices, in every cell."""
    return {cell: shift_of(stress, cell) for cell in cells_of(stress)}


def _reports(
    folder: SweepFolder, study: Study, config: SweepConfig
) -> Iterator[tuple[Suggestion, EpochRecord]]:
    """What the scheduler was shown, which is not the end of a trial that ended by itself.

    The driver may have died before it heard of that end.
    """
    for trial in folder.trials():
        suggestion = study.suggestion(trial.number)
        epochs = folder.epochs(trial.trial)
        ended = trial.status == "finished" or (
            trial.status == "running" and is_over(config.trial(trial.params), epochs)
        )
        shown = epochs[:-1] if ended else epochs
        yield from ((suggestion, record) for record in shown)


def _result(folder: SweepFolder, config: SweepConfig, usage: Usage) -> SweepResult:
    trials = folder.trials()
    failed = tuple(trial for trial in trials if trial.status == "failed")
    ended = sum(trial.status != "running" for trial in trials)
    reached = usage.reached() if ended < config.search.total else None
    limit = said_of_limit(reached, folder, config.search, usage.epochs) if reached else None
    if limit is None and all(trial.best_epoch is None for trial in trials):
        cause = f"the first failed with: {failed[0].error}" if failed else "none failed"
        raise WorkError(
            "no trial came to a result",
            f"{folder.path}, where {cause}",
            "mend the cause, and begin again in another folder",
        )
    tracking = config.tracking
    uri = tracking.server(folder.path) if "mlflow" in tracking.to else None
    search = config.search
    return SweepResult(
        folder.path, config.name, uri, search.objective, search.objectives, failed, limit
    )

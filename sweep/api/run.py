"""The composition root: builds every part of a sweep, runs it, brings it to an end."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from artifacts_sim import Shift
from sweep.api.calibrate import levels_text
from sweep.api.dataset import make_store, refuse_vanishing
from sweep.api.finalists import follow_up, lacks_finalists, places_of
from sweep.api.gc import tidy
from sweep.api.mending import mend
from sweep.api.places import folder_of, refuse_unwritable
from sweep.api.preflight import about_evidence, bind, open_data
from sweep.api.warm_start import told_by
from sweep.cluster.nodes import refuse_small_machine
from sweep.cluster.packing import Plan
from sweep.cluster.room import NoRoomError
from sweep.cluster.session import session
from sweep.cluster.tune import run_trials
from sweep.cluster.waiting import wait_for_room
from sweep.config.levels import shift_of
from sweep.config.search import TURNS, SearchSettings
from sweep.config.settings import StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError, WorkError, told, within
from sweep.core.failures import AGAIN
from sweep.core.objective import terms
from sweep.core.records import Cell, EpochRecord, TrialRecord, is_missing
from sweep.core.saying import say as _say
from sweep.core.stages import stage
from sweep.core.text import SHOWN, as_written, number_of
from sweep.learn.checkpoints import CheckpointInfo
from sweep.learn.fit import is_over
from sweep.learn.stress import cells_of
from sweep.metrics import metric_of
from sweep.remote.places import known_place, shown
from sweep.results import choice, differences, slice_columns, sweep_file
from sweep.results.callbacks import Callback, replay_to_end
from sweep.results.delivery import check_notify
from sweep.results.folder import SweepFolder
from sweep.results.leftovers import clear_leftovers
from sweep.results.notify import notifying
from sweep.results.place import take_place
from sweep.results.progress import Progress
from sweep.results.rows import lost_rows, missing_rows, refuse_other_modes
from sweep.results.trackers import MLFLOW, check_trackers, make_tracker, start_trackers
from sweep.results.trials import TrialLog
from sweep.results.usage import Usage, said_of_limit
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study, Suggestion
from sweep.store import Store
from sweep.terminal import Screen, on_screen


@dataclass(frozen=True)
class SweepResult:
    """Where a sweep is.

    Attributes:
        path: The path of its folder.
        experiment: Its name in MLflow.
        tracking_uri: The tracking URI of MLflow, without a password; None where it is not told of
            the sweep.
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


@checked_arguments
def run(config: SweepConfig, out: str | Path | None = None) -> SweepResult:
    """Run a new sweep to its end, or until a limit is reached.

    Args:
        config: What to search.
        out: Folder to make; None: ``sweeps/<name>``.

    Raises:
        UserError: A setting is wrong, the folder exists, another process begins a sweep in it, the
            search is one of earlier versions, the data cannot carry the sweep, there is nothing to
            learn of the earlier sweep, the cluster is too small, or this process uses Ray already.
        WorkError: No trial came to a result.
        UnfinishedError: The trials have ended, and not all finalists did, see ``outcome``.
        KeyboardInterrupt: After the folder was left in a state that ``resume`` continues.

    """
    if not isinstance(config, SweepConfig):
        raise UserError(
            "run takes a SweepConfig",
            as_written(config),
            "make one by SweepConfig.from_yaml(path), or by SweepConfig.from_dict(settings)",
        )
    config = SweepConfig.from_dict(config.to_plain())  # a script may have made it of anything
    path = folder_of(config, out)
    with on_screen() as screen:
        return _begin(config, path, screen)


def _begin(config: SweepConfig, path: Path, screen: Screen) -> SweepResult:
    """See ``run``."""
    stage("looking at what the sweep needs")
    refuse_vanishing(path, "the sweep's folder", "add --out /shared/...")
    SweepFolder.refuse_existing(path)
    refuse_unwritable(path)
    _refuse_turns(config.search)
    for one in config.notify:
        check_notify(one)
    refuse_small_machine(config.cluster)
    make_store(config.data, _say)
    store = open_data(config)
    _show_places(screen, config, path)
    places_of(config, store)  # what is wrong with them is better said now than in the end
    config, levels = bind(config, store, _say)
    for line in about_evidence(config, store):
        _say(f"note: {line}")
    if config.search.from_:
        told_by(config)  # refused here, before there is a folder
    with session(config.cluster, _command(path), known_place(path) / sweep_file.FILE):
        plan = wait_for_room(config.cluster, _say)
        record = levels_text(levels.record) if levels else None
        with SweepFolder.begun(path, config, record) as folder:
            return _drive_on(folder, config, store, plan, screen)


@checked_arguments
def resume(
    path: str | Path,
    more: int = 0,
    limits: Mapping[str, float | None] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> SweepResult:
    """Continue an interrupted sweep where it stopped, or add trials to a finished one.

    A sweep that has used up a limit gets no trial until the limit is raised.

    Args:
        path: The path of the sweep's folder.
        more: Trials to add to those it was to have.
        limits: Those of ``search.limits`` that change, by name; a limit that is None is lifted.
        changes: Settings of where the sweep runs and who is told of it, by dotted name.

    Raises:
        UserError: Not a sweep's folder, another process at work on it, a stress test that is not
            the one that its trials were scored by, modes with other settings than the rows that
            it has, trials to add or limits to set where a limit is used up all the same, or as in
            ``run``.
        WorkError, UnfinishedError, KeyboardInterrupt: See ``run``.

    """
    with on_screen() as screen:
        return _go_on(path, more, limits, changes, screen)


def _go_on(
    path: str | Path,
    more: int,
    limits: Mapping[str, float | None] | None,
    changes: Mapping[str, Any] | None,
    screen: Screen,
) -> SweepResult:
    """See ``resume``."""
    stage("reading the sweep's folder")
    folder = SweepFolder.open(path, driving=True)
    with folder.lock():
        clear_leftovers(folder)
        take_place(folder, _say)
        config = folder.config().replace(changes or {})
        _show_places(screen, config, folder.path)
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
        if not more and not limits and not changes and _is_all_done(folder, config):
            _say("all of it is done: the trackers are told again what they lack")
            return _drive_on(folder, config, store, None, screen)
        with session(config.cluster, _command(path)):
            plan = wait_for_room(config.cluster, _say)
            if more or limits or changes:
                folder.write_config(config)
            return _drive_on(folder, config, store, plan, screen)


def ended(path: Path) -> SweepResult | None:
    """Where a sweep is in which there is nothing left to do, without a cluster; None: there is.

    ``choice.json`` is written when all is done that is to be done of trials. One that is older than
    the record of a trial is that of an earlier end.

    Raises:
        UserError: Not a sweep's folder.
        WorkError: No trial came to a result.

    """
    folder = SweepFolder.open(path)
    config = folder.config()
    if not _is_all_done(folder, config):
        return None
    return _result(folder, config, Usage(folder, config))


def _is_all_done(folder: SweepFolder, config: SweepConfig) -> bool:
    """Whether nothing is left to train, to score or to choose."""
    trials = folder.trials()
    under_way = any(one.status == "running" or one.failure in AGAIN for one in trials)
    if under_way or len(trials) < config.search.total or missing_rows(folder, config):
        return False
    return choice.is_newest(folder) and not lacks_finalists(folder, config)


def outcome(path: Path) -> SweepResult:
    """What the trials of a sweep came to, however far what follows them is.

    Raises:
        UserError: Not a sweep's folder.
        WorkError: No trial came to a result.

    """
    folder = SweepFolder.open(path)
    config = folder.config()
    return _result(folder, config, Usage(folder, config))


def sync_folder(path: Path) -> int:
    """Replay a sweep's folder into its trackers; how many trials it has.

    Raises:
        UserError: Not a sweep's folder, or a sweep that is running.
        WorkError: A tracker does not take it.

    """
    folder = SweepFolder.open(path, driving=True)
    with folder.lock():
        take_place(folder, _say)
        config = folder.config()
        check_trackers(config)
        total = config.search.total
        with TrialLog(folder, config.search.objective, total=total) as trial_log:
            finished = trial_log.is_whole()
        differences.keep_measured(folder, config, _say)
        for name in config.tracking.to:
            _sync(name, folder, config, finished)
    return len(trial_log.records)


def _show_places(screen: Screen, config: SweepConfig, path: Path) -> None:
    """Where the results go, from the start."""
    screen.fact("folder", shown(path))
    if MLFLOW in config.tracking.to:
        uri = config.tracking.shown(known_place(path))
        screen.fact("MLflow", f"{uri}, experiment {config.name!r}")


def _command(path: str | Path) -> str:
    """What continues the sweep in a folder."""
    return f"mrisweep resume {shown(path)}"


def _sync(name: str, folder: SweepFolder, config: SweepConfig, finished: bool) -> None:
    try:
        replay_to_end(make_tracker(name, folder, config), folder, finished)
    except (UserError, WorkError) as error:
        raise within(f"{name} does not take the sweep", error) from error
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


def _drive_on(
    folder: SweepFolder, config: SweepConfig, store: Store, plan: Plan | None, screen: Screen
) -> SweepResult:
    """Drive the sweep; where its places are lost, go on as ``resume`` does once there are others.

    Args:
        folder: Of the sweep.
        config: The sweep.
        store: Its data.
        plan: Where its workers have room; None: nothing should be left for them.
        screen: Where it is shown.

    Raises:
        WorkError: There were none within ``cluster.wait``; or see ``run``.

    """
    slice_columns.keep_columns(folder.path, store, (*config.data.validation, *config.data.test))
    with notifying(folder, config, _say) as notifiers:
        while True:
            try:
                result = _drive(folder, config, store, plan, notifiers, screen)
                clear_leftovers(folder)  # of workers that died, or were ended as they hung
                break
            except NoRoomError:
                plan = wait_for_room(config.cluster, _say, again=True)
        for notifier in notifiers:
            notifier.finished(result.limit)
    return result


def _drive(
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    plan: Plan | None,
    notifiers: Sequence[Callback],
    screen: Screen,
) -> SweepResult:
    stage("reading what the folder has of trials")
    search = config.search
    fidelity = Fidelity(search, config.train.epochs)
    about = {
        "mrisweep": folder.identity.code_version,
        "data_fingerprint": config.data.fingerprint or "",
    }
    study = Study(folder.journal, config.name, search, config.seed, config.train.epochs, about)
    if search.from_ and not study.has_learnt():
        study.learn_from(search.from_, told_by(config))
    mend(folder, study, config, _say)
    _reconcile(folder, study, config, fidelity)
    scheduler = StratifiedScheduler.of(search, config.train.epochs)
    if scheduler is not None:
        ended = [one.trial for one in folder.trials() if one.status != "running"]
        scheduler.replay(_reports(folder, study, config), ended)
    waiting = {name: one.epoch for name, one in scheduler.waiting.items()} if scheduler else {}
    progress = Progress(screen, search, config.train.epochs, folder.trials(), waiting)
    screen.show(progress)
    if unmade := lost_rows(folder, config):
        progress.say(
            f"note: {number_of(len(unmade), 'row')} of modes cannot be made, as checkpoints are "
            f"not there, such as that of {unmade[0].trial.trial}, {unmade[0].gone}"
        )
    trackers = start_trackers(folder, config, progress.say)
    callbacks: list[Callback] = [*trackers, *notifiers, progress]
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
            with _room(folder, config, plan) as room:
                run_trials(folder, config, room, searcher, scheduler, trial_log, usage, progress)
    result = _result(folder, config, usage)
    if result.limit is None:
        stage("choosing the best configuration")
        folder.refresh()
        choice.keep_measured(folder, _say)
        lost = {one.name for one in trackers if one.lacks}
        follow_up(folder, config, store, without=lost)
        tidy(folder, config)
    return result


@contextmanager
def _room(folder: SweepFolder, config: SweepConfig, plan: Plan | None) -> Iterator[Plan]:
    """Where workers have room, found now where there was to be no work, and there is."""
    if plan is not None:
        yield plan
        return
    with session(config.cluster, _command(folder.path)):
        yield wait_for_room(config.cluster, _say)


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
                trial_log.reported(record.trial, epoch.epoch, epoch)
                values = config.search.values(fidelity(epoch.epoch, epoch.metrics))
                if status == "running" and not any(map(is_missing, values)):
                    study.report(record.number, epoch.epoch, *values)
            if status != "running":
                trial_log.ended(record.trial, status)


def _refuse_other_stress(folder: SweepFolder, stress: StressSettings) -> None:
    """Trials are comparable where every cell shows the same pixels; a checkpoint says which."""
    places = (folder.checkpoints(trial.trial) for trial in folder.each_trial())
    for path in (one for place in places for one in sorted(place.glob("epoch-*.pt"))):
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
    """What the scheduler was shown, in that order; what nobody heard of comes last.

    It was not shown the end of a trial that ended by itself, nor may the driver have heard of that.
    Clocks may have been set meanwhile, and differ between nodes: the journal says the order.
    """
    places = study.heard()
    shown = _shown_to_scheduler(folder, study, config)
    yield from sorted(
        shown, key=lambda one: (places.get((one[0].number, one[1].epoch), math.inf), one[1].epoch)
    )


def _shown_to_scheduler(
    folder: SweepFolder, study: Study, config: SweepConfig
) -> Iterator[tuple[Suggestion, EpochRecord]]:
    """Scores are left out: of thousands of trials they do not fit into memory."""
    search = config.search
    named = {name for one in (search.objective, *search.maximised) for name in terms(one)}
    of = [metric_of(name) for name in named]
    needed = None if None in of else {metric.name for metric in of if metric}
    for trial in folder.each_trial():
        suggestion = study.suggestion(trial.number)
        epochs = [
            replace(one, scores=(), screened=()) for one in folder.epochs(trial.trial, needed)
        ]
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
    uri = tracking.shown(folder.path) if MLFLOW in tracking.to else None
    search = config.search
    return SweepResult(
        folder.path, config.name, uri, search.objective, search.objectives, failed, limit
    )

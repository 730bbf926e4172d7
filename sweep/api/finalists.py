"""Finalists of a sweep: chosen, planned, trained again with new seeds, and asked on unseen data."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

from sweep.api.preflight import most_context, open_data, used_artifacts
from sweep.cluster.finalists import run_finalists
from sweep.cluster.session import session
from sweep.cluster.staging import serving
from sweep.cluster.waiting import workers_at_a_time
from sweep.cluster.watch import StoreWatch
from sweep.config.finalists import FinalistSettings
from sweep.config.levels import bound_knobs
from sweep.config.settings import LevelKnobs
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, within
from sweep.core.finals import TEST, VALIDATION, FinalistRecord, Place
from sweep.core.saying import say as _say
from sweep.core.stages import stage
from sweep.core.text import number_of
from sweep.learn.context import require_neighbours
from sweep.learn.drawable import require_drawable
from sweep.learn.finalist import slices_of
from sweep.learn.levels import with_levels
from sweep.results import differences
from sweep.results.callbacks import InThread
from sweep.results.finalists import FinalistFolder, Plan, chosen, note_access, runs_of
from sweep.results.folder import SweepFolder
from sweep.results.leftovers import clear_leftovers
from sweep.results.place import take_place
from sweep.results.trackers import trackers_of_aftermath
from sweep.store import Store
from sweep.store.bound import open_bound
from sweep.terminal import on_screen

COMMAND = "mrisweep finalists"
RESUME = "mrisweep resume"  # where they follow the trials, as does what comes after them


def finalists(path: str | Path, changes: Mapping[str, Any] | None = None) -> list[FinalistRecord]:
    """Train the best configurations of a sweep again and score them once on unseen slices.

    What is there already is not done again; a larger plan adds to it.

    Args:
        path: The folder of the sweep, whose trials have ended.
        changes: Settings of ``finalists`` that change, by name.

    Returns:
        What each training came to, in the order of the plan.

    Raises:
        UserError: Not a sweep's folder, another process at work on it, trials that have not ended,
            no unseen slices, settings that do not go with the plan that was begun, or slices of
            another place that the training slices have, too.
        UnfinishedError: Some did not come to an end; the others are in the folder.
        KeyboardInterrupt: What is in the folder is kept; the same call goes on.

    """
    folder = SweepFolder.open(path, driving=True)
    with folder.lock(), on_screen() as screen:
        screen.fact("folder", folder.place)
        clear_leftovers(folder)
        take_place(folder, _say)
        config = _configured(folder, changes or {})
        _refuse_unended(folder)
        store = open_data(config)
        follow_up(folder, config, store, session(config.cluster, f"{COMMAND} {path}"))
    return FinalistFolder(folder).records()


def places_of(config: SweepConfig, store: Store) -> tuple[tuple[Place, ...], list[Store]]:
    """Where the finalists of a sweep will be scored, each with its store; nowhere without any.

    Args:
        config: The sweep, before it runs.
        store: Its own data.

    Raises:
        UserError: A store of elsewhere that does not do, see ``finalists``.

    """
    settings = config.finalists
    return ((), []) if settings is None else _places(config, settings, store)


def lacks_finalists(folder: SweepFolder, config: SweepConfig) -> bool:
    """Whether a sweep is to have finalists that have not come to their end."""
    if config.finalists is None:
        return False
    plan = FinalistFolder(folder).plan()
    if plan is None or plan.settings != config.finalists:
        return True
    return len(FinalistFolder(folder).records()) < len(plan.runs)


def follow_up(
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    cluster: AbstractContextManager[object] | None = None,
    without: Collection[str] = (),
) -> None:
    """Do what follows the trials, and tell the trackers, as the only process on the folder.

    Args:
        folder: Whose trials have ended.
        config: The sweep as resolved.
        store: Its own data.
        cluster: A session that is entered where there is something to do, without which nobody is
            told; None: one is open, trials have ended in it, and so there are news.
        without: Trackers that were given up before, and are left to `mrisweep sync`.

    Raises:
        UnfinishedError: Finalists did not come to an end; the same call goes on.

    """
    trackers: list[InThread] = []
    with ExitStack() as stack:

        def start() -> None:
            started = trackers_of_aftermath(folder, config, _say, without)
            trackers.extend(stack.enter_context(started))

        def tell(record: FinalistRecord) -> None:
            if not trackers:  # of a sweep that has any: they start with the first news
                start()
            for tracker in trackers:
                tracker.finalist(record)

        if cluster is None:
            start()
        drive_finalists(folder, config, store, cluster, tell)
        differences.keep_measured(folder, config, _say)
        for tracker in trackers:
            tracker.concluded()


def drive_finalists(
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    cluster: AbstractContextManager[object] | None = None,
    tell: Callable[[FinalistRecord], None] = lambda record: None,
) -> None:
    """Plan, and do what the plan lacks, as the only process on the folder.

    Args:
        folder: Whose trials have ended.
        config: The sweep.
        store: Its data.
        cluster: A session that is entered where there is something to do; None: one is open.
        tell: Told what each training came to.

    Raises:
        UnfinishedError: See ``run_finalists``.

    """
    settings = config.finalists
    if settings is None:
        return
    known = FinalistFolder(folder)
    places, stores = _places(config, settings, store)
    plan = known.plan()
    if plan is None or plan.settings != settings:
        before = plan
        plan = _planned(folder, config, settings, places, stores, before)
        asked = ", ".join(place.name for place in plan.places[1:])
        if new := len(plan.runs) - (len(before.runs) if before else 0):
            note_access(folder, COMMAND, asked, new)
        known.write_plan(plan)
    lacking = [run for run in plan.runs if known.record(run.name) is None]
    if not lacking:
        return
    if other := list(_other_places(plan, places, "fingerprint")):
        raise _begun_otherwise(folder, other)
    with ExitStack() as stack:
        screen = stack.enter_context(on_screen())
        in_all, done = len(plan.runs), len(plan.runs) - len(lacking)

        def count(done: int, total: int, latest: FinalistRecord) -> None:
            stage(f"training finalists, {done} of {total} done")
            screen.tell(f"{latest.run.name} {latest.run.norm}  |  finalists: {done} of {total}")
            tell(latest)

        if cluster is not None:
            stack.enter_context(cluster)
        # There is no pool of evaluators now: its share is theirs.
        workers = workers_at_a_time(config.cluster, _say, again=cluster is None)
        staging = [stack.enter_context(serving(one, config.cluster)) for one in stores]
        again = f"{RESUME if cluster is None else COMMAND} {folder.place}"
        used = [] if config.cluster.stage else list({one.path: one for one in stores}.values())
        on_stores = [StoreWatch(one) for one in used]
        stage(f"training finalists, {done} of {in_all} done")
        run_finalists(folder, config, plan, staging, workers, count, _say, again, on_stores)
        folder.refresh()


def _configured(folder: SweepFolder, changes: Mapping[str, Any]) -> SweepConfig:
    config = folder.config()
    if config.finalists is not None and not changes:
        return config
    known = config.finalists.to_plain() if config.finalists else {}
    config = config.replace({"finalists": {**known, **changes}})
    folder.write_config(config)
    return config


def _refuse_unended(folder: SweepFolder) -> None:
    running = [trial.trial for trial in folder.trials() if trial.status == "running"]
    if running:
        raise UserError(
            "finalists are chosen once all trials have ended",
            f"{len(running)} that have not, such as {running[0]}",
            f"run `mrisweep resume {folder.path}` first",
        )


def _places(
    config: SweepConfig, settings: FinalistSettings, store: Store
) -> tuple[tuple[Place, ...], list[Store]]:
    """The validation slices, the test slices, and those of elsewhere, each with its store."""
    searched = config.stress.artifacts
    met = {*used_artifacts(config)}
    held_out = settings.held_out(met)
    own = {VALIDATION: config.data.validation, TEST: config.data.test}
    places = [
        Place(
            name,
            str(store.path),
            store.fingerprint,
            splits,
            searched,
            () if name == VALIDATION else held_out,
        )
        for name, splits in own.items()
        if splits
    ]
    stores = [store] * len(places)
    for external in settings.external:
        try:
            there = open_bound(external.store, external.fingerprint)
        except UserError as error:
            raise within(f"finalists.external {external.name}", error) from error
        place = Place(
            external.name,
            str(there.path),
            there.fingerprint,
            external.splits,
            searched,
            held_out,
        )
        _refuse_other_labels(store, there, external.name)
        _refuse_seen(config, store, there, place)
        places.append(place)
        stores.append(there)
    for place, there in zip(places, stores, strict=True):
        rows = slices_of(there, place)
        names = (*place.artifacts, *place.holdout)
        require_neighbours(there, rows, most_context(config))
        require_drawable(there, rows, names, config.stress.options, config.data.scan_draws)
    return tuple(places), stores


def _refuse_other_labels(store: Store, there: Store, name: str) -> None:
    own, theirs = (list(one.label_names) for one in (store, there))
    if own != theirs or store.task != there.task:
        raise UserError(
            f"the store of finalists.external {name} has other labels or another task than the "
            f"sweep's, {own} ({store.task})",
            f"{theirs} ({there.task}) in {there.path}",
            "make a store with the sweep's labels",
        )


def _refuse_seen(config: SweepConfig, store: Store, there: Store, place: Place) -> None:
    """Refuse slices of elsewhere that were trained or chosen on."""
    seen_rows = store.indices((*config.data.train, *config.data.validation))
    rows = slices_of(there, place)
    if there.fingerprint == store.fingerprint:
        patients = set(store.patients[seen_rows]) & set(there.patients[rows])
        if patients:
            raise UserError(
                f"patients of finalists.external {place.name} are trained or validated on",
                f"{len(patients)}, such as {str(min(patients))!r}",
                "give splits that the sweep does not use",
            )
        return
    seen = {store.content_digest(int(row)) for row in seen_rows}
    same = [int(row) for row in rows if there.content_digest(int(row)) in seen]
    if same:
        raise UserError(
            f"slices of finalists.external {place.name} are trained or validated on",
            f"{len(same)}, such as {str(there.keys[same[0]])!r}",
            "give a store without them",
        )
    namesakes = set(store.patients[seen_rows]) & set(there.patients[rows])
    if namesakes:
        _say(
            f"note: {number_of(len(namesakes), 'patient')} of finalists.external {place.name} are "
            f"named as some that were trained or validated on, such as {min(namesakes)!r}: if they "
            "are the same people, use splits or a store without them"
        )


def _planned(
    folder: SweepFolder,
    config: SweepConfig,
    settings: FinalistSettings,
    places: Sequence[Place],
    stores: Sequence[Store],
    before: Plan | None,
) -> Plan:
    """The plan; one that was begun is added to, and what it means by a score stays."""
    rows = chosen(folder, config, settings)
    if not rows:
        raise UserError(
            "no trial of the sweep has a score, and so there are no finalists",
            f"{folder.path}",
            "run the sweep again with other settings",
        )
    used = {trial.seed for trial in folder.trials()}
    runs = {run.name: run for run in runs_of(rows, settings.new_seeds(used))}
    if before is None:
        return Plan(settings, tuple(runs.values()), tuple(places), _knobs(config, places, stores))
    if other := [*_other_rule(before, settings), *_other_places(before, places)]:
        raise _begun_otherwise(folder, other)
    stated = ("primary", "margin", "reference")
    changed = [name for name in stated if getattr(before.settings, name) != getattr(settings, name)]
    if changed:
        raise UserError(
            "what finalists are to answer was stated before they were asked, and stays",
            f"another finalists.{', finalists.'.join(changed)}",
            f"put it back as it is in {FinalistFolder(folder).path / 'plan.json'}; `mrisweep "
            "compare` answers other questions",
        )
    both = {run.name: run for run in before.runs} | runs
    return Plan(settings, tuple(both.values()), tuple(places), before.knobs)


def _other_rule(before: Plan, settings: FinalistSettings) -> Iterator[str]:
    if before.settings.rule != settings.rule:
        yield f"rule {settings.rule} instead of {before.settings.rule}"


def _other_places(before: Plan, places: Iterable[Place], *parts: str) -> Iterator[str]:
    """What is asked of finalists elsewhere, or otherwise; the same data may lie elsewhere by now.

    Args:
        before: The plan that was begun.
        places: Those of now.
        parts: What may not differ of a place; none: all but the path of its store.

    """
    then, now = ({one.name: one for one in group} for group in (before.places, places))
    for name in dict.fromkeys((*then, *now)):
        if name not in now:
            yield f"no {name} any more"
        elif name not in then:
            yield f"{name}, which was not there"
        else:
            for part in parts or (one.name for one in fields(Place) if one.name != "store"):
                old, new = getattr(then[name], part), getattr(now[name], part)
                if old != new:
                    yield f"{part} {_listed(new)} of {name} instead of {_listed(old)}"


def _listed(value: str | Sequence[object]) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value)) or "none"


def _begun_otherwise(folder: SweepFolder, other: Sequence[str]) -> UserError:
    return UserError(
        "finalists that were begun are scored by the same rule, on the same data, to their end",
        "; ".join(other),
        f"put finalists back as they are in {FinalistFolder(folder).path / 'plan.json'}, or run "
        "the sweep in another folder",
    )


def _knobs(
    config: SweepConfig, places: Iterable[Place], stores: Sequence[Store]
) -> dict[str, LevelKnobs]:
    """What the levels of every artifact mean, calibrated where the grid leaves it open."""
    names = tuple(dict.fromkeys(name for place in places for name in place.holdout))
    stress, levels = with_levels(config.stress, config.data, names, stores[0], _say)
    for remark in levels.remarks(stress.levels) if levels else ():
        _say(f"levels: {remark}")
    return bound_knobs(stress, (*config.stress.artifacts, *names))

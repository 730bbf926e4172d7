"""``best`` for scripts and for the command line: from paths, whatever the rows come from."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

from sweep.config.arms import group_of
from sweep.config.search import SearchSettings
from sweep.config.tracking import address, check_address
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError, WorkError, within
from sweep.core.mirrors import named
from sweep.core.objective import terms, value_of
from sweep.core.records import TRAINED, is_missing
from sweep.core.states import INTERRUPTED, RUNNING
from sweep.metrics import metric_for
from sweep.remote.address import uri_of
from sweep.results import advice, choice_file, ranking
from sweep.results.choice_file import Choice
from sweep.results.locks import driven
from sweep.results.ranking import Ranked
from sweep.results.render import path_names, shown_metrics
from sweep.results.retraining import command
from sweep.results.savings import savings
from sweep.results.summary import Summary, damage_of, summary
from sweep.results.sweep_file import Asked, asked, opened
from sweep.results.unlike import forbids, unlike, unlike_text
from sweep.results.where import Where, names_in
from sweep.stats.by_group import plain
from sweep.stats.grouping import Grouping, require_min
from sweep.stats.optimism import Optimism

DEFAULT = SearchSettings().objective  # where nothing says what the sweep's own one was

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Found:
    """What was found where it was looked for.

    Attributes:
        rows: Every trial that has a best epoch, in all its modes.
        by: What to rank by.
        objectives: The two metrics that a Pareto front is of; empty: there is none.
        sweeps: The trials of each sweep whose folder was asked; none of a tracking server.
        asked: What each sweep was asked for, by the path of its folder, of those on this machine.
        choices: What the choice of the best of each is worth, by the path of its folder, where that
            is known.
        damaged: What is wrong with files that would say it.
        settings: What each sweep of a tracking server was set to, by the path of its folder.

    """

    rows: list[Ranked]
    by: str
    objectives: tuple[str, ...]
    sweeps: tuple[Summary, ...] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    damaged: tuple[UserError, ...] = ()
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def unread(self) -> list[UserError | WorkError]:
        """What is wrong with files that cannot be read, those of trials last: they are no rows."""
        return [*self.damaged, *damage_of(self.sweeps)]


@checked_arguments
def best(
    path: Paths,
    by: str | None = None,
    norm: str | None = None,
    where: str | Sequence[str] = (),
    top: int | None = None,
    mode: str | None = None,
    pareto: bool = False,
    per_norm: bool = False,
    groups: str | None = None,
    bands: Sequence[float] = (),
    min_patients: int | None = None,
) -> list[Ranked]:
    """The ranked configurations of sweeps' folders, see ``sweep.results.ranking.best``.

    Args:
        path: The sweep's folder, or those of several, whose trials are ranked together.
        by: The metric to rank by; None: the sweep's own objective. With ``pareto`` two metrics,
            ``A,B``; None: the sweep's own objectives.
        norm: The one norm to keep; None: all.
        where: Conditions such as ``clean/auroc>=0.9``, ``train.lr<1e-3`` or ``norm==group``, all
            of which must hold, see ``sweep.results.where``.
        top: The number of rows to keep at most; None: all, or with ``per_norm`` one of each norm.
        mode: The one mode to keep, such as ``trained``; None: all.
        pareto: Whether to keep the Pareto front of two objectives alone, sorted by the first.
        per_norm: Whether to keep the best ``top`` of each norm.
        groups: A column of the store, such as ``site``: each row gets what it scores on the slices
            of each of its values, see ``sweep.results.by_group``; None: none.
        bands: Where bands of a column of numbers begin, see ``sweep.stats.grouping.Grouping``.
        min_patients: So many patients have to show each label, and as many not, for a score of a
            group; None: 10, as for an interval.

    Raises:
        UserError: No sweep's folder, ``pareto`` without two metrics or with ``per_norm``, sweeps
            whose scores cannot be compared or whose objectives differ, no such column or one that
            makes no groups, or see there.
        WorkError: The record of a trial is damaged, or the predictions that groups are scored by.

    """
    grouping = _grouping(groups, bands, min_patients)
    found = _whole(in_folders(path, by, pareto=pareto))
    kept = norm, [where] if isinstance(where, str) else where, top, mode
    rows = ranking.best(found.rows, found.by, *kept, found.objectives, pareto, per_norm)
    if grouping is not None:
        rows = grouped(rows, found.by, grouping, min_patients)
    return [replace(row, checkpoint=named(row.checkpoint)) for row in rows]


def _grouping(
    groups: str | None, bands: Sequence[float], min_patients: int | None
) -> Grouping | None:
    if groups is None and (bands or min_patients is not None):
        raise UserError(
            "bands and min_patients say how groups are made, and none are asked for",
            f"bands {tuple(bands)}, min_patients {min_patients}",
            "name a column by groups, or leave them out",
        )
    return None if groups is None else Grouping(groups, tuple(bands))


def grouped(
    rows: Sequence[Ranked], by: str, grouping: Grouping, min_patients: int | None = None
) -> list[Ranked]:
    """Rows with what each scores in groups of slices, by the metric that they are ranked by.

    Args:
        rows: Of folders on this machine.
        by: What they are ranked by.
        grouping: Which groups.
        min_patients: See ``best``.

    Raises:
        UserError: No such column, or one that makes no groups, or ``min_patients`` below 1.
        WorkError: Predictions or the table of slices are damaged.

    """
    from sweep.results.by_group import with_groups  # reads predictions, which needs torch

    return with_groups(rows, grouping, metric_for(by), require_min(min_patients))


def _whole(found: Found) -> Found:
    """What was found, where no trial is missing: a script would not see a remark."""
    for error in damage_of(found.sweeps):
        raise error
    return found


def in_folders(
    path: Paths,
    by: str | None = None,
    where: Sequence[str] = (),
    pareto: bool = False,
    for_table: bool = False,
) -> Found:
    """The trials of sweeps' folders, and what to rank them by.

    Trials whose records are damaged are left out, see ``Found.unread``.

    Args:
        path: And the rest: see ``best``.
        by: See there.
        where: See there.
        pareto: See there.
        for_table: Whether a table is made of them, so that metrics that it does not show may be
            left out, which is faster.

    Raises:
        UserError: See there.
        WorkError: See there.

    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    if not paths:
        raise UserError("no sweep is asked", "no folder", "name one or more")
    folders = list(dict.fromkeys(opened(one) for one in paths))
    of = [asked(folder) for folder in folders]
    _refuse_incomparable(folders, of)
    own = {one.search.objective for one in of}
    if by is None and len(own) > 1:
        raise UserError(
            "the objectives of the sweeps differ", ", ".join(sorted(own)), "say which by --by"
        )
    pairs = {one.search.objectives for one in of}
    both = pairs.pop() if len(pairs) == 1 else ()
    first, objectives = what_to_rank_by(by, of[0].search.objective, both, pareto)
    by_path = dict(zip(map(str, folders), of, strict=True))
    conditions = [Where.parse(text).name for text in where]
    must = {*terms(first), *objectives, *conditions}
    if for_table:
        names = {*must, *shown_metrics(first, objectives), *chain.from_iterable(map(_needed, of))}
        sweeps = [summary(folder, names) for folder in folders]
        rows = _rows(sweeps)
        if must <= {name for row in rows for name in row.metrics} or must <= names_in(rows):
            return Found(rows, first, objectives, tuple(sweeps), by_path, *_kept(by_path))
        # Something is asked for that is nowhere: it is refused with all names that there are.
    sweeps = [summary(folder) for folder in folders]
    return Found(_rows(sweeps), first, objectives, tuple(sweeps), by_path, *_kept(by_path))


def on_server(uri: str, experiment: str, by: str | None = None, pareto: bool = False) -> Found:
    """The trials of an experiment on a tracking server, and what to rank them by.

    Args:
        uri: The address of the server, without a password, or ``env``: that is in
            ``MLFLOW_TRACKING_URI``.
        experiment: The name of the experiment.
        by: See ``best``.
        pareto: See there.

    Raises:
        UserError: No such experiment, no server there, an address with a password, or ``pareto``
            without two metrics.

    """
    check_address(uri, "--mlflow")
    uri = address(uri, "--mlflow")
    objective = ranking.objective_of_server(uri, experiment) or DEFAULT
    objectives = ranking.objectives_of_server(uri, experiment)
    what = what_to_rank_by(by, objective, objectives, pareto)
    rows = ranking.of_server(uri, experiment)
    here = {folder: _asked_if_here(folder) for folder in sorted({row.folder for row in rows})}
    known = {folder: of for folder, of in here.items() if of}
    settings = ranking.settings_of_server(uri, experiment)
    return Found([*_as_driven(rows, known)], *what, (), known, *_kept(known), settings)


def _as_driven(rows: Iterable[Ranked], here: Collection[str]) -> Iterator[Ranked]:
    """A server says that a trial runs until it is told otherwise; a folder knows who drives it."""
    still = cache(lambda folder: driven(Path(folder)) is not False)
    for row in rows:
        if row.status == RUNNING and row.folder in here and not still(row.folder):
            yield replace(row, status=INTERRUPTED)
        else:
            yield row


def _kept(folders: Iterable[str]) -> tuple[dict[str, Choice], tuple[UserError, ...]]:
    """What is kept of the choice of the best of sweeps, and what is wrong where it is damaged."""
    choices, damaged = {}, []
    for folder in folders:
        try:
            if (kept := choice_file.kept(Path(folder))) is not None:
                choices[folder] = kept
        except UserError as error:
            damaged.append(error)
    return choices, tuple(damaged)


def as_json(rows: Iterable[Ranked], found: Found) -> list[dict[str, Any]]:
    """Rows as JSON has them.

    Beside what a row has, each has the ``folder`` of its sweep, the ``command`` that trains it
    again (null where the folder is not on this machine), and ``choice``: of the best trial of its
    sweep by the sweep's objective, and of the best of each norm, what choosing it is worth; of
    others null.

    Args:
        rows: To be shown, of ``found``.
        found: All that was found.

    """
    worth: dict[tuple[str, str], dict[str, Any]] = {}
    for folder in {row.folder for row in rows} & found.choices.keys():
        own = [row for row in found.rows if row.folder == folder]
        objective = found.asked[folder].search.objective
        worth |= _choices(folder, found.choices[folder], objective, own)
    return [
        {
            **asdict(replace(row, groups=None)),
            "groups": row.groups and plain(row.groups),
            "checkpoint": named(row.checkpoint),
            "folder": named(row.folder),
            "command": of and named(command(row, of)),
            "choice": worth.get((row.folder, row.trial)) if row.mode == TRAINED else None,
        }
        for row in rows
        for of in [found.asked.get(row.folder)]
    ]


def _choices(
    folder: str, kept: Choice, objective: str, rows: Sequence[Ranked]
) -> dict[tuple[str, str], dict[str, Any]]:
    """What is known of the choice of the best of a sweep, and of each norm, by folder and trial."""
    scored = [row for row in rows if not is_missing(value_of(row.metrics, objective))]
    rank = partial(ranking.best, scored, objective, mode=TRAINED)
    of_norm = {
        row.trial: kept.norms.get(group_of(row.params, row.norm)) for row in rank(per_norm=True)
    }
    of_sweep = {row.trial: kept.best for row in rank(top=1)}
    told = {name: getattr(kept, name) for name in ("objective", "trials", "epochs", "reason")}
    return {
        (folder, trial): {
            **told,
            "of_sweep": _plain(of_sweep, trial),
            "of_norm": _plain(of_norm, trial),
        }
        for trial in of_norm
    }


def _plain(found: Mapping[str, Optimism | None], trial: str) -> dict[str, float] | None:
    worth = found.get(trial)
    return worth and worth._asdict()


def hypervolumes(path: str | Path, by: str | None = None) -> dict[str | None, float]:
    """How much of the square from 0 to 1 of two objectives the trials of a sweep cover together.

    Args:
        path: The sweep's folder.
        by: Two metrics, ``A,B``; None: the sweep's own objectives.

    Returns:
        Of all trials under None, then of those of each norm under its name.

    Raises:
        UserError: No sweep's folder, or not two metrics.

    """
    found = _whole(in_folders(path, by, pareto=True))
    return ranking.hypervolumes(found.rows, found.objectives)


def what_to_rank_by(
    by: str | None, objective: str, objectives: tuple[str, ...], pareto: bool
) -> tuple[str, tuple[str, ...]]:
    """What rows are sorted by, and the two metrics that their Pareto front is of, if any.

    Args:
        by: As asked.
        objective: The sweep's own.
        objectives: The sweep's own two; empty: it has one.
        pareto: Whether the front alone is asked for.

    Raises:
        UserError: A front of anything but two metrics.

    """
    if not pareto:
        return by or objective, objectives
    two = objectives if by is None else tuple(name.strip() for name in by.split(","))
    if len(set(two)) != 2 or len(two) != 2:
        raise UserError(
            "a Pareto front is of two different metrics",
            by or f"a sweep with the one objective {objective}",
            "name them, such as --by clean/auroc,robust/auroc_mean",
        )
    return two[0], two


def remarks(path: str | Path) -> list[str]:
    """What a colleague would remark on the search in a sweep's folder, a line each.

    What early stopping saved, a best value near the end of its range, a norm that mostly diverged
    or has few trials, a winner at its first or last epoch.

    Raises:
        UserError: No sweep's folder.
        WorkError: The record of a trial is damaged.

    """
    folder = opened(path)
    of = asked(folder)
    return remarks_on(summary(folder, _needed(of)).whole(), of)


def remarks_on(sweep: Summary, of: Asked) -> list[str]:
    """As ``remarks``, on trials that were read already."""
    saved = savings(of.search, of.epochs, sweep.trials, sweep.last_reported)
    return [
        *([saved] if saved else []),
        *advice.remarks(of.search, of.epochs, sweep.trials, of.caution),
    ]


def choice_lines(found: Found, norm: str | None = None) -> dict[str, str]:
    """What the choice of the best of each sweep is worth, where that is what was ranked by.

    Args:
        found: Where it was looked for.
        norm: Within one norm; None: of all trials.

    Returns:
        By the path of the sweep's folder; nothing before a sweep has ended, and of one that an
        earlier version ended.

    """
    lines = {}
    for folder, kept in found.choices.items():
        of = found.asked[folder].search
        if of.objective == found.by and (line := choice_file.choice_text(kept, norm)):
            lines[folder] = line
    return lines


def doubts(found: Found) -> list[str]:
    """Why rows of a tracking server may not be comparable, and what differs, a line each.

    An experiment has the runs of every sweep of its name; of folders that are asked, sweeps that
    cannot be compared are refused.
    """
    folders = list(dict.fromkeys(row.folder for row in found.rows))
    if found.sweeps or len(folders) < 2:
        return []
    names = path_names(folders)
    set_to = {names[one]: found.settings[one] for one in folders if found.settings.get(one)}
    differing = unlike(set_to)
    doubt = None
    if away := [folder for folder in folders if folder not in found.asked]:
        if len(set_to) < len(folders):
            doubt = (
                f"the experiment has {len(folders)} sweeps, and whether their scores can be "
                f"compared is not known, as {away[0]} is not on this machine"
            )
        elif forbidding := list(filter(forbids, differing)):
            said = unlike_text(forbidding, set_to)
            doubt = f"the scores of the sweeps cannot be compared, as they differ in {said}"
            differing = [one for one in differing if one not in forbidding]
    else:
        doubt = _refusal(folders, found.asked)
    more = [f"the sweeps differ in {unlike_text(differing, set_to)}"] if differing else []
    return [*([doubt] if doubt else []), *more]


def _refusal(folders: Sequence[str], of: Mapping[str, Asked]) -> str | None:
    try:
        _refuse_incomparable(list(map(Path, folders)), [of[one] for one in folders])
    except UserError as error:
        return str(error)
    return None


def _rows(sweeps: Iterable[Summary]) -> list[Ranked]:
    return [row for one in sweeps for row in ranking.of_trials(one.path, one.trials)]


def _needed(of: Asked) -> set[str]:
    """The metrics that a remark on a sweep may rest on."""
    conditions = (one.metric for one in of.search.conditions())
    return {*terms(of.search.objective), *of.search.objectives, *conditions}


def _refuse_incomparable(folders: Sequence[Path], of: Sequence[Asked]) -> None:
    first = of[0].compared
    for folder, other in zip(folders[1:], of[1:], strict=True):
        if other.compared == first:
            continue
        # What the sweep's levels mean needs artifacts and torch; mostly the sections are the same.
        from sweep.results.comparable import refuse_incomparable
        from sweep.results.folder import SweepFolder

        try:
            refuse_incomparable(SweepFolder(folders[0]).config(), SweepFolder(folder).config())
        except UserError as error:
            raise within(f"{folders[0]} and {folder}", error) from None


def _asked_if_here(folder: str) -> Asked | None:
    """Of a folder on this machine; a bucket is not asked for the sake of a line."""
    try:
        return None if uri_of(folder) else asked(opened(folder))
    except UserError:
        return None

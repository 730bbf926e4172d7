"""Which configuration is the most robust: asked of a sweep's folder, or of a tracking server."""

import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweep.config.arms import group_of
from sweep.core.errors import UserError, nearest
from sweep.core.modes import checkpoint_mode
from sweep.core.objective import leading, terms, value_of
from sweep.core.pareto import Point, hypervolume, ranks
from sweep.core.records import (
    SCREEN,
    TRAINED,
    Basis,
    Cell,
    TrialRecord,
    is_missing,
    is_screened,
    scores_in,
    screened,
    without_missing,
)
from sweep.learn.checkpoint_files import checkpoint_name
from sweep.metrics.table import sign
from sweep.results.states import states_in
from sweep.results.summary import summary
from sweep.results.sweep_file import opened
from sweep.results.where import Where, require_names
from sweep.stats.by_group import ByGroup

Interval = tuple[float, float]


@dataclass(frozen=True)
class Ranked:
    """One trial at its best epoch, in one mode.

    Attributes:
        trial: The name of the trial.
        norm: The norm of its network.
        seed: The seed of its weights and batches.
        epoch: The number of its best epoch.
        params: The searched values by dotted name.
        checkpoint: The path of the best epoch's checkpoint, which its mode works with.
        metrics: The summary of that epoch; a missing value is absent.
        intervals: 95 % intervals, bootstrap over patients; none while the trial runs.
        status: Where it stands, one of ``sweep.core.states.OF_TRIALS``.
        mode: How the checkpoint's network is used, see ``sweep.core.modes``.
        collapsed: The cells in which it collapsed, see ``sweep.metrics.collapse``; None: nobody
            has looked.
        pareto_rank: Of two objectives, its rank among the rows that it was ranked with: 0 is the
            Pareto front, see ``sweep.core.pareto``; None: of one objective, or a missing value.
        basis: What the intervals rest on, or why there are none; None: not known.
        groups: What it scores in groups of slices; None: that was not asked.

    """

    trial: str
    norm: str
    seed: int
    epoch: int
    params: dict[str, Any]
    checkpoint: str
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    status: str
    mode: str = TRAINED
    collapsed: tuple[Cell, ...] | None = None
    pareto_rank: int | None = None
    basis: Basis | None = None
    groups: ByGroup | None = None

    @property
    def folder(self) -> str:
        """The path of the sweep's folder, in which the checkpoint lies."""
        return self.checkpoint.rsplit(os.sep, 3)[0]


def of_folder(path: Path, names: Collection[str] | None = None) -> list[Ranked]:
    """The trials of a sweep's folder that have a best epoch, by number, each in all its modes.

    Args:
        path: The folder.
        names: The metrics that are needed; others may be left out. None: all.

    Raises:
        UserError: No sweep's folder.
        WorkError: The record of a trial is damaged.

    """
    folder = opened(path)
    return of_trials(folder, summary(folder, names).whole().trials)


def of_trials(folder: Path, trials: Iterable[TrialRecord]) -> list[Ranked]:
    """Those of a sweep's trials that have a best epoch, each in all its modes.

    Raises:
        UserError: Its ``sweep.yaml`` cannot be read.
        WorkError: A bucket does not answer.

    """
    trials = list(trials)
    states = states_in(folder, trials)
    scored = (record for record in trials if record.best_epoch is not None)
    return [
        row for record in scored for row in _from_record(str(folder), record, states[record.trial])
    ]


def of_server(uri: str, experiment: str) -> list[Ranked]:
    """The trials of an experiment on a tracking server that have a best epoch, in all modes.

    Raises:
        UserError: No such experiment, or no server there.

    """
    from sweep.results.mlflow.reader import read_trials  # MLflow takes a second to import

    return read_trials(uri, experiment)


def objective_of_server(uri: str, experiment: str) -> str | None:
    """The objective of the newest sweep of an experiment; None where there is no sweep.

    Raises:
        UserError: No such experiment, or no server there.

    """
    from sweep.results.mlflow.reader import read_objective

    return read_objective(uri, experiment)


def objectives_of_server(uri: str, experiment: str) -> tuple[str, ...]:
    """The two objectives of the newest sweep of an experiment; none where it has one.

    Raises:
        UserError: No such experiment, or no server there.

    """
    from sweep.results.mlflow.reader import read_objectives

    return read_objectives(uri, experiment)


def settings_of_server(uri: str, experiment: str) -> dict[str, dict[str, str]]:
    """What each sweep of an experiment was set to, by its folder; empty where it is not known.

    Raises:
        UserError: No such experiment, or no server there.

    """
    from sweep.results.mlflow.reader import read_settings

    return read_settings(uri, experiment)


def best_of_groups(rows: Iterable[Ranked], by: str, count: int) -> list[Ranked]:
    """The best of each norm, or of each arm, group after group, best first.

    Those that were scored in full go first; where a group has too few of them, the best of those
    that were only screened follow.

    Args:
        rows: Trials, each in one mode.
        by: A metric, or a weighted sum of some.
        count: How many of each at most.

    """
    groups: dict[str, list[Ranked]] = {}
    for row in rows:
        groups.setdefault(group_of(row.params, row.norm), []).append(row)

    def place(row: Ranked) -> tuple[bool, float, str]:
        return is_screened(row.metrics), -goodness(scores_in(row.metrics), by), row.trial

    return [row for _, own in sorted(groups.items()) for row in sorted(own, key=place)[:count]]


def best(
    rows: Iterable[Ranked],
    by: str,
    norm: str | None = None,
    where: Sequence[str] = (),
    top: int | None = None,
    mode: str | None = None,
    objectives: Sequence[str] = (),
    front: bool = False,
    per_norm: bool = False,
) -> list[Ranked]:
    """Filter and rank, best first; equal scores in the order of their trials and modes.

    Args:
        rows: Trials, from either source.
        by: What to rank by: a metric, or a weighted sum of some. Trials that were stopped after
            screenings alone are ranked by a ``screen/...`` metric, and by no other.
        norm: The one norm, or arm, to keep; None: all.
        where: Conditions such as ``clean/auroc>=0.9`` or ``train.lr<1e-3``, all of which must hold,
            see ``sweep.results.where``.
        top: The number of rows to keep at most; None: all, or one of each norm or arm.
        mode: The one mode to keep; None: all.
        objectives: Two metrics by which the rows that are kept get their ``pareto_rank``.
        front: Whether to keep their Pareto front alone.
        per_norm: Whether ``top`` counts for each norm, or arm, by itself.

    Raises:
        UserError: A metric, a norm or a mode that no trial has, a condition that is none, ``top``
            < 1, ``front`` with ``per_norm``.

    """
    if front and per_norm:
        raise UserError(
            "a Pareto front and the best of each norm are two questions",
            "both",
            "ask one of them, or for the front of one norm",
        )
    rows = list(rows)
    # Scores of unequal fidelity are never ranked together.
    found = [row for row in rows if is_screened(row.metrics) == by.startswith(SCREEN)]
    known = {name for row in found for name in row.metrics}
    if top is not None and top < 1:
        raise UserError("--top is below 1", top, "give 1 or more")
    if found and norm is not None:
        names = {name for row in rows for name in (row.norm, group_of(row.params, row.norm))}
        if norm not in names:
            raise UserError("no trial has this norm", f"{norm!r}", nearest(norm, names))
    if found and mode is not None and mode not in {row.mode for row in found}:
        raise UserError(
            "no trial is scored in this mode", f"{mode!r}", nearest(mode, {r.mode for r in found})
        )
    conditions = [Where.parse(text) for text in where]
    if found:
        _refuse_other_fidelity(conditions, rows, by)
        require_names(conditions, found)
        asked = [by] if by in known else terms(by)
        for name in (*asked, *objectives):
            _require_metric(name, known)
    kept = [
        row
        for row in found
        if norm in (None, row.norm, group_of(row.params, row.norm))
        and mode in (None, row.mode)
        and all(condition.holds(row) for condition in conditions)
    ]
    if objectives:
        kept = _with_ranks(kept, objectives)
    if front:
        kept = [row for row in kept if row.pareto_rank == 0]
    order = sorted(
        kept, key=lambda row: (-goodness(row.metrics, by), row.folder, row.trial, row.mode)
    )
    return _of_each_norm(order, 1 if top is None else top) if per_norm else order[:top]


def _refuse_other_fidelity(conditions: Iterable[Where], rows: Iterable[Ranked], by: str) -> None:
    """Rows have the scores of one fidelity alone: a condition on another could hold for none."""
    of_screenings = by.startswith(SCREEN)
    others = {
        name for row in rows if is_screened(row.metrics) != of_screenings for name in row.metrics
    }
    for one in conditions:
        if one.name not in others or one.name.startswith(SCREEN) == of_screenings:
            continue
        if of_screenings:
            raise UserError(
                f"{by} ranks the trials that were screened alone, which have no scores of a full "
                "test",
                f"--where {one.name!r}",
                f"ask for {screened(one.name)}, or leave --by out",
            )
        raise UserError(
            "the trials that are ranked were scored in full, and only those that were screened "
            "alone have scores of screenings",
            f"--where {one.name!r}",
            f"ask for {one.name.removeprefix(SCREEN)}, or rank the screened trials by "
            f"--by {screened(leading(by))}",
        )


def _of_each_norm(rows: Iterable[Ranked], most: int) -> list[Ranked]:
    """The first rows of each norm, or of each arm, in the order of all."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        group = group_of(row.params, row.norm)
        seen[group] += 1
        if seen[group] <= most:
            kept.append(row)
    return kept


def hypervolumes(rows: Iterable[Ranked], objectives: Sequence[str]) -> dict[str | None, float]:
    """How much of the square from 0 to 1 the trials cover together, see ``sweep.core.pareto``.

    Modes, which only some norms have, do not count.

    Args:
        rows: Trials, from either source.
        objectives: Two metrics.

    Returns:
        Of all trials under None, then of those of each norm under its name.

    """
    points: dict[str | None, list[Point]] = {None: []}
    for row in sorted(rows, key=lambda row: row.norm):
        if row.mode == TRAINED and is_screened(row.metrics) == objectives[0].startswith(SCREEN):
            for whose in (None, row.norm):
                points.setdefault(whose, []).append(point_of(row.metrics, objectives))
    return {whose: hypervolume(own) for whose, own in points.items()}


def point_of(metrics: Mapping[str, float], objectives: Sequence[str]) -> Point:
    """The objectives as numbers of which more is better."""
    return tuple(goodness(metrics, name) for name in objectives)


def goodness(values: Mapping[str, float], objective: str) -> float:
    """An objective as a number of which more is better; a missing one is below all others."""
    value = value_of(values, objective)
    return -math.inf if is_missing(value) else sign(objective) * value


def leads(record: TrialRecord, best: TrialRecord | None, objective: str) -> bool:
    """Whether a trial is the best so far, beside the one that was; it may be that very one."""
    if best is None or best.trial == record.trial:
        return True
    return goodness(record.metrics, objective) > goodness(best.metrics, objective)


def _with_ranks(rows: Sequence[Ranked], objectives: Sequence[str]) -> list[Ranked]:
    found = ranks([point_of(row.metrics, objectives) for row in rows])
    return [replace(row, pareto_rank=rank) for row, rank in zip(rows, found, strict=True)]


def _from_record(folder: str, record: TrialRecord, state: str) -> Iterator[Ranked]:
    files = f"{folder}{os.sep}checkpoints{os.sep}{record.trial}{os.sep}"
    epoch = int(record.best_epoch or 0)
    trained = Ranked(
        trial=record.trial,
        norm=record.norm,
        seed=record.seed,
        epoch=epoch,
        params=record.params,
        checkpoint=files + checkpoint_name(epoch),
        metrics=without_missing(record.metrics),
        intervals=record.intervals,
        status=state,
        collapsed=record.collapsed,
        basis=record.basis,
    )
    yield trained
    for mode, row in record.modes.items():
        yield replace(
            trained,
            checkpoint=files + checkpoint_name(row.epoch, checkpoint_mode(mode)),
            metrics=without_missing(row.metrics),
            intervals=row.intervals,
            mode=mode,
            collapsed=row.collapsed,
            basis=row.basis,
        )


def _require_metric(name: str, known: set[str]) -> None:
    if name not in known:
        raise UserError("no trial has this metric", f"{name!r}", nearest(name, known))

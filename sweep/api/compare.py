"""Two trials, norms, evaluation modes or sweeps compared on the same patients."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sweep.api.compare_norms import compare_norms
from sweep.config.arms import RULE, group_of
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, nearest
from sweep.core.finals import VALIDATION
from sweep.core.records import CLEAN, TRAINED
from sweep.metrics import Metric, metric_for
from sweep.results.answers import best_trial, is_sweep, of_trial
from sweep.results.by_group import Dealt
from sweep.results.comparable import refuse_incomparable
from sweep.results.folder import SweepFolder
from sweep.results.slice_columns import column_of
from sweep.results.summary import summary
from sweep.stats.comparison import Compared, ComparedByGroup, Comparison, GroupCompared
from sweep.stats.difference import (
    Answers,
    Difference,
    differences,
)
from sweep.stats.grouping import Grouping, require_min
from sweep.stats.groups import differences_by_group
from sweep.stats.multiplicity import max_t

NOTHING = (float("nan"), float("nan"))


def compare(
    path: str | Path,
    a: str,
    b: str,
    metric: str | None = None,
    place: str | None = None,
    grouping: Grouping | None = None,
    min_patients: int | None = None,
) -> Comparison:
    """Compare two trials, modes, norms, arms or sweeps.

    Args:
        path: The folder of a sweep.
        a: A trial (``trial-0003``), a trial in a mode (``trial-0003:blend``), a norm (``batch``) or
            in a sweep of arms an arm, the folder of a sweep, which stands for its best trial, or a
            rule (``by:clean/auroc``): the finalist that is the best by this score on validation
            patients, in the mean over seeds.
        b: Another, of the same kind; the difference is ``a`` less ``b``.
        metric: By which; None: that of the sweep's objective.
        place: Of norms, where their finalists are asked; None: ``test`` if there are finalists,
            else the validation slices, on the trials of the search.
        grouping: Groups of slices in which the two are compared besides; None: none.
        min_patients: So many patients of a group have to show each label, and as many not; None:
            as many as an interval takes.

    Raises:
        UserError: No such sweep, trial, mode, norm, arm, metric, place or column; two of unlike
            kinds; other patients, slices, cells or knob values; a column that makes no groups.
        WorkError: Predictions or the table of slices are damaged.

    """
    asked = grouping, require_min(min_patients)
    folder = SweepFolder.open(path)
    config = folder.config()
    chosen = metric_for(config.search.objective, metric)
    trials = summary(folder.path).trials  # a damaged record of another trial is none of these
    norms = sorted({group_of(trial.params, trial.norm) for trial in trials})
    are_norms = [name in norms or name.startswith(RULE) for name in (a, b)]
    if a == b:
        raise UserError("the two are the same", f"{a!r}", "name two that differ")
    if all(are_norms):
        return compare_norms(folder, config, a, b, chosen, place, *asked)
    if any(are_norms):
        raise UserError(
            "a norm or an arm is compared with another, and a trial with a trial",
            f"{a!r} and {b!r}",
            f"give two of {', '.join(norms)}, or two trials",
        )
    if place not in (None, VALIDATION):
        raise UserError(
            "trials are compared on the validation slices, on which they were scored",
            f"--at {place}",
            "compare norms there, of which finalists were asked",
        )
    known = [*norms, *(trial.trial for trial in trials)]
    one, other = (_of_trial(folder, config, name, known) for name in (a, b))
    found = _trials(a, b, one, other, chosen)
    return _with_groups(found, folder, one, other, chosen, *asked)


def _of_trial(folder: SweepFolder, config: SweepConfig, name: str, known: Sequence[str]) -> Answers:
    if is_sweep(Path(name)):
        other = SweepFolder.open(Path(name))
        refuse_incomparable(config, other.config())
        return of_trial(other, best_trial(other))
    trial, _, mode = name.partition(":")
    if not trial.startswith("trial-"):
        raise UserError(
            "there is no such trial, norm or sweep",
            f"{name!r}",
            nearest(name, known),
        )
    return of_trial(folder, folder.trial(trial), mode or TRAINED)


def _trials(a: str, b: str, one: Answers, other: Answers, metric: Metric) -> Comparison:
    found = differences(metric, one, other)
    cells = [cell for cell in found.cells if cell != CLEAN]
    adjusted = _adjusted([found.cells[cell] for cell in cells])
    if found.overall is None:
        raise UserError("there are no stressed cells", f"{a} and {b}", "take other trials")
    summaries = [_compared(metric.clean, "", 0, found.cells[CLEAN])]
    summaries += [
        _compared(metric.robust("mean"), name, 0, value) for name, value in found.artifacts.items()
    ]
    summaries += [
        _compared(metric.robust("mean"), "", level, value) for level, value in found.levels.items()
    ]
    notes = [
        "both trainings are held fixed: this is the difference of these two networks, not that of "
        "their norms, and other seeds would give another one"
    ]
    if found.overall.reason:
        notes.append(f"there is neither an interval nor a P: {found.overall.reason}")
    return Comparison(
        a=a,
        b=b,
        unit="patients",
        place=VALIDATION,
        basis=found.basis,
        primary=_compared(metric.robust("mean"), "", 0, found.overall),
        summaries=tuple(summaries),
        cells=tuple(
            _compared(metric.stress(cell.artifact), *cell, found.cells[cell], p)
            for cell, p in zip(cells, adjusted, strict=True)
        ),
        notes=tuple(notes),
    )


def _with_groups(
    found: Comparison,
    folder: SweepFolder,
    one: Answers,
    other: Answers,
    metric: Metric,
    grouping: Grouping | None,
    least: int | None,
) -> Comparison:
    if grouping is None:
        return found
    dealt = Dealt.of(grouping, column_of(folder.path, grouping.column), one.keys)
    said = differences_by_group(metric, one, other, dealt.groups, dealt.order, dealt.column, least)
    groups = tuple(
        GroupCompared(
            own.group,
            own.slices,
            own.basis,
            tuple(
                _compared(score, "", 0, value, own.p_adjusted[score])
                for score, value in own.differences.items()
            ),
        )
        for own in said.groups
    )
    return replace(found, groups=ComparedByGroup(said.column, groups, said.gaps, said.shared))


def _compared(
    score: str, artifact: str, level: int, found: Difference, adjusted: float | None = None
) -> Compared:
    low, high, df = found.interval()
    return Compared(
        score=score,
        artifact=artifact,
        level=level,
        first=found.one,
        second=found.other,
        difference=found.value,
        interval=(low, high),
        df=df,
        p=found.p,
        p_adjusted=found.p if adjusted is None else adjusted,
        reason=found.reason,
    )


def _adjusted(found: Sequence[Difference]) -> list[float]:
    """P of each cell for all cells together; a cell without a P has none, and counts as no test."""
    adjusted = np.full(len(found), np.nan)
    tested = [at for at, one in enumerate(found) if one.reason is None]
    if tested:
        draws = np.stack([found[at].estimate.draws for at in tested], axis=-1)
        adjusted[tested] = max_t(np.array([found[at].p for at in tested]), draws)
    return [float(p) for p in adjusted]

"""What a report rests on, gathered once: the sweep, its trials, its finalists, and the tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from sweep.config.arms import RULE, group_of
from sweep.config.finalists import FinalistSettings, PrimarySettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.finals import VALIDATION, FinalistRecord
from sweep.core.records import CLEAN, Cell, TrialRecord
from sweep.metrics import Metric, metric_for, metric_of
from sweep.results.by_group import TrainingsByGroup, by_group, column_at
from sweep.results.finalists import FinalistFolder, Plan, chosen_by
from sweep.results.folder import SweepFolder
from sweep.results.slice_columns import column_names
from sweep.results.trainings import (
    Trainings,
    by_rules,
    by_scores,
    effects,
    place_of,
    trainings_at,
)
from sweep.stats.effects import NormDifference, NormEffects
from sweep.stats.grouping import Grouping
from sweep.stats.multiplicity import holm
from sweep.store import Store


@dataclass(frozen=True)
class CellDifference:
    """A group less the reference in one cell.

    Attributes:
        cell: Which.
        group: Which norm or arm.
        difference: By the mixed model.
        p: Of this cell alone.
        p_holm: Over all cells and groups that are shown together.

    """

    cell: Cell
    group: str
    difference: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class At:
    """One place, such as the test slices.

    Attributes:
        place: Its name.
        found: Every training there.
        by_score: What is said of norms or arms, by the name of a score.
        held_out: Artifacts that nothing was chosen by.
        reference: The norm or arm that others are compared with; None: each with each.
        margin: A difference that does not matter.
        higher_is_better: Of the metric.

    """

    place: str
    found: Trainings
    by_score: Mapping[str, NormEffects]
    held_out: tuple[str, ...]
    reference: str | None
    margin: float
    higher_is_better: bool

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, the clean images first."""
        return tuple(self.found.scored[0].cells)

    def values(self, group: str, cell: Cell) -> list[float]:
        """The score of each training of a group in a cell."""
        return [one.cells[cell].value for one in self.found.scored if one.group == group]

    def seeds(self, group: str, cell: Cell) -> list[float]:
        """By seed, the mean over the configurations of a group in a cell."""
        own: dict[int, list[float]] = {}
        for one in self.found.scored:
            if one.group == group:
                own.setdefault(one.seed, []).append(one.cells[cell].value)
        return [float(np.mean(values)) for values in own.values()]

    def band(self, group: str, cell: Cell) -> tuple[float, float]:
        """95 % of the mean over a group's trainings, of resampled patients alone."""
        own = [one.cells[cell].draws for one in self.found.scored if one.group == group]
        mean = np.mean(own, axis=0)
        if np.isnan(mean).mean() > 0.05:
            return float("nan"), float("nan")
        low, high = np.nanquantile(mean, [0.025, 0.975])
        return float(low), float(high)

    @cached_property
    def cell_differences(self) -> tuple[CellDifference, ...]:
        """Every group less the reference in every cell, P adjusted over all of them."""
        found: list[tuple[Cell, NormDifference]] = []
        for cell in self.cells:
            if cell != CLEAN and self.reference is not None:
                pairs = [(one, one.cells[cell]) for one in self.found.scored]
                refused = self.found.basis.reason
                said = effects(pairs, self.margin, self.reference, self.higher_is_better, refused)
                found += [(cell, one) for one in said.differences if one.second == self.reference]
        adjusted = holm([one.p for _, one in found])
        return tuple(
            CellDifference(cell, one.first, one.difference, one.p, p)
            for (cell, one), p in zip(found, adjusted, strict=True)
        )


@dataclass(frozen=True)
class Primary:
    """The one comparison that was stated before the sweep.

    Attributes:
        stated: How.
        found: What came of it; None where there is nothing to say.
        reason: Why there is not; else what is to be known of it.

    """

    stated: PrimarySettings
    found: NormDifference | None
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """All that a report says, as values.

    Attributes:
        folder: The sweep.
        config: As it was run.
        metric: Of whose scores differences are.
        trials: Every trial.
        plan: That of the finalists; None: there are none.
        records: What each training of a finalist came to.
        places: Where they were asked; the one that counts first. Without finalists, the
            validation slices.
        primary: The one comparison that was stated before; None: none was.
        store: The data; None where they are not to be had.
        remarks: What cannot be shown, and why.
        by_column: By a column of the slices, the trainings of the first place in each group.

    """

    folder: SweepFolder
    config: SweepConfig
    metric: Metric
    trials: Sequence[TrialRecord]
    plan: Plan | None
    records: Sequence[FinalistRecord]
    places: Sequence[At]
    primary: Primary | None
    store: Store | None
    remarks: list[str] = field(default_factory=list)
    by_column: Mapping[str, TrainingsByGroup] = field(default_factory=dict)

    def said_of(self, found: Trainings) -> dict[str, NormEffects]:
        """What is said of norms or arms by trainings on some slices of the first place."""
        return by_scores(found, self.first.margin, self.first.reference, self.metric)

    @property
    def first(self) -> At:
        """The place that counts."""
        return self.places[0]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The norms or arms that have a score, in the order of the sweep file."""
        known = {one.group for one in self.first.found.scored}
        named = [group for group in self.config.groups() if group in known]
        return (*named, *sorted(known - set(named)))

    @cached_property
    def asked_finalists(self) -> bool:
        """Whether what is shown was said by finalists, and not by trials of the search."""
        return any(record.metrics for record in self.records)

    @property
    def kind(self) -> str:
        """What is compared: ``arm`` or ``norm``."""
        return "arm" if self.config.search.arms else "norm"

    @property
    def others(self) -> tuple[str, ...]:
        """All groups but the reference."""
        return tuple(group for group in self.groups if group != self.first.reference)


def gather(
    folder: SweepFolder,
    metric: str | None = None,
    columns: Sequence[str] | None = None,
    bands: Sequence[float] = (),
) -> Evidence:
    """Read a sweep and make every test of its report.

    Args:
        folder: A sweep, with finalists or without.
        metric: By which it is reported; None: that of its objective.
        columns: Columns whose values are groups; None: those that the user kept with the slices, as
            far as they make groups.
        bands: Where bands of those that are of numbers begin; none: each value is a group.

    Raises:
        UserError: No trial has a score, an unknown metric, or no such column or one that makes no
            groups.

    """
    config = folder.config()
    chosen = metric_for(config.search.objective, metric)
    known = FinalistFolder(folder)
    plan, records = known.plan(), known.records()
    settings = (plan.settings if plan else config.finalists) or FinalistSettings()
    names = [place_of(folder)]
    if plan and any(record.metrics for record in records):
        names += [one.name for one in plan.places if one.name not in (names[0], VALIDATION)]
        names += [VALIDATION] if names[0] != VALIDATION else []
    places = [_at(folder, chosen, name, plan, settings) for name in names]
    store, remarks = _store(config)
    by_column, of_columns = _by_column(folder, chosen, places[0].place, columns, bands)
    return Evidence(
        folder=folder,
        config=config,
        metric=chosen,
        trials=folder.trials(),
        plan=plan,
        records=records,
        places=places,
        primary=_primary(folder, settings, places, bool(plan), chosen),
        store=store,
        remarks=[*remarks, *of_columns],
        by_column=by_column,
    )


def _by_column(
    folder: SweepFolder,
    metric: Metric,
    place: str,
    columns: Sequence[str] | None,
    bands: Sequence[float],
) -> tuple[dict[str, TrainingsByGroup], list[str]]:
    """The trainings in each group, and what columns that nobody named do not show, and why."""
    found: dict[str, TrainingsByGroup] = {}
    remarks = []
    for column in column_names(folder.path) if columns is None else columns:
        try:
            grouping = Grouping.with_bands(column, column_at(folder, place, column).values(), bands)
            own = by_group(folder, metric, place, grouping)
        except UserError as error:
            if columns is not None:
                raise
            wrong, received, _ = error.args
            remarks.append(f"scores by {column}, as {wrong} ({received})")
            continue
        if len(own.groups) > 1 or columns is not None:
            found[column] = own
        else:
            (only,) = own.groups
            remarks.append(f"scores by {column}: all slices at {place} are of {only.group}")
    return found, remarks


def _at(
    folder: SweepFolder, metric: Metric, name: str, plan: Plan | None, settings: FinalistSettings
) -> At:
    found = trainings_at(folder, metric, name)
    groups = {one.group for one in found.scored}
    reference = settings.reference if settings.reference in groups else None
    return At(
        place=name,
        found=found,
        by_score=by_scores(found, settings.margin, reference, metric),
        held_out=next((p.holdout for p in plan.places if p.name == name), ()) if plan else (),
        reference=reference,
        margin=settings.margin,
        higher_is_better=metric.higher_is_better,
    )


def _primary(
    folder: SweepFolder,
    settings: FinalistSettings,
    places: Sequence[At],
    asked: bool,
    metric: Metric,
) -> Primary | None:
    stated = settings.primary
    if stated is None:
        return None
    at = next((one for one in places if one.place == stated.place), None)
    if at is None or not asked:
        return Primary(stated, None, f"no finalist has been asked at {stated.place}")
    own = metric_of(stated.score) or metric
    found, reason = at.found, ""
    if own != metric:  # the page is by another metric than what was stated
        found = trainings_at(folder, own, stated.place)
    if stated.score not in found.scored[0].scores:
        tested = ", ".join(found.scored[0].scores)
        return Primary(stated, None, f"{stated.score} is none of {tested}, which are tested")
    rules = [name for name in stated.between if name.startswith(RULE)]
    if rules:
        chosen = {chosen_by(FinalistFolder(folder), rule.removeprefix(RULE)) for rule in rules}
        if len(chosen) < len(rules):
            (trial,) = chosen
            group = next(one.group for one in found.scored if one.config == trial)
            return Primary(
                stated,
                None,
                f"both choose {trial} ({group}), so that it makes no difference by which of them "
                "is chosen",
            )
        found = by_rules(folder, found, rules)
        reason = "; ".join(found.notes[: len(rules)])
    known = {one.group for one in found.scored}
    if missing := [name for name in stated.between if name not in known]:
        return Primary(stated, None, f"no training of {', '.join(missing)} has a score")
    pairs = [(one, one.scores[stated.score]) for one in found.scored]
    first, second = stated.between
    refused = found.basis.reason
    said = effects(pairs, at.margin, second, own.higher_is_better, refused, [(first, second)])
    answer = next((one for one in said.differences if one.first == first), None)
    return Primary(stated, answer, reason if answer else "; ".join(said.notes))


def _store(config: SweepConfig) -> tuple[Store | None, list[str]]:
    """The data of the sweep, if they are where they were."""
    path = Path(config.data.store or "")
    try:
        store = Store.open(path)
    except UserError as error:
        return None, [f"The data cannot be opened ({error.args[0]}): counts and pictures lack them"]
    if config.data.fingerprint not in (None, store.fingerprint):
        return None, ["The data are others than those of the sweep: counts and pictures lack them"]
    return store, []


def group_of_trial(trial: TrialRecord) -> str:
    """What a trial is compared as."""
    return group_of(trial.params, trial.norm)


def group_of_record(record: FinalistRecord) -> str:
    """What a training of a finalist is compared as."""
    return group_of(record.run.params, record.run.norm)

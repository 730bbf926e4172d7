"""Every training of a sweep that is compared at a place, and the estimate of each of its scores.

Those of its finalists, or of a sweep without any the trials that were scored in full.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sweep.config.arms import RULE, group_of
from sweep.core.errors import UserError, WorkError, require_known
from sweep.core.finals import FIXED, HOLDOUT, TEST, VALIDATION
from sweep.core.records import CLEAN, Basis, Cell, TrialRecord, is_screened
from sweep.core.text import number_of
from sweep.metrics import Metric
from sweep.metrics.operating import operating_points
from sweep.results.answers import of_finalist, of_trial
from sweep.results.finalists import FinalistFolder, chosen_by, said_of_access
from sweep.results.folder import SweepFolder
from sweep.results.removed import Gone
from sweep.stats.checkpoint import basis_of, cells_of
from sweep.stats.difference import Answers, equal_weights, tail_weights
from sweep.stats.effects import NormEffects, norm_effects
from sweep.stats.estimate import Estimate, mean, resampled_patients, weighted
from sweep.stats.mixed import Run


class Training(NamedTuple):
    """One training.

    Attributes:
        group: What it is compared as: its norm, its arm, or a rule that chooses it.
        config: Its configuration.
        seed: Its seed.
        scores: The estimate of every summary.
        cells: The estimate of every cell.

    """

    group: str
    config: str
    seed: int
    scores: dict[str, Estimate]
    cells: dict[Cell, Estimate]


class Trainings(NamedTuple):
    """All trainings that are compared.

    Attributes:
        scored: Each.
        basis: The patients.
        notes: What a reader has to know.

    """

    scored: list[Training]
    basis: Basis
    notes: list[str]


def place_of(folder: SweepFolder) -> str:
    """Where a sweep is asked by default: on test slices if its finalists were, else validation."""
    plan = FinalistFolder(folder).plan()
    asked = FinalistFolder(folder).have_scores() and plan is not None
    return TEST if asked and plan and TEST in {p.name for p in plan.places} else VALIDATION


Part = Callable[[Answers], Answers]
"""The answers to some of the slices of a place."""


def trainings_at(
    folder: SweepFolder, metric: Metric, place: str, part: Part = lambda answers: answers
) -> Trainings:
    """All trainings of a sweep that are compared at a place.

    Args:
        folder: The sweep.
        metric: Of whose scores there are estimates.
        place: ``validation``, ``test``, or the name of an external store.
        part: On which of its slices; by default on all.

    Raises:
        UserError: No such place, or no score there.

    """
    found = _finalists if FinalistFolder(folder).have_scores() else _search
    return found(folder, metric, place, part)


def effects(
    found: Sequence[tuple[Training, Estimate]],
    margin: float,
    reference: str | None,
    higher_is_better: bool,
    refused: str | None,
    asked: Sequence[tuple[str, str]] | None = None,
) -> NormEffects:
    """What is said of norms or arms by one score of their trainings; see ``norm_effects``."""
    runs = [Run(one.group, one.config, one.seed, estimate.value) for one, estimate in found]
    draws = np.stack([estimate.draws for _, estimate in found])
    return norm_effects(
        runs,
        margin,
        reference,
        draws,
        higher_is_better=higher_is_better,
        asked=asked,
        refused=refused,
    )


def by_scores(
    found: Trainings, margin: float, reference: str | None, metric: Metric
) -> dict[str, NormEffects]:
    """What is said of norms or arms, by the name of a score; see ``effects``."""
    asked_of = margin, reference, metric.higher_is_better, found.basis.reason
    return {
        score: effects([(one, one.scores[score]) for one in found.scored], *asked_of)
        for score in found.scored[0].scores
    }


def _finalists(folder: SweepFolder, metric: Metric, place: str, part: Part) -> Trainings:
    """The finalists at a place."""
    finalists = FinalistFolder(folder)
    plan = finalists.plan()
    places = {one.name: one for one in plan.places} if plan else {}
    require_known("--at", (place,), places)
    scored: list[Training] = []
    basis: Basis | None = None
    first: dict[str, Answers] = {}
    for record in finalists.records():
        if not record.metrics:
            continue
        answers, there = (
            [of_finalist(finalists, record, where, epoch) for epoch in record.epochs]
            for where in (place, VALIDATION)
        )
        for where, said in ((place, answers), (VALIDATION, there)):
            _require_alike(record.run.name, said, first.setdefault(where, said[0]))
        answers = [part(one) for one in answers]
        parts = [
            _scores(metric, one, two, places[place].holdout, place)
            for one, two in zip(answers, there, strict=True)
        ]
        run = record.run
        group = group_of(run.params, run.norm)
        scored.append(Training(group, run.trial, run.seed, *_averaged(parts)))
        basis = basis or _basis(answers[0])
    return _found(folder, scored, basis, _about_finalists(folder, finalists))


def _about_finalists(folder: SweepFolder, finalists: FinalistFolder) -> Iterator[str]:
    records, plan = finalists.records(), finalists.plan()
    if lost := sum(not record.metrics for record in records):
        yield f"{lost} of {number_of(len(records), 'training')} diverged and have no score"
    if plan and (left := len(plan.runs) - len(records)):
        yield (
            f"{left} of {number_of(len(plan.runs), 'training')} are not finished: `mrisweep "
            "finalists` goes on"
        )
    if access := said_of_access(folder):
        yield access


def by_rules(folder: SweepFolder, found: Trainings, rules: Sequence[str]) -> Trainings:
    """The trainings of the finalist that each rule chooses, and those of norms or arms beside.

    Args:
        folder: The sweep.
        found: All trainings.
        rules: ``by:SCORE``, one or two of them; of two, those that they choose alone are left.

    Raises:
        UserError: No finalists, no such score, or two rules that choose the same.

    """
    chosen = {rule: chosen_by(FinalistFolder(folder), rule.removeprefix(RULE)) for rule in rules}
    if len(set(chosen.values())) < len(rules):
        raise UserError(
            "both rules choose the same finalist, so that nothing is to compare",
            f"{', '.join(rules)}: {next(iter(chosen.values()))}",
            "compare the finalist's norm or arm with another",
        )
    picked = [
        one._replace(group=rule)
        for rule, trial in chosen.items()
        for one in found.scored
        if one.config == trial
    ]
    groups = {one.config: one.group for one in found.scored}
    said = [f"{rule} chooses {trial} ({groups[trial]})" for rule, trial in chosen.items()]
    trials = set(chosen.values())  # which stand for themselves, and in no arm as well
    others = [one for one in found.scored if len(rules) == 1 and one.config not in trials]
    return found._replace(scored=[*others, *picked], notes=[*said, *found.notes])


def _search(folder: SweepFolder, metric: Metric, place: str, part: Part) -> Trainings:
    """The trials that were scored in full, on the validation slices."""
    if place != VALIDATION:
        raise UserError(
            "the sweep has no finalists, which alone are asked elsewhere",
            f"--at {place}",
            f"run `mrisweep finalists {folder.path}` first",
        )
    scored: list[Training] = []
    basis: Basis | None = None
    first: Answers | None = None
    trials = [
        one
        for one in folder.trials()
        if one.best_epoch is not None and not is_screened(one.metrics)
    ]
    _refuse_gone(folder, trials)
    for trial in trials:
        own = of_trial(folder, trial)
        first = first or own
        _require_alike(trial.trial, [own], first)
        own = part(own)
        estimates = _scores(metric, own, own, (), VALIDATION)
        group = group_of(trial.params, trial.norm)
        scored.append(Training(group, trial.trial, trial.seed, *estimates))
        basis = basis or _basis(own)
    kept = "" if folder.config().search.scheduler == "none" else "early stopping kept the best and "
    note = (
        f"these are trials of the search, on the validation slices: {kept}"
        "each stands at its best epoch, so that this describes the search; "
        f"`mrisweep finalists {folder.path}` answers for norms"
    )
    return _found(folder, scored, basis, [note])


def _require_alike(name: str, found: Iterable[Answers], first: Answers) -> None:
    """Raise ``WorkError`` unless a training was asked of the same slices as the first, and labels.

    They all were; a table that says otherwise is damaged, and means would be of unlike things.
    """
    for one in found:
        if (one.keys, one.labels) != (first.keys, first.labels):
            raise WorkError(
                "the predictions of a training are of other slices or labels than those of another",
                f"{number_of(len(one.keys), 'slice')} and {', '.join(one.labels)} of {name}",
                "restore its tables from a copy",
            )


def _refuse_gone(folder: SweepFolder, trials: Sequence[TrialRecord]) -> None:
    """Refuse to compare those that are left: which they are, their scores have decided."""
    lacking = [one for one in trials if not folder.has_predictions(one.trial, one.best_epoch or 0)]
    if lacking:
        name = lacking[0].trial
        path = f"predictions/{name}/epoch-{lacking[0].best_epoch:04d}.parquet"
        why = Gone(folder.path).why(path) or "no file"
        raise UserError(
            "the trials of the search cannot be compared, as predictions are not there",
            f"{len(lacking)} of {number_of(len(trials), 'trial')} without them, such as {name} "
            f"({why})",
            f"run `mrisweep finalists {folder.path}`, or compare two trials that have theirs",
        )


def _found(
    folder: SweepFolder, scored: Sequence[Training], basis: Basis | None, notes: Iterable[str]
) -> Trainings:
    if basis is None:
        raise UserError("no trial has a score yet", f"{folder.path}", "resume the sweep")
    return Trainings(list(scored), basis, list(notes))


def _basis(answers: Answers) -> Basis:
    return basis_of(answers.truth, answers.labels, answers.patients)


def _scores(
    metric: Metric, answers: Answers, there: Answers, holdout: Sequence[str], place: str
) -> tuple[dict[str, Estimate], dict[Cell, Estimate]]:
    """The summaries of a training, and its cells; ``there`` are its answers on validation."""
    cells = _estimates(metric, answers, len(set(answers.patients)))
    searched = [cell for cell in cells if cell.artifact not in holdout]
    found = {
        metric.clean: cells[CLEAN],
        metric.robust("mean"): _weighted(cells, equal_weights(searched)),
    }
    if place != VALIDATION:
        values = {c: one.value for c, one in _estimates(metric, there, None).items()}
        found[FIXED.format(metric.name)] = _weighted(cells, tail_weights(metric, values))
    held_out = [cell for cell in cells if cell.artifact in holdout]
    if held_out:
        found[f"{HOLDOUT}{metric.name}_mean"] = _weighted(cells, equal_weights(held_out))
    return found, cells


def _estimates(metric: Metric, answers: Answers, patients: int | None) -> dict[Cell, Estimate]:
    """The macro value of every cell; with resamples of that many patients, or none."""
    count = len(set(answers.patients))
    weights = np.ones((1, count)) if patients is None else resampled_patients(patients)
    points = answers.points
    if points is None:
        points = operating_points(answers.predictions, answers.truth, answers.labels)
    by_column = {n: points[label] for n, label in enumerate(answers.labels) if label in points}
    truth = answers.truth
    return cells_of(metric, answers.predictions, truth, answers.patients, by_column, weights)


def _weighted(cells: Mapping[Cell, Estimate], weights: Mapping[Cell, float]) -> Estimate:
    return weighted([cells[cell] for cell in weights], list(weights.values()))


def _averaged(
    parts: Sequence[tuple[dict[str, Estimate], dict[Cell, Estimate]]],
) -> tuple[dict[str, Estimate], dict[Cell, Estimate]]:
    """The mean over epochs of each score and cell."""
    scores = {name: mean([scores[name] for scores, _ in parts]) for name in parts[0][0]}
    cells = {cell: mean([cells[cell] for _, cells in parts]) for cell in parts[0][1]}
    return scores, cells

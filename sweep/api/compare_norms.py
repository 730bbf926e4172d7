"""Two norms or arms compared: by their finalists, or else by the trials of the search."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sweep.config.arms import RULE, group_of
from sweep.config.finalists import FinalistSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, require_known
from sweep.core.finals import FIXED, HOLDOUT, TEST, VALIDATION
from sweep.core.records import CLEAN, Basis, Cell, is_missing, is_screened
from sweep.metrics import Metric
from sweep.metrics.operating import operating_points
from sweep.results.answers import of_finalist, of_trial
from sweep.results.finalists import FinalistFolder, chosen_by, said_of_access
from sweep.results.folder import SweepFolder
from sweep.stats.checkpoint import basis_of, cells_of
from sweep.stats.comparison import Compared, Comparison
from sweep.stats.difference import Answers, equal_weights, tail_weights
from sweep.stats.effects import NormEffects, norm_effects
from sweep.stats.estimate import Estimate, mean, resampled_patients, weighted
from sweep.stats.mixed import Run
from sweep.stats.multiplicity import holm

NOTHING = (float("nan"), float("nan"))


class _Scored(NamedTuple):
    """One training: what it is, and the estimate of every score."""

    group: str
    config: str
    seed: int
    scores: dict[str, Estimate]
    cells: dict[Cell, Estimate]


class _Found(NamedTuple):
    """All trainings that are compared.

    Attributes:
        scored: Each.
        basis: The patients.
        notes: What a reader has to know.

    """

    scored: list[_Scored]
    basis: Basis | None
    notes: list[str]


def compare_norms(
    folder: SweepFolder, config: SweepConfig, a: str, b: str, metric: Metric, place: str | None
) -> Comparison:
    """Compare two norms or arms, or what rules choose; see ``sweep.api.compare.compare``."""
    plan = FinalistFolder(folder).plan()
    asked = plan is not None and any(r.metrics for r in FinalistFolder(folder).records())
    if place is None:
        place = TEST if asked and plan and TEST in {p.name for p in plan.places} else VALIDATION
    found = _finalists(folder, metric, place) if asked else _search(folder, metric, place)
    basis = found.basis
    if basis is None:
        raise UserError("no trial has a score yet", f"{folder.path}", "resume the sweep")
    if a.startswith(RULE) or b.startswith(RULE):
        found = _by_rules(folder, found, [name for name in (a, b) if name.startswith(RULE)])
    known = {one.group for one in found.scored}
    for name in (a, b):
        if name not in known:
            raise UserError(
                "no training of this norm or arm was scored in full",
                f"{name!r}",
                f"take one of {', '.join(sorted(known))}",
            )
    margin = (config.finalists or FinalistSettings()).margin
    scored, asked_of = found.scored, (margin, b, metric.higher_is_better)
    effects = {
        name: _effects([(one, one.scores[name]) for one in scored], *asked_of)
        for name in scored[0].scores
    }
    primary = metric.robust("mean")
    cells = {
        cell: _effects([(one, one.cells[cell]) for one in scored], *asked_of)
        for cell in scored[0].cells
        if cell != CLEAN
    }
    reason = [basis.reason] if basis.reason else []
    return Comparison(
        a=a,
        b=b,
        unit="configurations",
        place=place,
        basis=basis,
        primary=_compared(primary, "", 0, effects[primary], a, b),
        summaries=tuple(
            _compared(name, "", 0, one, a, b) for name, one in effects.items() if name != primary
        ),
        cells=_with_holm(
            [_compared(metric.stress(c.artifact), *c, one, a, b) for c, one in cells.items()]
        ),
        effects=effects,
        notes=tuple(dict.fromkeys([*found.notes, *effects[primary].notes, *reason])),
    )


def _finalists(folder: SweepFolder, metric: Metric, place: str) -> _Found:
    """The finalists at a place."""
    finalists = FinalistFolder(folder)
    plan = finalists.plan()
    places = {one.name: one for one in plan.places} if plan else {}
    require_known("--at", (place,), places)
    found = _Found([], None, [])
    for record in finalists.records():
        if not record.metrics:
            continue
        answers = [of_finalist(finalists, record, place, epoch) for epoch in record.epochs]
        there = [of_finalist(finalists, record, VALIDATION, epoch) for epoch in record.epochs]
        parts = [
            _scores(metric, one, two, places[place].holdout, place)
            for one, two in zip(answers, there, strict=True)
        ]
        run = record.run
        group = group_of(run.params, run.norm)
        found.scored.append(_Scored(group, run.trial, run.seed, *_averaged(parts)))
        found = found._replace(basis=found.basis or _basis(answers[0]))
    found.notes.extend(_about_finalists(folder, finalists))
    return found


def _about_finalists(folder: SweepFolder, finalists: FinalistFolder) -> Iterator[str]:
    records, plan = finalists.records(), finalists.plan()
    if lost := sum(not record.metrics for record in records):
        yield f"{lost} of {len(records)} trainings diverged and have no score"
    if plan and (left := len(plan.runs) - len(records)):
        yield f"{left} of {len(plan.runs)} trainings are not finished: `mrisweep finalists` goes on"
    if access := said_of_access(folder):
        yield access


def _by_rules(folder: SweepFolder, found: _Found, rules: Sequence[str]) -> _Found:
    """The trainings of the finalist that each rule chooses, and those of norms or arms beside."""
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
    others = [one for one in found.scored if len(rules) == 1]
    return found._replace(scored=[*others, *picked], notes=[*said, *found.notes])


def _search(folder: SweepFolder, metric: Metric, place: str) -> _Found:
    """The trials that were scored in full, on the validation slices."""
    if place != VALIDATION:
        raise UserError(
            "the sweep has no finalists, which alone are asked elsewhere",
            f"--at {place}",
            f"run `mrisweep finalists {folder.path}` first",
        )
    found = _Found([], None, [])
    for trial in folder.trials():
        if trial.best_epoch is None or is_screened(trial.metrics):
            continue
        own = of_trial(folder, trial)
        scores = _scores(metric, own, own, (), VALIDATION)
        group = group_of(trial.params, trial.norm)
        found.scored.append(_Scored(group, trial.trial, trial.seed, *scores))
        found = found._replace(basis=found.basis or _basis(own))
    found.notes.append(
        "these are trials of the search, on the validation slices: early stopping kept the best "
        "and each stands at its best epoch, so that this describes the search; "
        f"`mrisweep finalists {folder.path}` answers for norms"
    )
    return found


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


def _effects(
    found: Sequence[tuple[_Scored, Estimate]], margin: float, reference: str, better: bool
) -> NormEffects:
    runs = [Run(one.group, one.config, one.seed, estimate.value) for one, estimate in found]
    draws = np.stack([estimate.draws for _, estimate in found])
    return norm_effects(runs, margin, reference, draws, higher_is_better=better)


def _compared(
    score: str, artifact: str, level: int, effects: NormEffects, a: str, b: str
) -> Compared:
    means = {one.norm: one.mean for one in effects.norms}
    found = next((one for one in effects.differences if one.first == a), None)
    first, second = means.get(a, float("nan")), means.get(b, float("nan"))
    if found is None or is_missing(found.difference):
        reason = "; ".join(effects.notes) or "a value is missing"
        missing = float("nan")
        difference = first - second
        return Compared(
            score,
            artifact,
            level,
            first,
            second,
            difference,
            NOTHING,
            missing,
            missing,
            missing,
            reason,
        )
    return Compared(
        score=score,
        artifact=artifact,
        level=level,
        first=first,
        second=second,
        difference=found.difference,
        interval=found.interval,
        df=found.df,
        p=found.p,
        p_adjusted=found.p_holm,
    )


def _with_holm(cells: Sequence[Compared]) -> tuple[Compared, ...]:
    """Cells whose P values are adjusted for all of them."""
    adjusted = holm([cell.p for cell in cells])
    return tuple(replace(cell, p_adjusted=p) for cell, p in zip(cells, adjusted, strict=True))

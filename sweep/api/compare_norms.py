"""Two norms or arms compared: by their finalists, or else by the trials of the search."""

from collections.abc import Sequence
from dataclasses import replace

from sweep.config.arms import RULE
from sweep.config.finalists import FinalistSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.finals import VALIDATION
from sweep.core.records import CLEAN, is_missing
from sweep.metrics import Metric
from sweep.results.by_group import by_group
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.trainings import by_rules, by_scores, effects, place_of, trainings_at
from sweep.stats.comparison import Compared, ComparedByGroup, Comparison, GroupCompared
from sweep.stats.effects import NormEffects
from sweep.stats.grouping import Grouping
from sweep.stats.multiplicity import holm

NOTHING = (float("nan"), float("nan"))


def compare_norms(
    folder: SweepFolder,
    config: SweepConfig,
    a: str,
    b: str,
    metric: Metric,
    place: str | None,
    grouping: Grouping | None = None,
    least: int | None = None,
) -> Comparison:
    """Compare two norms or arms, or what rules choose; see ``sweep.api.compare.compare``."""
    place = place or place_of(folder)
    found = trainings_at(folder, metric, place)
    basis = found.basis
    chosen_here = place == VALIDATION and FinalistFolder(folder).have_scores()
    if a.startswith(RULE) or b.startswith(RULE):
        found = by_rules(folder, found, [name for name in (a, b) if name.startswith(RULE)])
    known = {one.group for one in found.scored}
    for name in (a, b):
        if name not in known:
            raise UserError(
                "no training of this norm or arm was scored in full",
                f"{name!r}",
                f"take one of {', '.join(sorted(known))}",
            )
    settings = config.finalists or FinalistSettings()
    # Of what P is adjusted for is not to depend on which of the two is named first.
    reference = settings.reference if settings.reference in (a, b) else None
    scored, asked = found.scored, (settings.margin, reference)
    asked_of = (*asked, metric.higher_is_better, basis.reason)
    by_score = by_scores(found, *asked, metric)
    primary = metric.robust("mean")
    cells = {
        cell: effects([(one, one.cells[cell]) for one in scored], *asked_of)
        for cell in scored[0].cells
        if cell != CLEAN
    }
    luck = "finalists were chosen on these patients: each has its luck here"
    remarks = [luck] if chosen_here else []
    return Comparison(
        a=a,
        b=b,
        unit="configurations",
        place=place,
        basis=basis,
        primary=_compared(primary, "", 0, by_score[primary], a, b),
        summaries=tuple(
            _compared(name, "", 0, one, a, b) for name, one in by_score.items() if name != primary
        ),
        cells=_with_holm(
            [_compared(metric.stress(c.artifact), *c, one, a, b) for c, one in cells.items()]
        ),
        effects=by_score,
        notes=tuple(dict.fromkeys([*found.notes, *by_score[primary].notes, *remarks])),
        groups=(
            None
            if grouping is None
            else _by_group(folder, a, b, metric, place, asked, grouping, least)
        ),
    )


def _by_group(
    folder: SweepFolder,
    a: str,
    b: str,
    metric: Metric,
    place: str,
    asked: tuple[float, str | None],
    grouping: Grouping,
    least: int | None,
) -> ComparedByGroup:
    """Clean and the mean over cells, in each group of slices by a mixed model of its own."""
    found = []
    rules = [name for name in (a, b) if name.startswith(RULE)]
    grouped = by_group(folder, metric, place, grouping, least)
    for own in grouped.groups:
        scores: list[Compared] = []
        if own.found is not None:
            trainings = by_rules(folder, own.found, rules) if rules else own.found
            said = by_scores(trainings, *asked, metric)
            scores = [
                _compared(name, "", 0, said[name], a, b)
                for name in (metric.clean, metric.robust("mean"))
            ]
        found.append(GroupCompared(own.group, own.slices, own.basis, tuple(scores)))
    return ComparedByGroup(grouping.column, _for_all_groups(found), (), grouped.shared)


def _for_all_groups(found: Sequence[GroupCompared]) -> tuple[GroupCompared, ...]:
    """Groups whose P values are adjusted for all of them, of each score by itself."""
    tested = [one for one in found if one.scores]
    by_place = zip(*(one.scores for one in tested), strict=True)
    adjusted = [holm([one.p for one in scores]) for scores in by_place]
    done = {
        one.group: tuple(
            replace(score, p_adjusted=adjusted[at][place]) for at, score in enumerate(one.scores)
        )
        for place, one in enumerate(tested)
    }
    return tuple(replace(one, scores=done.get(one.group, ())) for one in found)


def _compared(
    score: str, artifact: str, level: int, effects: NormEffects, a: str, b: str
) -> Compared:
    means = {one.norm: one.mean for one in effects.norms}
    found = next((one for one in effects.differences if {one.first, one.second} == {a, b}), None)
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
    low, high = found.interval
    turned = found.first != a
    return Compared(
        score=score,
        artifact=artifact,
        level=level,
        first=first,
        second=second,
        difference=-found.difference if turned else found.difference,
        interval=(-high, -low) if turned else (low, high),
        df=found.df,
        p=found.p,
        p_adjusted=found.p_holm,
    )


def _with_holm(cells: Sequence[Compared]) -> tuple[Compared, ...]:
    """Cells whose P values are adjusted for all of them."""
    adjusted = holm([cell.p for cell in cells])
    return tuple(replace(cell, p_adjusted=p) for cell, p in zip(cells, adjusted, strict=True))

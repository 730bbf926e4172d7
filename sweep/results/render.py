"""The table of ranked configurations for people, and what is said of it."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from sweep.config.arms import group_of
from sweep.core.mirrors import named
from sweep.core.modes import WHOLE_BATCHES
from sweep.core.objective import leading, terms, value_of
from sweep.core.records import (
    CLEAN,
    SCREEN,
    TRAINED,
    Basis,
    is_missing,
    is_screened,
    screened,
)
from sweep.core.states import FINISHED, INTERRUPTED, UNDER_WAY
from sweep.core.text import MISSING, fitting, no_room, number_of, ruled_table, wrapped
from sweep.metrics.table import SUMMARIES, metric_of
from sweep.results.ranking import Ranked

SUM = "objective"  # heads the column of a weighted sum
CELLS_SHOWN = 3  # of the collapsed ones in a table

# What a summary says of the cells, each an artifact at a level.
MEANINGS = {
    "mean": "over all artifacts and levels",
    "worst": "the worst artifact and level",
    "cvar": "the mean of the worst quarter of artifacts and levels",
}


def ranked_table(
    rows: Sequence[Ranked], by: str, width: int | None = None, objectives: Sequence[str] = ()
) -> str:
    """Ranked trials, a line each: what was searched, and scores with their intervals.

    Several sweeps, the Pareto front, modes and collapsed cells have a column where there are any.
    What is missing, or is not shown, is explained below.

    Args:
        rows: The trials, best first.
        by: What they are ranked by: a metric, or a weighted sum of some.
        objectives: The two that a Pareto front is of.
        width: Characters in a line. Columns that have no room are left out and named below, the
            least needed first; what is ranked stays. None: all.

    """
    metrics = shown_metrics(by, objectives)
    front = ["front"] if any(row.pareto_rank is not None for row in rows) else []
    searched = sorted({name for row in rows for name in row.params} - {"model.norm"})
    modes = ["mode"] if any(row.mode != TRAINED for row in rows) else []
    collapse = ["collapsed"] if any(row.collapsed for row in rows) else []
    names = (short(name) for name in searched)
    sweeps = path_names({row.folder for row in rows})
    several = ["sweep"] if len(sweeps) > 1 else []
    header = ["#", *several, "trial", "norm", *front, *modes, *names, "epoch", *metrics, *collapse]
    body = [
        [
            str(place),
            *(sweeps[row.folder] for _ in several),
            row.trial + ("" if row.status == FINISHED else f" ({row.status})"),
            row.norm,
            *("*" if row.pareto_rank == 0 else "" for _ in front),
            *(row.mode for _ in modes),
            *(shown_value(row.params.get(name)) for name in searched),
            str(row.epoch),
            *(_score(row, by if name == SUM else name) for name in metrics),
            *(_collapsed(row) for _ in collapse),
        ]
        for place, row in enumerate(rows, start=1)
    ]
    needed = {SUM, by, *objectives}
    beside = [n for n, name in enumerate(header) if name in metrics and name not in needed]
    first = 3 + len(several) + len(front) + len(modes)
    needless = [
        *reversed(beside[1:]),
        *(len(header) - 1 for _ in collapse),
        *beside[:1],
        *reversed(range(first, first + len(searched))),
    ]
    needless.append(header.index("epoch"))  # the last resort
    kept = fitting([header, *body], needless, width)
    head, *lines = ([line[number] for number in kept] for line in [header, *body])
    left_out = [name for number, name in enumerate(header) if number not in kept]
    scores = [by if name == SUM else name for name in metrics if name not in left_out]
    about = [
        *_about_scores(scores),
        *_about_objectives(by, objectives if front else ()),
        *_notes(rows, scores, left_out),
    ]
    return "\n\n".join([ruled_table(head, lines), *(wrapped(text, width) for text in about)])


def path_names(paths: Iterable[str]) -> dict[str, str]:
    """A name for each path: as much of its end as no other has."""
    parts = {path: PurePath(named(path)).parts for path in dict.fromkeys(paths)}
    for count in range(1, max(map(len, parts.values()), default=1) + 1):
        names = {path: "/".join(own[-count:]) for path, own in parts.items()}
        if len(set(names.values())) == len(names):
            return names
    return {path: path for path in parts}


def evidence_line(rows: Iterable[Ranked], by: str) -> str:
    """How much a ranking rests on: trials of each norm, and seeds, with a mark where it is little.

    Args:
        rows: All trials, those that a table does not show included.
        by: What they are ranked by.

    Returns:
        One line; empty without a trial.

    """
    of_screenings = by.startswith(SCREEN)
    trials = {
        (row.folder, row.trial): row for row in rows if is_screened(row.metrics) == of_screenings
    }
    if not trials:
        return ""
    norms = Counter(sorted(group_of(row.params, row.norm) for row in trials.values()))
    seeds = {row.seed for row in trials.values()}
    shown = ", ".join(f"{norm} {number_of(count, 'trial')}" for norm, count in norms.items())
    said = [f"evidence: {shown}; {number_of(len(seeds), 'seed')}."]
    if len(norms) == 1:
        said.append("One norm only: nothing here says what another would score.")
    elif single := [norm for norm, count in norms.items() if count == 1]:
        said.append(
            f"A single trial of {', '.join(single)}: its place says as much of its settings and "
            "its luck as of the norm."
        )
    if len(seeds) == 1:
        said.append("One seed only: how far another would move a score is not known.")
    elif len(seeds) == 2:
        said.append("Two seeds only: they say little of how far a seed moves a score.")
    if by.endswith("_cvar") and any(by in row.intervals for row in trials.values()):
        said.append(
            "The worst cells were chosen on these very patients, so that CVaR and its interval lie "
            "low, by some .03 at 40 patients where a model's cells are alike."
        )
    return " ".join(said)


def hypervolume_lines(found: Mapping[str | None, float], objectives: Sequence[str]) -> str:
    """What ``ranking.hypervolumes`` found, for people."""
    of_norms = (f"{whose} {area:.3f}" for whose, area in found.items() if whose is not None)
    return (
        f"hypervolume  {found[None]:.3f} of the square from 0 to 1 of {' and '.join(objectives)}\n"
        f"of norms     {', '.join(of_norms)}"
    )


def _about_scores(shown: Sequence[str]) -> Iterator[str]:
    """How to read the columns of a table."""
    names = [name for one in shown for name in terms(one)]
    parts = ["the scores of a row are of its epoch, the best of its trial", *meanings(names)]
    yield f"how to read it: {'; '.join(parts)}."


def meanings(names: Collection[str]) -> list[str]:
    """What the ends of the names of these scores mean."""
    clean = any(name.removeprefix(SCREEN).startswith("clean/") for name in names)
    return [
        *(["clean: no artifact"] if clean else []),
        *(
            f"{ending}: {meaning}"
            for ending, meaning in MEANINGS.items()
            if any(name.endswith(f"_{ending}") for name in names)
        ),
    ]


def _about_objectives(by: str, objectives: Sequence[str]) -> Iterator[str]:
    if len(terms(by)) > 1:
        yield f"{SUM}: {by}."
    if objectives:
        yield (
            f"front: * of a row that no other beats, at least as good in both "
            f"{' and '.join(objectives)} and better in one."
        )


def screened_note(rows: Sequence[Ranked], by: str) -> str:
    """How many trials a ranking leaves out, as they are scored at another fidelity; empty: none."""
    of_screenings = by.startswith(SCREEN)
    left_out = {
        (row.folder, row.trial) for row in rows if is_screened(row.metrics) != of_screenings
    }
    if not left_out:
        return ""
    here = f"not ranked here: {number_of(len(left_out), 'trial')} scored on"
    if of_screenings:
        return f"{here} all patients and cells; --by {by.removeprefix(SCREEN)} ranks such"
    states = {(row.folder, row.trial): row.status for row in rows}
    counts = Counter(states[one] for one in left_out)
    of_them = "".join(f", {counts[state]} of them {state}" for state in UNDER_WAY if counts[state])
    return (
        f"{here} a part of the patients and cells alone (screened){of_them}; "
        f"--by {screened(leading(by))} ranks such"
    )


def _notes(rows: Sequence[Ranked], shown: Sequence[str], left_out: Sequence[str]) -> Iterator[str]:
    """What the table does not show by itself."""
    if said := no_room(left_out, ()):
        yield said
    yield from _basis(rows, shown)
    if any(is_missing(value_of(row.metrics, name)) for row in rows for name in shown):
        yield f"{MISSING} for a score: it is missing, as a cell of it is or a label has one class."
    if together := [mode for mode in WHOLE_BATCHES if any(row.mode == mode for row in rows)]:
        yield (
            f"{', '.join(together)}: scores of whole batches of slices under one artifact at one "
            "level; a slice by itself has none."
        )
    if interrupted := {(row.folder, row.trial) for row in rows if row.status == INTERRUPTED}:
        yield (
            f"{INTERRUPTED}: no process drives the sweep, and `mrisweep resume` goes on with "
            f"{number_of(len(interrupted), 'trial')} of these."
        )
    if any(row.collapsed for row in rows) and "collapsed" not in left_out:
        yield (
            "collapsed: cells below chance, or in which all slices are predicted to show the same "
            "labels."
        )


def thin_text(basis: Basis) -> str:
    """How many patients have one slice, as it stands behind others; empty of none."""
    if not basis.thin:
        return ""
    return f"; {number_of(basis.thin, 'patient')} {'has' if basis.thin == 1 else 'have'} one slice"


def _basis(rows: Sequence[Ranked], shown: Sequence[str]) -> Iterator[str]:
    """What the intervals rest on, which is the same for all rows of a sweep, or why there are none.

    The degrees of freedom are those of the first row's.
    """
    ended = (row for row in rows if row.status not in UNDER_WAY)
    without = [row for row in ended if not row.intervals and row.metrics]
    known = next((row for row in rows if row.basis is not None and row.intervals), None)
    if known is not None and known.basis is not None:
        basis = known.basis
        least = min((df for name, df in basis.df.items() if name in shown), default=math.nan)
        positive = ", ".join(f"{label} {count}" for label, count in basis.positive.items())
        yield (
            f"brackets: 95 % intervals over {basis.patients} patients, of whom show a label: "
            f"{positive}{thin_text(basis)}; at least {least:.0f} degrees of freedom in the row of "
            f"{known.trial}. "
            "They hold configuration, epoch and seed fixed, and are no test between rows."
        )
    reasons = Counter(row.basis.reason if row.basis else None for row in without)
    for reason, count in reasons.items():
        too_few = reason or "too few patients show a label, or do not, to draw from them"
        of_rows = "" if count == len(rows) else f" in {number_of(count, 'row')}"
        yield f"no brackets: no interval{of_rows}, as {too_few}."


def _collapsed(row: Ranked) -> str:
    if row.collapsed is None:
        return MISSING
    cells = [
        cell.artifact if cell == CLEAN else f"{cell.artifact} {cell.level}"
        for cell in row.collapsed
    ]
    more = [f"+{len(cells) - CELLS_SHOWN}"] if len(cells) > CELLS_SHOWN else []
    return ", ".join([*cells[:CELLS_SHOWN], *more]) or "none"


def shown_metrics(by: str, objectives: Sequence[str]) -> list[str]:
    """The columns of a ranking: what it is by, and all summaries of the metrics of that.

    Args:
        by: What rows are ranked by: a metric, or a weighted sum of some.
        objectives: The two that a Pareto front is of; empty: there is none.

    """
    asked = [*objectives, *terms(by)]
    names = [
        name
        for metric in dict.fromkeys(map(metric_of, asked))
        if metric
        for name in (metric.clean, *map(metric.robust, SUMMARIES))
    ]
    first = [] if set(asked) <= set(names) else asked
    return list(dict.fromkeys([*([SUM] if len(terms(by)) > 1 else []), *first, *names]))


def short(name: str) -> str:
    """The last word of a setting's dotted name."""
    return name.rpartition(".")[2]


def shown_value(value: object) -> str:
    """A setting's value."""
    if value is None:
        return MISSING
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _score(row: Ranked, name: str) -> str:
    value = value_of(row.metrics, name)
    if is_missing(value):
        return MISSING
    text = f"{value:.3f}"
    if name in row.intervals:
        low, high = row.intervals[name]
        text += f" [{low:.3f}, {high:.3f}]"
    return text

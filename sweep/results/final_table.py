"""What finalists came to: of each configuration and place the mean over seeds, and its spread."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from sweep.core.finals import FIXED, HOLDOUT, VALIDATION, FinalistRecord
from sweep.core.records import is_missing, missing_as_null
from sweep.core.text import MISSING, fitted, no_room, ruled_table, wrapped
from sweep.metrics import Metric, metric_for
from sweep.results.render import short, shown_value


@dataclass(frozen=True)
class FinalistRow:
    """One configuration at one place.

    Attributes:
        place: The name of the place.
        trial: The trial that was chosen.
        norm: The norm of its network.
        params: Its searched values.
        seeds: How many trainings came to scores.
        diverged: How many did not.
        mean: Of every score the mean over seeds; missing where it is missing for one of them.
        sd: The standard deviation over seeds; none of one seed alone.

    """

    place: str
    trial: str
    norm: str
    params: dict[str, Any]
    seeds: int
    diverged: int
    mean: dict[str, float]
    sd: dict[str, float]


def final_rows(records: Iterable[FinalistRecord]) -> list[FinalistRow]:
    """The rows, place after place, in the order of the plan."""
    by_trial: dict[str, list[FinalistRecord]] = {}
    for record in records:
        by_trial.setdefault(record.run.trial, []).append(record)
    places = dict.fromkeys(
        name for own in by_trial.values() for record in own for name in record.metrics
    )
    return [
        _row(place, own) for place in places if place != VALIDATION for own in by_trial.values()
    ]


def _row(place: str, records: Sequence[FinalistRecord]) -> FinalistRow:
    run = records[0].run
    scored = [record.metrics[place] for record in records if place in record.metrics]
    names = dict.fromkeys(name for one in scored for name in one)
    values = {name: [one.get(name, math.nan) for one in scored] for name in names}
    return FinalistRow(
        place=place,
        trial=run.trial,
        norm=run.norm,
        params=run.params,
        seeds=len(scored),
        diverged=sum(record.status == "diverged" for record in records),
        mean={name: fmean(found) for name, found in values.items()},
        sd={
            name: stdev(found)
            for name, found in values.items()
            if len(found) > 1 and not any(map(is_missing, found))
        },
    )


def as_json(row: FinalistRow) -> dict[str, Any]:
    """A row as JSON has it."""
    return asdict(row) | {"mean": missing_as_null(row.mean)}


def final_table(rows: Sequence[FinalistRow], objective: str, width: int | None = None) -> str:
    """The rows for people, a table for each place: means over seeds, and their spread.

    Args:
        rows: Of ``final_rows``.
        objective: Of whose metric the scores are.
        width: Characters in a line; None: all. Settings, then scores, that have no room are left
            out, and named.

    """
    names = shown_of(metric_for(objective))
    parts = []
    left_out = ""
    for place in dict.fromkeys(row.place for row in rows):
        own = [row for row in rows if row.place == place]
        searched = sorted({name for row in own for name in row.params} - {"model.norm"})
        settings = list(map(short, searched))
        header = ["trial", "norm", *settings, "seeds", *names]
        body = [
            [
                row.trial,
                row.norm,
                *(shown_value(row.params.get(name)) for name in searched),
                f"{row.seeds}" + (f" ({row.diverged} diverged)" if row.diverged else ""),
                *_cells(row, names),
            ]
            for row in own
        ]
        head, *lines = fitted([header, *body], [*reversed(settings), *_needless(names)], width)
        text = ruled_table(head, lines)
        left_out = left_out or no_room(header, head)
        parts.append(f"{place}\n{text}")
    if left_out:
        parts.append(wrapped(left_out, width))
    about = (
        "mean over seeds ± standard deviation; robust: artifacts of the search, cvar_fixed over "
        "the cells that were the worst on validation slices; holdout: artifacts that nothing was "
        "chosen by"
    )
    return "\n\n".join([*parts, wrapped(about, width)])


def shown_of(metric: Metric) -> tuple[str, ...]:
    """The scores of a metric that a table of finalists shows."""
    return (
        metric.clean,
        metric.robust("mean"),
        FIXED.format(metric.name),
        metric.robust("worst"),
        f"{HOLDOUT}{metric.name}_mean",
    )


def _needless(names: Sequence[str]) -> list[str]:
    """What gives way, in this order; the score on held-out artifacts stays."""
    clean, mean, fixed, worst, _ = names
    return [worst, fixed, clean, "seeds", mean]


def _cells(row: FinalistRow, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value, spread = row.mean.get(name), row.sd.get(name)
        if value is None or is_missing(value):
            yield MISSING
        else:
            yield f"{value:.3f}" + (f" ± {spread:.3f}" if spread is not None else "")

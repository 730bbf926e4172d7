"""Tables for people: ranked configurations and the cells of a stress test."""

from collections.abc import Iterator, Mapping, Sequence

from sweep.core.modes import WHOLE_BATCHES
from sweep.core.records import CLEAN, TRAINED, EpochRecord, is_missing
from sweep.core.text import MISSING, ruled_table, table
from sweep.metrics.summary import macro_by_cell
from sweep.metrics.table import SUMMARIES, metric_of
from sweep.results.ranking import Ranked

CELLS_SHOWN = 3  # of the collapsed ones in a table


def ranked_table(rows: Sequence[Ranked], by: str, width: int | None = None) -> str:
    """Ranked trials, a line each: what was searched, and scores with their intervals.

    Modes and collapsed cells have a column where there are any, and a note below.

    Args:
        rows: The trials, best first.
        by: The metric that they are ranked by.
        width: Characters in a line. Columns that have no room are left out and named below, the
            least needed first; what is ranked stays. None: all.

    """
    metrics = _shown(by)
    searched = sorted({name for row in rows for name in row.params} - {"model.norm"})
    modes = ["mode"] if any(row.mode != TRAINED for row in rows) else []
    collapse = ["collapsed"] if any(row.collapsed for row in rows) else []
    names = (_short(name) for name in searched)
    header = ["#", "trial", "norm", *modes, *names, "epoch", *metrics, *collapse]
    body = [
        [
            str(place),
            row.trial + ("" if row.status == "finished" else f" ({row.status})"),
            row.norm,
            *(row.mode for _ in modes),
            *(_value(row.params.get(name)) for name in searched),
            str(row.epoch),
            *(_score(row, name) for name in metrics),
            *(_collapsed(row) for _ in collapse),
        ]
        for place, row in enumerate(rows, start=1)
    ]
    beside = [number for number, name in enumerate(header) if name in metrics and name != by]
    first = 3 + len(modes)
    needless = [
        *reversed(beside[1:]),
        *(len(header) - 1 for _ in collapse),
        *beside[:1],
        *reversed(range(first, first + len(searched))),
    ]
    kept = _fitting([header, *body], needless, width)
    head, *lines = ([line[number] for number in kept] for line in [header, *body])
    left_out = [name for number, name in enumerate(header) if number not in kept]
    return "\n\n".join([ruled_table(head, lines), *_notes(rows, left_out)])


def _fitting(
    lines: Sequence[Sequence[str]], needless: Sequence[int], width: int | None
) -> list[int]:
    """The columns that a line of so many characters has room for."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    kept = list(range(len(widths)))
    for number in needless:
        if width is None or sum(widths[one] + 2 for one in kept) - 2 <= width:
            break
        kept.remove(number)
    return kept


def _notes(rows: Sequence[Ranked], left_out: Sequence[str]) -> Iterator[str]:
    """What the table does not show by itself."""
    if left_out:
        yield (
            f"left out, as the terminal is too narrow: {', '.join(left_out)}; a file, a pipe and "
            "`mrisweep best --json` get them."
        )
    if any(not row.intervals and row.metrics and row.status != "running" for row in rows):
        yield (
            "no brackets: no interval, as too few patients show a label, or do not, to draw from "
            "them."
        )
    if together := [mode for mode in WHOLE_BATCHES if any(row.mode == mode for row in rows)]:
        yield (
            f"{', '.join(together)}: scores of whole batches of slices under one artifact at one "
            "level; a slice by itself has none."
        )
    if any(row.collapsed for row in rows) and "collapsed" not in left_out:
        yield (
            "collapsed: cells below chance, or in which all slices are predicted to show the same "
            "labels."
        )


def _collapsed(row: Ranked) -> str:
    if row.collapsed is None:
        return MISSING
    cells = [
        cell.artifact if cell == CLEAN else f"{cell.artifact} {cell.level}"
        for cell in row.collapsed
    ]
    more = [f"+{len(cells) - CELLS_SHOWN}"] if len(cells) > CELLS_SHOWN else []
    return ", ".join([*cells[:CELLS_SHOWN], *more]) or "none"


def summary_table(values: Mapping[str, float]) -> str:
    """A line for each summary of one checkpoint."""
    rows = [
        [name, MISSING if is_missing(value) else f"{value:.4f}"] for name, value in values.items()
    ]
    return "\n".join(table(rows))


def stress_table(record: EpochRecord, metric: str) -> str:
    """One metric in each cell, a column for each label."""
    scores = [item for item in record.scores if item.metric == metric]
    labels = list(dict.fromkeys(item.label for item in scores))
    found = {(item.cell, item.label): item.value for item in scores}
    body = []
    for cell, macro in macro_by_cell(scores, metric).items():
        values = (macro, *(found[cell, label] for label in labels))
        shown = (MISSING if is_missing(value) else f"{value:.4f}" for value in values)
        body.append([cell.artifact, str(cell.level), *shown])
    return ruled_table(["artifact", "level", "macro", *labels], body)


def _shown(by: str) -> list[str]:
    """The columns of a ranking: all summaries of the metric that it is ranked by."""
    metric = metric_of(by)
    names = [metric.clean, *map(metric.robust, SUMMARIES)] if metric else []
    return names if by in names else [by, *names]


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _value(value: object) -> str:
    if value is None:
        return MISSING
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _score(row: Ranked, name: str) -> str:
    if name not in row.metrics:
        return MISSING
    text = f"{row.metrics[name]:.3f}"
    if name in row.intervals:
        low, high = row.intervals[name]
        text += f" [{low:.3f}, {high:.3f}]"
    return text

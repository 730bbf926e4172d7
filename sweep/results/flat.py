"""Rows of a ranking as one flat table: in a CSV or Parquet file, or as a pandas frame."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.core.errors import UserError
from sweep.core.files import replacing
from sweep.core.mirrors import named
from sweep.core.records import null_if_missing
from sweep.results.ranking import Ranked
from sweep.stats.by_group import ByGroup, scores_in

if TYPE_CHECKING:
    import pandas

LOW, HIGH = "/low", "/high"  # behind the name of a metric, the ends of its interval
_ENDINGS = (".csv", ".parquet")


def require_ending(path: Path) -> None:
    """Raise ``UserError`` for a file that is to be neither CSV nor Parquet."""
    if path.suffix.lower() not in _ENDINGS:
        raise UserError(
            "the ending of the file does not say what it is to be",
            f"{str(path)!r}",
            "end its name in .csv or .parquet",
        )


def flat(rows: Sequence[Ranked]) -> list[dict[str, Any]]:
    """A dictionary for each row, all with the same keys in the same order.

    What tells the trial from others, then the searched settings, then the metrics, each with the
    ends of its interval (``/low`` and ``/high`` behind its name); None: a row has none. Lists and
    sections that were searched are JSON texts. Where scores by group were asked for, such as by
    site, follow those of every group, ``clean/auroc[site=A]``, its ``patients[site=A]`` and
    ``slices[site=A]``, and the gaps, ``clean/auroc[site: gap]``, with the groups that they are
    between, ``[site: best]`` and ``[site: worst]``.
    """
    params = dict.fromkeys(name for row in rows for name in row.params)
    intervals = {name for row in rows for name in row.intervals}
    metrics = dict.fromkeys(name for row in rows for name in row.metrics)
    of_groups = [_of_groups(row.groups) if row.groups else {} for row in rows]
    groups = dict.fromkeys(name for by_group in of_groups for name in by_group)
    return [
        {
            **{name: getattr(row, name) for name in ("trial", "norm", "seed", "epoch", "status")},
            "mode": row.mode,
            "pareto_rank": row.pareto_rank,
            **{name: _plain(row.params.get(name)) for name in params},
            **{
                column: value
                for name in metrics
                for column, value in _columns(row, name, name in intervals)
            },
            **{name: by_group.get(name) for name in groups},
            "checkpoint": named(row.checkpoint),
            "folder": named(row.folder),
        }
        for row, by_group in zip(rows, of_groups, strict=True)
    ]


def frame(rows: Sequence[Ranked]) -> "pandas.DataFrame":
    """The rows as a pandas frame, in their order, with the columns of ``flat``."""
    import pandas

    return pandas.DataFrame(flat(rows))


def write_table(rows: Sequence[Ranked], path: Path) -> None:
    """Write the rows as CSV or as Parquet, by the ending of the name; a file that is there goes.

    Raises:
        UserError: Another ending.
        OSError: The file cannot be written.

    """
    require_ending(path)
    table = flat(rows)
    with replacing(path) as part:
        if path.suffix.lower() == ".csv":
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, table[0].keys() if table else ["trial"])
                writer.writeheader()
                writer.writerows(table)
            return
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(_of_one_kind(table)), part)


def _columns(row: Ranked, name: str, interval: bool) -> list[tuple[str, Any]]:
    low, high = row.intervals.get(name, (None, None))
    ends = [(name + LOW, low), (name + HIGH, high)] if interval else []
    return [(name, row.metrics.get(name)), *ends]


def _of_groups(found: ByGroup) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for one in found.scores:
        group = f"[{found.column}={one.group}]"
        columns |= {f"patients{group}": one.basis.patients, f"slices{group}": one.slices}
        for name in scores_in(found):
            low, high = one.intervals.get(name, (None, None))
            score = f"{name}{group}"
            columns |= {score: one.metrics.get(name), score + LOW: low, score + HIGH: high}
    for gap in found.gaps:
        between, (low, high) = f"{gap.score}[{found.column}: ", map(null_if_missing, gap.interval)
        score = f"{between}gap]"
        columns |= {score: gap.difference, score + LOW: low, score + HIGH: high}
        columns |= {f"{between}best]": gap.best, f"{between}worst]": gap.worst}
    return columns


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value


def _of_one_kind(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with columns of texts where a setting was a text in one row, a number in others."""
    mixed = set()
    for name in table[0] if table else ():
        kinds = {type(row[name]) for row in table if row[name] is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            mixed.add(name)
    return [
        {
            name: str(value) if name in mixed and value is not None else value
            for name, value in row.items()
        }
        for row in table
    ]

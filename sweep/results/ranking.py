"""Which configuration is the most robust: asked of a sweep's folder, or of a tracking server."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.core.errors import UserError, nearest
from sweep.core.records import TrialRecord
from sweep.results.folder import SweepFolder

Interval = tuple[float, float]


@dataclass(frozen=True)
class Ranked:
    """One trial at its best epoch.

    Attributes:
        params: what was searched, by dotted name.
        checkpoint: path of the best epoch's checkpoint.
        metrics: of that epoch.
        intervals: 95 %, bootstrap over patients; none while the trial runs.
        status: running, finished, or pruned.

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


def of_folder(path: Path) -> list[Ranked]:
    """The trials of a sweep's folder that have a best epoch, by number."""
    folder = SweepFolder.open(path)
    trials = [record for record in folder.trials() if record.best_epoch is not None]
    return [_from_record(folder, record) for record in trials]


def of_server(uri: str, experiment: str) -> list[Ranked]:
    """The trials of an experiment on a tracking server that have a best epoch.

    Raises:
        UserError: no such experiment, or no server.

    """
    from sweep.results.tracking import trial_runs  # MLflow takes a second to import

    runs = [run for run in trial_runs(uri, experiment) if "best/epoch" in run["metrics"]]
    return [_from_run(run) for run in runs]


def best(
    rows: Iterable[Ranked],
    by: str = "robust/auroc_cvar",
    norm: str | None = None,
    where: Sequence[str] = (),
    top: int | None = None,
) -> list[Ranked]:
    """Filter and rank, best first; equal scores in the order of their trials.

    Args:
        rows: trials, from either source.
        by: the metric to rank by.
        norm: only this one.
        where: conditions such as ``clean/auroc>=0.9``, all of which must hold.
        top: at most so many.

    Raises:
        UserError: a metric or a norm that no trial has, a condition that is none, ``top`` < 1.

    """
    found = list(rows)
    known = {name for row in found for name in row.metrics}
    if top is not None and top < 1:
        raise UserError(f"--top must be 1 or more; received {top}")
    if found and norm is not None and norm not in {row.norm for row in found}:
        raise UserError(f"no trial has norm {norm!r}; {nearest(norm, {r.norm for r in found})}")
    holds = [_condition(text, known) for text in where]
    if found:
        _require_metric(by, known)
    kept = [
        row
        for row in found
        if norm in (None, row.norm) and all(condition(row) for condition in holds)
    ]
    return sorted(kept, key=lambda row: (-_or_lowest(row.metrics.get(by)), row.trial))[:top]


def _from_record(folder: SweepFolder, record: TrialRecord) -> Ranked:
    epoch = int(record.best_epoch or 0)
    return Ranked(
        trial=record.trial,
        norm=record.norm,
        seed=record.seed,
        epoch=epoch,
        params=record.params,
        checkpoint=str(folder.checkpoint(record.trial, epoch)),
        metrics={name: value for name, value in record.metrics.items() if math.isfinite(value)},
        intervals=record.intervals,
        status=record.status,
    )


def _from_run(run: Mapping[str, Any]) -> Ranked:
    from sweep.results.tracking import from_param

    tags, values = run["tags"], run["metrics"]
    metrics = _below("best/", values)
    epoch = int(metrics.pop("epoch"))
    ends = _below("interval/", values)
    names = [name.removesuffix("/low") for name in ends if name.endswith("/low")]
    return Ranked(
        trial=tags["trial"],
        norm=tags["norm"],
        seed=int(tags["seed"]),
        epoch=epoch,
        params={name: from_param(text) for name, text in run["params"].items()},
        checkpoint=str(SweepFolder(Path(tags["folder"])).checkpoint(tags["trial"], epoch)),
        metrics=metrics,
        intervals={name: (ends[f"{name}/low"], ends[f"{name}/high"]) for name in names},
        status=tags["status"],
    )


def _below(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def _or_lowest(value: float | None) -> float:
    return -math.inf if value is None or math.isnan(value) else value


def _require_metric(name: str, known: set[str]) -> None:
    if name not in known:
        raise UserError(f"no trial has a metric {name!r}; {nearest(name, known)}")


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def _condition(text: str, known: set[str]) -> Callable[[Ranked], bool]:
    match = re.fullmatch(r"\s*([^<>=\s]+)\s*(>=|<=|==|>|<)\s*([-+.\deE]+)\s*", text)
    if match is None:
        raise UserError(f"--where takes METRIC>=NUMBER, such as 'clean/auroc>=0.9'; got {text!r}")
    name, sign, written = match.groups()
    try:
        bound = float(written)
    except ValueError:
        raise UserError(f"--where {text!r}: {written!r} is not a number") from None
    if known:
        _require_metric(name, known)
    # A missing value fulfils no condition: NaN compares false.
    return lambda row: _COMPARE[sign](row.metrics.get(name, math.nan), bound)

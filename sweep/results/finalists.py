"""The finalists in a sweep's folder: the plan of what is trained again, and what came of it.

``finalists/plan.json`` is written before anything is trained; a run has a folder of its own with
its checkpoints and, for each place and epoch, a table of scores and one of predictions; its record
appears when all of that is there.
"""

import dataclasses
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from sweep.config.finalists import FinalistSettings
from sweep.config.settings import LevelKnobs
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, nearest
from sweep.core.files import write_text
from sweep.core.finals import VALIDATION, FinalistRecord, FinalistRun, Place, Status
from sweep.core.kinds import require_kind, require_part
from sweep.core.mirrors import fetched, publish
from sweep.core.reading import read_json, read_text, readable
from sweep.core.records import (
    TRAINED,
    EpochRecord,
    Predictions,
    missing_as_null,
    null_as_missing,
)
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.finalist import summary_at
from sweep.remote import places
from sweep.results import ranking, tables
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Ranked
from sweep.results.tables import Slices


@dataclass(frozen=True)
class Plan:
    """What is trained again, and where it is scored.

    Attributes:
        settings: By which the plan was made.
        runs: Every training.
        places: The validation slices first.
        knobs: The levels of every artifact that is used.

    """

    settings: FinalistSettings
    runs: tuple[FinalistRun, ...]
    places: tuple[Place, ...]
    knobs: dict[str, LevelKnobs]


class Access(NamedTuple):
    """Test slices were looked at.

    Attributes:
        at_ms: Unix time.
        what: The command.
        where: The place or the splits.
        runs: How many networks were asked.

    """

    at_ms: int
    what: str
    where: str
    runs: int


@dataclass(frozen=True)
class FinalistFolder:
    """Paths, plan, records and tables of the finalists of one sweep.

    Args:
        folder: The folder of the sweep.

    """

    folder: SweepFolder

    @property
    def path(self) -> Path:
        """Where all of it is."""
        return self.folder.inside("finalists")

    def take_up(self, run: str) -> None:
        """Begin to work on a run, in the process that alone does so, as others left it."""
        places.take_up(self.folder.path, f"finalists/{run}")

    def write_plan(self, plan: Plan) -> None:
        """Replace the plan."""
        plain = {
            "settings": plan.settings.to_plain(),
            "runs": [dataclasses.asdict(run) for run in plan.runs],
            "places": [dataclasses.asdict(place) for place in plan.places],
            "knobs": plan.knobs,
        }
        write_text(self.path / "plan.json", json.dumps(plain, indent=1))

    def plan(self) -> Plan | None:
        """The plan; None before there is one.

        Raises:
            UserError: It is damaged.

        """
        with suppress(FileNotFoundError), _reading(file := self.path / "plan.json"):
            plain = read_json(fetched(file))
            plan = Plan(
                settings=FinalistSettings.from_plain(plain["settings"]),
                runs=tuple(FinalistRun(**run) for run in plain["runs"]),
                places=tuple(map(_place, plain["places"])),
                knobs={name: tuple(knobs) for name, knobs in plain["knobs"].items()},
            )
            require_kind(Plan, plan)
            _check_plan(plan)
            return plan
        return None

    def checkpoints(self, run: str) -> CheckpointFolder:
        """The checkpoints of a run."""
        return CheckpointFolder(self.folder.inside("finalists", run))

    def write_scores(
        self,
        run: str,
        place: str,
        record: EpochRecord,
        predictions: Sequence[Predictions],
        slices: Slices,
    ) -> None:
        """Keep what an epoch of a run says at a place; predictions first."""
        path = self._table("predictions", run, place, record.epoch)
        tables.write_predictions(path, run, record.epoch, predictions, slices)
        tables.write_scores(self._table("results", run, place, record.epoch), record)

    def is_scored(self, run: str, place: str, epoch: int) -> bool:
        """Whether an epoch of a run was asked at a place."""
        return self._table("results", run, place, epoch).exists()

    def scores(self, run: str, place: str, epoch: int) -> EpochRecord:
        """What an epoch of a run scored at a place."""
        return tables.read_scores(self._table("results", run, place, epoch), run, epoch)

    def predictions(self, run: str, place: str, epoch: int) -> tuple[list[Predictions], Slices]:
        """What an epoch of a run said of every slice at a place."""
        return tables.read_predictions(self._table("predictions", run, place, epoch), run, epoch)

    def settle(self, run: FinalistRun, epochs: Sequence[int]) -> FinalistRecord:
        """Sum up a run whose epochs are scored at every place; no epochs: it diverged."""
        plan = self.plan()
        metrics: dict[str, dict[str, float]] = {}
        for place in plan.places if plan and epochs else ():
            scored = [
                summary_at(
                    place,
                    self.scores(run.name, place.name, epoch).scores,
                    self.scores(run.name, VALIDATION, epoch).scores,
                )
                for epoch in epochs
            ]
            metrics[place.name] = {name: fmean(one[name] for one in scored) for name in scored[0]}
        now = time.time_ns() // 1_000_000
        status: Status = "finished" if epochs else "diverged"
        record = FinalistRecord(run, status, now, tuple(epochs), metrics)
        self._write(record)
        return record

    def _write(self, record: FinalistRecord) -> None:
        plain = dataclasses.asdict(record)
        metrics = {place: missing_as_null(found) for place, found in record.metrics.items()}
        text = json.dumps(plain | {"metrics": metrics}, indent=1)
        write_text(self.path / f"{record.run.name}.json", text)

    def record(self, run: str) -> FinalistRecord | None:
        """What a run came to; None before its end.

        Raises:
            UserError: The record is damaged.

        """
        file = self.folder.inside("finalists", f"{run}.json")
        with suppress(FileNotFoundError), _reading(file):
            plain = read_json(file)
            metrics = {place: null_as_missing(found) for place, found in plain["metrics"].items()}
            found = FinalistRecord(
                **{
                    **plain,
                    "run": FinalistRun(**plain["run"]),
                    "epochs": tuple(plain["epochs"]),
                    "metrics": metrics,
                }
            )
            require_kind(FinalistRecord, found)
            if found.run.name != run or (found.status == "finished") != bool(found.metrics):
                raise ValueError(f"it is of {found.run.name!r}, {found.status}")
            return found
        return None

    def records(self) -> list[FinalistRecord]:
        """What has come of the plan so far, in its order."""
        plan = self.plan()
        found = (self.record(run.name) for run in (plan.runs if plan else ()))
        return [record for record in found if record is not None]

    def have_scores(self) -> bool:
        """Whether any run has come to a score."""
        return any(record.metrics for record in self.records())

    def _table(self, kind: str, run: str, place: str, epoch: int) -> Path:
        return self.folder.inside("finalists", run, kind, f"{place}-{epoch:04d}.parquet")


def _reading(file: Path) -> AbstractContextManager[None]:
    """While a file of the finalists is read: one that somebody has changed is said."""
    return readable(
        "a file of the finalists cannot be read",
        file,
        "put it back from a copy; without one remove it, and `mrisweep finalists` does again what "
        "it held",
    )


def _check_plan(plan: Plan) -> None:
    """Raise ``ValueError`` unless each run and place has a name of its own that a file can have."""
    names = [run.name for run in plan.runs], [place.name for place in plan.places]
    for own in names:
        if len(set(own)) < len(own):
            raise ValueError("a name is there twice")
        for name in own:
            require_part(name)
    if not plan.places or plan.places[0].name != VALIDATION:
        raise ValueError(f"the first place is not {VALIDATION}")


def chosen(folder: SweepFolder, config: SweepConfig, settings: FinalistSettings) -> list[Ranked]:
    """The configurations that are trained again, norm after norm or arm after arm, best first.

    Those that were scored in full go first; where a norm has too few of them, the best of those
    that were only screened follow.
    """
    rows = [row for row in ranking.of_folder(folder.path) if row.mode == TRAINED]
    by = settings.by or config.search.objective
    return ranking.best_of_groups(rows, by, settings.per_norm)


def chosen_by(finalists: FinalistFolder, score: str) -> str:
    """The finalist that a rule chooses: the best in the mean over seeds on validation patients.

    Args:
        finalists: Which there are.
        score: A summary, or a weighted sum of some.

    Returns:
        The name of its trial.

    Raises:
        UserError: No finalists, or a score that none of them has.

    """
    values: dict[str, list[float]] = {}
    for record in finalists.records():
        if VALIDATION in record.metrics:
            value = ranking.goodness(record.metrics[VALIDATION], score)
            values.setdefault(record.run.trial, []).append(value)
    means = {trial: fmean(own) for trial, own in values.items()}
    if not means or max(means.values()) == -math.inf:
        known = {name for one in finalists.records() for name in one.metrics.get(VALIDATION, {})}
        raise UserError(
            "there is no finalist with this score on validation patients",
            f"{score!r}",
            nearest(score, known) if known else f"run `mrisweep finalists {finalists.folder.path}`",
        )
    return max(means, key=lambda trial: (means[trial], trial))


def runs_of(rows: Iterable[Ranked], seeds: Sequence[int]) -> Iterator[FinalistRun]:
    """Every training of the chosen, all with the same seeds; a seed after the other.

    So that an interruption leaves whole seeds of all norms.
    """
    finalists = list(rows)
    for seed in seeds:
        for row in finalists:
            name = f"{row.trial}-seed-{seed}"
            yield FinalistRun(name, row.trial, row.norm, dict(row.params), seed)


def note_access(folder: SweepFolder, what: str, where: str, runs: int) -> None:
    """Write down that test slices are being looked at, before they are.

    A line is added by one write, so that none is lost where several processes look at once; a
    bucket, which adds to no object, gets the file as it is then.
    """
    file = fetched(_accesses(folder))
    accesses(folder)  # a damaged file is said before it grows
    access = Access(time.time_ns() // 1_000_000, what, where, runs)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(file, flags, 0o666)
    try:
        os.write(descriptor, f"{json.dumps(access._asdict())}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    publish(file, file)


def accesses(folder: SweepFolder) -> list[Access]:
    """When test slices were looked at, first to last.

    Raises:
        UserError: The file that says so is damaged.

    """
    file = _accesses(folder)
    remedy = "put it back from a copy; without one correct it, so that it says what is known"
    found: list[Access] = []
    with (
        suppress(FileNotFoundError),
        readable("when test slices were looked at cannot be read", file, remedy),
    ):
        found = [Access(**json.loads(line)) for line in read_text(file).splitlines()]
        require_kind(list[Access], found)
    return found


def said_of_access(folder: SweepFolder) -> str | None:
    """When test slices were first looked at, and whether again; None: never."""
    known = accesses(folder)
    if not known:
        return None
    first = f"test slices were first looked at on {_date(known[0])}, by `{known[0].what}`"
    if len(known) == 1:
        return first
    again = "once more" if len(known) == 2 else f"{len(known) - 1} times more"
    return (
        f"{first}, and {again}, last on {_date(known[-1])} by `{known[-1].what}`: what was changed "
        "in between was no longer chosen blindly"
    )


def _accesses(folder: SweepFolder) -> Path:
    return folder.inside("test_access.jsonl")


def _date(access: Access) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(access.at_ms / 1000))


def _place(plain: dict[str, Any]) -> Place:
    names = ("splits", "artifacts", "holdout")
    return Place(**{**plain, **{name: tuple(plain[name]) for name in names}})

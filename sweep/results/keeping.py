"""Which files of a sweep's folder stay, and why: one plan, for trials that end and for `gc`.

A pure function of what lies in the folder, of the records and of ``keep`` of the sweep. What is
still to be read stays whatever is set; what nobody knows stays, too.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sweep.config.arms import group_of
from sweep.config.keep import ALL, BEST, EACH, FINALISTS, FRONT, SCORED, SOME, KeepSettings, words
from sweep.core.failures import AGAIN
from sweep.core.files import ABANDONED_S
from sweep.core.finals import VALIDATION, FinalistRecord
from sweep.core.pareto import ranks
from sweep.core.records import TrialRecord, is_screened, scores_in
from sweep.core.states import RUNNING
from sweep.results.inventory import Held, Kind
from sweep.results.ranking import goodness, point_of

LATELY_NS = int(ABANDONED_S) * 10**9  # a file that was begun so lately may be at work


class Verdict(NamedTuple):
    """Whether a file stays, and why."""

    file: Held
    stays: bool
    why: str


@dataclass(frozen=True)
class Standing:
    """What decides on the files of a sweep's folder.

    Attributes:
        keep: The settings.
        trials: The trials, by name.
        in_full: (trial, epoch) -> whether the epoch was scored in full.
        now_ns: Unix time.
        runs: What the trainings of finalists came to, by name; of others they are under way.
        chosen: Trial -> what it was chosen as, by the word of ``keep`` that chooses it.
        champions: The trainings of finalists that are the best of their norm or arm.
        unmade: Trials that are still to be scored in other modes.
        measured: Whether the choice of the best has been measured, which reads all predictions of
            epochs that were scored in full.
        driven: Whether a driver is at work.

    """

    keep: KeepSettings
    trials: Mapping[str, TrialRecord]
    in_full: Callable[[str, int], bool]
    now_ns: int
    runs: Mapping[str, FinalistRecord] = field(default_factory=dict)
    chosen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    champions: Collection[str] = ()
    unmade: Collection[str] = ()
    measured: bool = False
    driven: bool = False


def plan(files: Iterable[Held], standing: Standing) -> Iterator[Verdict]:
    """What becomes of each file."""
    return (Verdict(file, *_verdict(file, standing)) for file in files)


def is_over(record: TrialRecord) -> bool:
    """Whether a trial will not be trained on; what failed for its surroundings is tried again."""
    return record.status != RUNNING and record.failure not in AGAIN


def is_settled(record: TrialRecord) -> bool:
    """Whether all that is to be said of an ended trial's best epoch has been found."""
    found = record.collapsed is not None and has_intervals(record)
    return record.best_epoch is None or found


def has_intervals(record: TrialRecord) -> bool:
    """Whether a trial has the intervals that it is ranked with, or the reason why it has none."""
    known = bool(record.intervals) or record.basis is not None
    return known or is_screened(record.metrics)  # which is ranked with nothing


def _verdict(file: Held, standing: Standing) -> tuple[bool, str]:
    match file.kind:
        case Kind.CHECKPOINT | Kind.PREDICTIONS:
            return _of_trial(file, standing)
        case Kind.STATE:
            return _state(file, standing)
        case Kind.FINAL_CHECKPOINT:
            return _of_finalist(file, standing)
        case Kind.TUNE if standing.driven:
            return True, "a run is at work"
        case Kind.TUNE:
            return False, "nothing reads it once a run has ended"
        case Kind.LEFT if standing.now_ns - file.mtime_ns < LATELY_NS:
            return True, "begun within the last hour, it may be at work"
        case Kind.LEFT:
            return False, "left by a process that was killed"
    return True, "it stays whatever is set"


def _of_trial(file: Held, standing: Standing) -> tuple[bool, str]:
    record = standing.trials.get(str(file.of))
    if record is None:
        return True, "of a trial that has no record"
    if not is_over(record):
        return True, "its trial has not ended"
    own = _checkpoint if file.kind == Kind.CHECKPOINT else _predictions
    setting = words(getattr(standing.keep, file.kind.value))
    if ALL in setting:
        return True, f"keep.{file.kind.value} is {ALL}"
    if file.epoch in (None, record.best_epoch) and record.best_epoch is not None:
        if why := own(record, standing):
            return True, why
        return _of_best(file, record, standing, setting)
    if file.kind == Kind.CHECKPOINT or file.epoch is None:
        return False, "not of the best epoch of its trial"
    return _of_another(file, standing, setting)


def _checkpoint(record: TrialRecord, standing: Standing) -> str:
    """Why the best checkpoint of a trial is still needed."""
    if not is_settled(record):
        return "its trial is not settled yet"
    return "its trial is still to be scored in other modes" * (record.trial in standing.unmade)


def _predictions(record: TrialRecord, standing: Standing) -> str:
    """Why the predictions of a trial's best epoch are still needed."""
    if not has_intervals(record) or (record.collapsed is None and is_screened(record.metrics)):
        return "its trial has no intervals yet"
    full = not standing.measured and not is_screened(record.metrics)
    return "the choice of the best is still to be measured" * full


def _of_best(
    file: Held, record: TrialRecord, standing: Standing, setting: tuple[str, ...]
) -> tuple[bool, str]:
    if set(setting) & {EACH, SCORED}:
        return True, "of the best epoch of its trial"
    for word in setting:
        if why := standing.chosen.get(word, {}).get(record.trial):
            return True, f"its trial is {why}"
    return False, f"its trial is none of those that stay: {', '.join(setting)}"


def _of_another(file: Held, standing: Standing, setting: tuple[str, ...]) -> tuple[bool, str]:
    """Of the predictions of an epoch that is not its trial's best."""
    if SCORED not in setting and standing.measured:
        return False, "not of the best epoch of its trial"
    if not standing.in_full(str(file.of), int(file.epoch or 0)):
        return False, "of an epoch that was only screened, and is not the best of its trial"
    if SCORED in setting:
        return True, "of an epoch that was scored in full"
    return True, "the choice of the best is still to be measured"


def _state(file: Held, standing: Standing) -> tuple[bool, str]:
    trial = standing.trials.get(str(file.of))
    if file.of in standing.runs or (trial is not None and is_over(trial)):
        return False, "its training has ended"
    return True, "its training goes on from it"


def _of_finalist(file: Held, standing: Standing) -> tuple[bool, str]:
    if file.of not in standing.runs:
        return True, "its training has not ended"
    if standing.keep.finalists == ALL:
        return True, f"keep.finalists is {ALL}"
    if standing.keep.finalists == BEST and file.of in standing.champions:
        return True, "the best training of its norm or arm on validation patients"
    return False, f"keep.finalists is {standing.keep.finalists}"


class Choosing(NamedTuple):
    """What tells trials from each other.

    Attributes:
        objective: By which they are ranked.
        objectives: The two of a Pareto front; empty: there is none.
        top: How many of each norm or arm are the best.
        per_norm: How many of each norm or arm become finalists.
        by: What finalists are chosen by.

    """

    objective: str
    objectives: tuple[str, ...]
    top: int
    per_norm: int
    by: str


def chosen(
    records: Collection[TrialRecord],
    choosing: Choosing,
    wanted: Collection[str] = SOME,
    planned: Collection[str] = (),
) -> dict[str, dict[str, str]]:
    """The trials that words of ``keep`` choose, and as what.

    A trial that is not chosen will not be when more trials have ended.

    Args:
        records: Trials that have ended.
        choosing: How.
        wanted: The words.
        planned: Trials that finalists were chosen from.

    """
    found: dict[str, dict[str, str]] = {}
    if BEST in wanted:
        found[BEST] = _leading(records, choosing.objective, choosing.top, screened=False)
    if FINALISTS in wanted:
        likely = _leading(records, choosing.by, choosing.per_norm, screened=True)
        found[FINALISTS] = {**likely, **dict.fromkeys(planned, "one of the finalists")}
    if FRONT in wanted and choosing.objectives:
        full = [one for one in records if _in_full(one)]
        points = [point_of(one.metrics, choosing.objectives) for one in full]
        front = zip(full, ranks(points), strict=True)
        found[FRONT] = {one.trial: "on the Pareto front" for one, rank in front if rank == 0}
    return found


def champions(records: Iterable[FinalistRecord], by: str) -> frozenset[str]:
    """Of each norm or arm the training of a finalist that scores best on validation patients."""
    best: dict[str, tuple[float, str]] = {}
    for record in records:
        if VALIDATION in record.metrics:
            group = group_of(record.run.params, record.run.norm)
            one = goodness(record.metrics[VALIDATION], by), record.run.name
            best[group] = max(best.get(group, one), one)
    return frozenset(name for _, name in best.values())


def _leading(
    records: Iterable[TrialRecord], by: str, count: int, *, screened: bool
) -> dict[str, str]:
    """The best of each norm or arm; with ``screened``, where too few were scored in full, others.

    A trial counts by its best mode, as `mrisweep best` ranks each.
    """
    groups: dict[str, list[tuple[bool, float, str]]] = {}
    for one in records:
        if one.best_epoch is None or not (screened or _in_full(one)):
            continue
        rows: list[Mapping[str, float]] = [
            one.metrics,
            *(row.metrics for row in one.modes.values() if not screened),
        ]
        if is_screened(one.metrics):
            rows = [scores_in(one.metrics)]
        value = max(goodness(row, by) for row in rows)
        own = is_screened(one.metrics), -value, one.trial
        groups.setdefault(group_of(one.params, one.norm), []).append(own)
    return {
        trial: f"one of the {count} best of their norm or arm"
        for own in groups.values()
        for _, _, trial in sorted(own)[:count]
    }


def _in_full(record: TrialRecord) -> bool:
    return record.best_epoch is not None and not is_screened(record.metrics)

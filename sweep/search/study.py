"""Optuna's studies in the sweep's folder: what was asked, what came of it."""

import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from sweep.config.search import TURNS, SearchSettings, epochs_of, stratum_of
from sweep.config.space import Dimension
from sweep.core.errors import WorkError
from sweep.core.kinds import require_kind
from sweep.core.reading import read_bytes, readable
from sweep.core.records import Status, is_missing, scores_in
from sweep.search.distributions import decode, distribution_of, encode
from sweep.search.drawing import draw
from sweep.search.grid import grid_order
from sweep.search.journal import JournalInParts
from sweep.search.samplers import BLIND, EPOCH, REACHED

optuna.logging.set_verbosity(logging.ERROR)  # it warns of what is seen to here, and of speed

STATUS: dict[TrialState, Status] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
STATES = {status: state for state, status in STATUS.items()}
NOTHING: Mapping[str, str] = MappingProxyType({})
NUMBER, EPOCHS, FROM = "number", "epochs", "from"  # what is noted with a trial in the journal
NO_JOURNAL = (
    "put both back as they were; of a damaged journal without a copy: move it away, and `mrisweep "
    "resume` makes it again of the records of the trials"
)


class Suggestion(NamedTuple):
    """A configuration to try.

    Attributes:
        trial: Its name in the folder, in MLflow and in tables.
        number: Its number in the sweep, from 0; Optuna counts the trials of each stratum.
        params: The searched values by dotted name.
        stratum: The name of the trials it is compared with for early stopping.

    """

    trial: str
    number: int
    params: dict[str, Any]
    stratum: str

    def to_tune(self) -> dict[str, Any]:
        """The dictionary that stands for it in Tune's hands."""
        return self._asdict()

    @classmethod
    def from_tune(cls, config: Mapping[str, Any]) -> Self:
        """Back from ``to_tune``.

        Raises:
            WorkError: A dictionary that is no suggestion.

        """
        if set(config) != set(cls._fields):
            raise WorkError(
                "a trial of Tune's is not one of this sweep",
                f"the keys {sorted(config)} instead of {sorted(cls._fields)}",
                "run sweeps by `mrisweep run`",
            )
        return cls(**config)


class Told(NamedTuple):
    """A trial of an earlier sweep, as the samplers of this one learn from it.

    Attributes:
        name: Says where it comes from.
        params: What it would have as a trial of this sweep.
        reports: Epoch -> what is maximised.
        pruned: Whether it was stopped early, or diverged.
        metrics: Of its best epoch; empty where it diverged.

    """

    name: str
    params: dict[str, Any]
    reports: dict[int, tuple[float, ...]]
    pruned: bool
    metrics: Mapping[str, float]


class Study:
    """Ask for configurations, tell how they did; every answer is in the journal at once.

    In the journal each stratum has a study of its own, ``<name>/<stratum>``, unless there is one
    search for all, ``<name>``. A trial is written whole or not at all: what is interrupted while it
    is drawn has left nothing, and is drawn again with the same values.

    Args:
        path: The path of the journal, a file or a folder of parts; continued where it exists.
        name: The name of the sweep.
        settings: Space, sampler, strata and their budget.
        seed: The seed of the sampler. Each trial is drawn from (seed, its number or its place in
            its study) and what was told before, so that a resumed sweep asks what an uninterrupted
            one would have asked.
        epochs: Those of a trial that runs to its end, where they are not searched.
        about: What a reader of the journal is to know of the sweep beside its name, by name.

    Raises:
        WorkError: The journal is damaged, or of another search.

    """

    def __init__(
        self,
        path: Path,
        name: str,
        settings: SearchSettings,
        seed: int,
        epochs: int = 1,
        about: Mapping[str, str] = NOTHING,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.epochs = epochs
        self.dimensions = settings.dimensions()
        self.grid = grid_order(settings, seed) if settings.sampler == "grid" else []
        self.strata: tuple[Any, ...] = settings.strata() if settings.apart() else ()
        names = [f"{name}/{stratum}" for stratum in self.strata] or [name]
        self._ids: dict[int, int] = {}  # Optuna's, by number in the sweep
        self._places, self._used = [0] * len(names), [0] * len(names)  # trials, epochs of a study
        wrong = "the journal of the search cannot be read, or is not of the search of sweep.yaml"
        with readable(wrong, path, NO_JOURNAL, WorkError):
            self._journal = _backend(path)
            self.storage = JournalStorage(self._journal)
            self.studies = [self._study(one) for one in names]
            self._describe({"sweep": name, **about})
            for number, trial in self._numbered().items():
                self._ids[number] = trial._trial_id
                self._count(trial)
                self.suggestion(number)

    def _study(self, name: str) -> optuna.Study:
        """A study of the journal, made where it is not there yet."""
        return optuna.create_study(
            storage=self.storage,
            study_name=name,
            directions=["maximize"] * len(self.settings.maximised),
            load_if_exists=True,
        )

    def _describe(self, about: Mapping[str, str]) -> None:
        """Say in the journal what is maximised and of which sweep, where that is not there yet."""
        maximised = list(self.settings.maximised)
        for study, stratum in zip(self.studies, self.strata or [None], strict=True):
            if study.metric_names != maximised:
                with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                    study.set_metric_names(maximised)
            of = {} if stratum is None else {str(self.settings.stratify): encode(stratum)}
            there = study.user_attrs
            for name, text in {**about, **of}.items():
                if name not in there:
                    study.set_user_attr(name, text)

    def numbers(self) -> list[int]:
        """Numbers of all trials, ascending."""
        return sorted(self._ids)

    def unfinished(self) -> list[int]:
        """Numbers of the trials that an interruption left without an end."""
        running = TrialState.RUNNING
        return [number for number in self.numbers() if self._trial(number).state == running]

    def asked(self) -> int:
        """How many trials were asked for that have, or will have, a result."""
        return len(self._ids)

    def ask(self) -> Suggestion:
        """A new trial; if a number is missing, as a part of the journal was lost, that of it."""
        number = next(one for one in count() if one not in self._ids)
        which = self._whose_turn(number)
        dimensions, fixed = self._of_stratum(which, number)
        place = self._place(which, number)
        start = self._start(fixed, place)
        key = (self.seed, number, place)
        drawn = draw(self.settings, dimensions, self._known(which), fixed, start, key)
        self.studies[which].add_trial(
            _trial(
                dimensions,
                drawn.params,
                state=TrialState.RUNNING,
                user_attrs={NUMBER: number, "trial": _name(number)},
                system_attrs=drawn.notes,
            )
        )
        self._added(which, number)
        return self.suggestion(number)

    def enter(self, number: int, params: Mapping[str, Any]) -> None:
        """Put a trial into the journal that is not there, as a part of it was lost.

        Args:
            number: Its number.
            params: The values that it was drawn with.

        """
        which = self._index({name: encode(value) for name, value in params.items()})
        dimensions, _ = self._of_stratum(which, number)
        values = {name: value for name, value in params.items() if name in dimensions}
        notes = {NUMBER: number, "trial": _name(number)}
        state = TrialState.RUNNING
        self.studies[which].add_trial(_trial(dimensions, values, state=state, user_attrs=notes))
        self._added(which, number)

    def _added(self, which: int, number: int) -> None:
        added = self.studies[which].get_trials(deepcopy=False)[-1]
        self._ids[number] = added._trial_id
        self._count(added)

    def _place(self, which: int, number: int) -> int:
        """The place of a trial in its study: how many are there with smaller numbers."""
        place = self._places[which]
        if number < len(self._ids):  # others of its study may have been asked for since
            later = (one for one in self._ids if one > number)
            place -= sum(self._index(self._trial(one).params) == which for one in later)
        return place

    def suggestion(self, number: int) -> Suggestion:
        """A trial asked for before."""
        drawn = self._trial(number).params
        params = {
            name: decode(item, drawn[name])
            for name, item in self.dimensions.items()
            if name in drawn
        }
        return Suggestion(_name(number), number, params, stratum_of(self.settings, params))

    def status(self, number: int) -> Status:
        """How far a trial is."""
        return STATUS[self._trial(number).state]

    def report(self, number: int, epoch: int, *values: float) -> None:
        """Record what is maximised of one epoch; a second report of an epoch is ignored.

        Optuna takes reports of one objective; those of two are noted with the trial.
        """
        trial = self._trial(number)
        if len(values) > 1:
            if (name := f"{EPOCH}{epoch}") not in trial.user_attrs:
                self._live(trial).set_user_attr(name, values)
        elif epoch not in trial.intermediate_values:
            self._live(trial).report(values[0], epoch)

    def heard(self) -> dict[tuple[int, int], int]:
        """(Number, epoch) of every report -> its place in the order in which they were told.

        That is the order of the journal, which no clock decides.
        """
        numbers = {trial: number for number, trial in self._ids.items()}
        for study in self.studies:  # of a trial that was reopened there is more than one
            for trial in study.get_trials(deepcopy=False):
                if NUMBER in trial.user_attrs:
                    numbers[trial._trial_id] = trial.user_attrs[NUMBER]
        places: dict[tuple[int, int], int] = {}
        for place, line in enumerate(self._journal.read_logs(0)):
            number, epoch = numbers.get(line.get("trial_id", -1)), _epoch_told(line)
            if number is not None and epoch is not None:
                places.setdefault((number, epoch), place)
        return places

    def tell(
        self,
        number: int,
        state: TrialState,
        metrics: Mapping[str, float] | None = None,
        epochs: int = 0,
    ) -> None:
        """End a trial.

        Args:
            number: Its number.
            state: COMPLETE with what is maximised, at its best epoch; PRUNED if it was stopped
                early, or diverged, which is to have reported nothing; FAIL if it says nothing of
                its values, as its worker died.
            metrics: Of its best epoch.
            epochs: How many it had.

        """
        trial = self._trial(number)
        if trial.state.is_finished():
            return
        live = self._live(trial)
        live.set_user_attr(EPOCHS, epochs)
        if state != TrialState.FAIL:
            for text, excess in self._excess(scores_in(metrics or {})).items():
                if text not in trial.constraints:  # else it was told as the driver died
                    live.set_constraint(text, excess)
        complete = state == TrialState.COMPLETE
        if metrics and len(self.settings.maximised) > 1:
            live.set_user_attr(REACHED, self.settings.values(scores_in(metrics)))
        values = self.settings.values(metrics or {}) if complete else None
        live.study.tell(trial.number, values, state=state)
        spared = self._epochs_of(trial) - self._epochs_of(self._trial(number))
        self._used[self._index(trial.params)] -= spared

    def reopen(self, number: int) -> None:
        """Have a trial that ended run again, with the same values and under the same number.

        Optuna's trials end once: it is another one there, and the earlier one counts no more.
        """
        before = self._trial(number)
        study = self.studies[self._index(before.params)]
        study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=before.params,
                distributions=before.distributions,
                user_attrs={NUMBER: number, "trial": _name(number)},
                system_attrs=before.system_attrs,
            )
        )
        self._ids[number] = study.get_trials(deepcopy=False)[-1]._trial_id
        spared = self._epochs_of(before) - self._epochs_of(self._trial(number))
        self._used[self._index(before.params)] -= spared

    def has_learnt(self) -> bool:
        """Whether all of an earlier sweep is in the journal already."""
        return FROM in self.studies[0].user_attrs

    def learn_from(self, source: str, told: Sequence[Told]) -> None:
        """Put the trials of an earlier sweep into the journal, for the samplers to read.

        If it is interrupted, it goes on with those that are not there yet.
        """
        there = {
            trial.user_attrs.get(FROM)
            for study in self.studies
            for trial in study.get_trials(deepcopy=False)
        }
        for one in told:
            if one.name not in there:
                which = self._index(one.params)
                self.studies[which].add_trial(
                    _trial(
                        self._of_stratum(which)[0],
                        one.params,
                        state=TrialState.PRUNED if one.pruned else TrialState.COMPLETE,
                        values=None if one.pruned else self.settings.values(one.metrics),
                        constraints=self._excess(scores_in(one.metrics)),
                        **self._noted(one),
                    )
                )
        self.studies[0].set_user_attr(FROM, source)

    def _noted(self, told: Told) -> dict[str, Any]:
        """The reports of a trial of an earlier sweep, where those of this one have theirs."""
        notes: dict[str, Any] = {FROM: told.name}
        if len(self.settings.maximised) == 1:
            reports = {epoch: value for epoch, (value,) in told.reports.items()}
            return {"user_attrs": notes, "intermediate_values": reports}
        notes |= {f"{EPOCH}{epoch}": values for epoch, values in told.reports.items()}
        if told.metrics:
            notes[REACHED] = self.settings.values(scores_in(told.metrics))
        return {"user_attrs": notes}

    def trials(self) -> list[FrozenTrial]:
        """The trials by number; those of a sweep that was begun without numbers are in order.

        Of one that was reopened, the last.
        """
        return list(self._numbered().values())

    def _numbered(self) -> dict[int, FrozenTrial]:
        own = [
            trial
            for study in self.studies
            for trial in study.get_trials(deepcopy=False)
            if _is_own(trial, self.dimensions)
        ]
        numbers = [trial.user_attrs.get(NUMBER, place) for place, trial in enumerate(own)]
        require_kind(list[int], numbers)
        if min(numbers, default=0) < 0:
            raise ValueError("a number of a trial is below 0")
        last = dict(zip(numbers, own, strict=True))
        return {number: last[number] for number in sorted(last)}

    def _trial(self, number: int) -> FrozenTrial:
        """As it stands in the journal; the others are not walked through."""
        return self.storage.get_trial(self._ids[number])

    def _known(self, which: int) -> list[FrozenTrial]:
        """What a sampler may learn from in a study; of one that does not learn, nothing."""
        if self.settings.method() in BLIND:
            return []
        trials = self.studies[which].get_trials(deepcopy=False)
        return [trial for trial in trials if _is_whole(trial, self.dimensions)]

    def _count(self, trial: FrozenTrial) -> None:
        which = self._index(trial.params)
        self._places[which] += 1
        self._used[which] += self._epochs_of(trial)

    def _live(self, trial: FrozenTrial) -> Trial:
        """A trial to write to; Optuna gives one only to the process that asked for it."""
        return Trial(self.studies[self._index(trial.params)], trial._trial_id)

    def _index(self, params: Mapping[str, Any]) -> int:
        """Which study the trial with these values is of."""
        if not self.strata:
            return 0
        return [encode(one) for one in self.strata].index(params[str(self.settings.stratify)])

    def _whose_turn(self, number: int) -> int:
        """Which study the next trial is of.

        The strata take turns; where their epochs are to be equal, it is the turn of the one that
        has used the fewest, of equals the one with the fewest trials. A trial that runs counts as
        if it ran to its end.
        """
        if not self.strata:
            return 0
        if self.settings.equal == "trials":
            return number % len(self.strata)
        return min(zip(self._used, self._places, range(len(self.strata)), strict=True))[2]

    def _epochs_of(self, trial: FrozenTrial) -> int:
        most = epochs_of(trial.params, self.epochs)
        return int(trial.user_attrs.get(EPOCHS, most)) if trial.state.is_finished() else most

    def _of_stratum(
        self, which: int, number: int = 0
    ) -> tuple[dict[str, Dimension], dict[str, Any]]:
        """What is searched in a study, and what the trial of a number has without being drawn."""
        name = str(self.settings.stratify)
        if self.strata:
            value = self.strata[which]
            one = {name: Dimension("choice", (value,))}
            fixed = self.grid[number] if self.grid else {name: value}
            return {**self.dimensions, **one}, fixed
        strata = self.settings.strata() if self.settings.budget == TURNS else ()
        turn = {name: strata[number % len(strata)]} if strata else {}
        return self.dimensions, self.grid[number] if self.grid else turn

    def _start(self, fixed: Mapping[str, Any], place: int) -> dict[str, Any]:
        """The given configuration of a place in a stratum, or none."""
        own = [
            given
            for given in self.settings.start
            if all(given.get(name, value) == value for name, value in fixed.items())
        ]
        return own[place] if place < len(own) else {}

    def _excess(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """By how much each condition is missed; by 1, as scores lie in [0, 1], without a value."""
        excess = {}
        for text, condition in zip(
            self.settings.subject_to, self.settings.conditions(), strict=True
        ):
            above = metrics.get(condition.metric, math.nan) - condition.bound
            missed = above if "<" in condition.sign else -above
            excess[text] = 1.0 if is_missing(missed) else missed
        return excess


def _backend(path: Path) -> BaseJournalBackend:
    """A file that is added to, or a folder of parts."""
    if path.suffix == ".parts":
        return JournalInParts(path)
    _mend(path)
    return JournalFileBackend(str(path))


def _mend(path: Path) -> None:
    """Cut off a last line that a kill has torn; Optuna would write on in it and read none again."""
    if path.exists() and (torn := len(read_bytes(path, None).rpartition(b"\n")[2])):
        os.truncate(path, path.stat().st_size - torn)


def _epoch_told(line: Mapping[str, Any]) -> int | None:
    """The epoch that a line of the journal reports; None: it says something else."""
    if "step" in line:
        return int(line["step"])
    notes = (name for name in line.get("user_attr", ()) if name.startswith(EPOCH))
    return next((int(name.removeprefix(EPOCH)) for name in notes), None)


def _name(number: int) -> str:
    return f"trial-{number:04d}"


def _trial(
    dimensions: Mapping[str, Dimension], params: Mapping[str, Any], **rest: Any
) -> FrozenTrial:
    """A trial in Optuna's terms."""
    return create_trial(
        params={name: encode(value) for name, value in params.items()},
        distributions={name: distribution_of(dimensions[name]) for name in params},
        **rest,
    )


def _is_own(trial: FrozenTrial, dimensions: Mapping[str, Dimension]) -> bool:
    return FROM not in trial.user_attrs and _is_whole(trial, dimensions)


def _is_whole(trial: FrozenTrial, dimensions: Mapping[str, Dimension]) -> bool:
    """Whether it was drawn to its end; earlier versions wrote a trial value by value."""
    if trial.user_attrs.keys() & {NUMBER, FROM}:
        return True
    return trial.state != TrialState.WAITING and trial.params.keys() == dimensions.keys()

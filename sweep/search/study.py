"""The Optuna study in the sweep's folder: what was asked, what came of it."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from sweep.config.search import SearchSettings
from sweep.config.space import Dimension
from sweep.core.errors import WorkError
from sweep.core.keys import seed_of
from sweep.core.records import Status
from sweep.search.grid import grid_order

optuna.logging.set_verbosity(logging.WARNING)

STATUS: dict[TrialState, Status] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
PRIMITIVE = (bool, int, float, str, type(None))


class Suggestion(NamedTuple):
    """A configuration to try.

    Attributes:
        trial: Its name in the folder, in MLflow and in tables.
        number: Its number in the sweep, from 0; Optuna's differs after an interrupted drawing.
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


class Study:
    """Ask for configurations, tell how they did; every answer is in the journal at once.

    Args:
        path: The path of the journal; continued where it exists.
        name: The name of the study.
        settings: Space, sampler, stratification.
        seed: The seed of the sampler. Each trial is drawn from (seed, its number) and what was told
            before, so that a resumed sweep asks what an uninterrupted one would have asked.

    """

    def __init__(self, path: Path, name: str, settings: SearchSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.dimensions = settings.dimensions()
        self.grid = grid_order(settings, seed) if settings.sampler == "grid" else []
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path))),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )

    def unfinished(self) -> list[int]:
        """Numbers of the trials that an interruption left without an end.

        What was interrupted while it was being drawn is ended in Optuna's study and is no trial:
        its number is drawn anew, with the same values, so that no stratum loses its turn.
        """
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if not self._is_whole(trial):
                self.study.tell(trial.number, state=TrialState.FAIL)
        return [
            number
            for number, trial in enumerate(self._trials())
            if trial.state == TrialState.RUNNING
        ]

    def asked(self) -> int:
        """How many trials were asked for that have, or will have, a result."""
        return len(self._trials())

    def ask(self) -> Suggestion:
        """A new trial."""
        number = self.asked()
        self.study.sampler = self._sampler(number)
        self._enqueue(self._given(number))
        trial = self.study.ask()
        for name, dimension in self.dimensions.items():
            _suggest(trial, name, dimension)
        return self.suggestion(number)

    def suggestion(self, number: int) -> Suggestion:
        """A trial asked for before."""
        drawn = self._trials()[number].params
        params = {name: _decode(item, drawn[name]) for name, item in self.dimensions.items()}
        stratum = str(params.get(self.settings.stratify or ""))
        return Suggestion(f"trial-{number:04d}", number, params, stratum)

    def status(self, number: int) -> Status:
        """How far a trial is."""
        return STATUS[self._trials()[number].state]

    def _trials(self) -> list[FrozenTrial]:
        """The trials by number, which is Optuna's only while no drawing was interrupted."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if self._is_whole(trial)]

    def _is_whole(self, trial: FrozenTrial) -> bool:
        drawn = trial.state != TrialState.WAITING
        return drawn and set(trial.params) == set(self.dimensions)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Record the objective of one epoch; a second report of an epoch is ignored."""
        frozen = self._trials()[number]
        if epoch not in frozen.intermediate_values:
            # Optuna gives a live trial only to the process that asked for it.
            Trial(self.study, frozen._trial_id).report(value, epoch)

    def tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        """End a trial: COMPLETE with its value, PRUNED or FAIL without."""
        optuna_number = self._trials()[number].number
        self.study.tell(optuna_number, value, state=state, skip_if_finished=True)

    def _sampler(self, number: int) -> BaseSampler:
        seed = seed_of("sampler", self.seed, number) % 2**32
        if self.settings.sampler == "tpe":
            return TPESampler(seed=seed)
        return RandomSampler(seed=seed)  # of a grid it is asked for nothing

    def _given(self, number: int) -> dict[str, Any]:
        """What is not left to the sampler: the stratum whose turn it is, or all of a grid."""
        if self.grid:
            return self.grid[number]
        strata = self.settings.strata()
        return {str(self.settings.stratify): strata[number % len(strata)]} if strata else {}

    def _enqueue(self, given: dict[str, Any]) -> None:
        """Have the next trial take these values; an interrupted drawing has done so already."""
        if given and not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self.study.enqueue_trial({name: _encode(value) for name, value in given.items()})


def _encode(value: Any) -> Any:
    """Optuna stores plain values only; a list stands as its JSON."""
    return value if isinstance(value, PRIMITIVE) else json.dumps(value)


def _decode(dimension: Dimension, value: Any) -> Any:
    if dimension.kind != "choice":
        return value
    return next(choice for choice in dimension.values if _encode(choice) == value)


def _suggest(trial: Trial, name: str, dimension: Dimension) -> None:
    kind, values = dimension.kind, dimension.values
    if kind == "choice":
        trial.suggest_categorical(name, [_encode(value) for value in values])
    elif kind.startswith("int"):
        trial.suggest_int(name, *values, log=kind == "int_log")
    else:
        trial.suggest_float(name, *values, log=kind == "log")

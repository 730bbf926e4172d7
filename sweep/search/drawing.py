"""How the values of one trial are drawn: of its key and of what was told before, nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial

from sweep.config.search import START, TURNS, SearchSettings
from sweep.config.space import Dimension, applying
from sweep.core.keys import seed_of
from sweep.search.distributions import decode, distribution_of, encode
from sweep.search.samplers import learnt_from, make_sampler, shown
from sweep.search.sobol import sobol_point

ENQUEUED = "fixed_params"  # where Optuna keeps what was enqueued


class Drawn(NamedTuple):
    """The values of a trial.

    Attributes:
        params: By dotted name; of a dimension that does not apply there is none.
        notes: What the sampler wants to find with the trial when it draws the next.

    """

    params: dict[str, Any]
    notes: dict[str, Any]


def draw(
    settings: SearchSettings,
    dimensions: Mapping[str, Dimension],
    trials: Sequence[FrozenTrial],
    fixed: Mapping[str, Any],
    start: Mapping[str, Any],
    key: tuple[int, int, int],
) -> Drawn:
    """Draw a trial.

    Args:
        settings: The search.
        dimensions: What is searched in its study, none before those that it depends on.
        trials: All trials of its study so far.
        fixed: Values that are not to be drawn: that of its stratum, or all of a grid.
        start: A given configuration to begin with; empty: none.
        key: The seed of the sweep; the number of the trial in the sweep, the key of what a sampler
            draws; its place in its study, the key of its Sobol point, which is the same in every
            study.

    """
    seed, number, place = key
    if fixed.keys() >= dimensions.keys():
        return Drawn(applying(dimensions, fixed), {})
    seen = shown(trials, settings)
    if start or _is_even(settings, len(trials), learnt_from(seen, settings)):
        point = sobol_point(settings.free(), seed, place)
        return Drawn(applying(dimensions, {**point, **start, **fixed}), {})
    sampler = make_sampler(settings, seed_of("sampler", seed, number) % 2**32)
    return _sampled(sampler, len(settings.maximised), dimensions, seen, fixed)


def _is_even(settings: SearchSettings, known: int, learnt: int) -> bool:
    """Whether a trial is a point of the Sobol sequence: the first of all, and until one can learn.

    What is drawn before the first trials have ended goes on with the sequence; of trials of an
    earlier sweep it is learnt at once.
    """
    if settings.method() == "sobol":
        return True
    if settings.method() == "random" or settings.budget == TURNS:
        return False
    first = START * (max(1, len(settings.strata())) if settings.budget == "joint" else 1)
    return known < first or learnt < START


def _sampled(
    sampler: BaseSampler,
    objectives: int,
    dimensions: Mapping[str, Dimension],
    trials: Sequence[FrozenTrial],
    fixed: Mapping[str, Any],
) -> Drawn:
    """Ask a sampler in a study of its own, of which nothing is left if it is interrupted."""
    storage = InMemoryStorage()
    study = optuna.create_study(
        storage=storage, directions=["maximize"] * objectives, sampler=sampler
    )
    own = storage.get_study_id_from_name(study.study_name)
    for known in trials:
        storage.create_new_trial(own, _Shown.of(known))
    study.enqueue_trial({name: encode(value) for name, value in fixed.items()})
    trial = study.ask()
    params: dict[str, Any] = {}
    for name, dimension in dimensions.items():
        if dimension.applies(params):
            params[name] = decode(dimension, _suggest(trial, name, dimension))
    notes = study.get_trials(deepcopy=False)[-1].system_attrs
    return Drawn(params, {name: note for name, note in notes.items() if name != ENQUEUED})


class _Shown(FrozenTrial):
    """A trial that the storage in memory takes without a copy of all that it holds.

    Of thousands of trials the copies take far longer than the drawing. Whatever changes a trial
    there puts another in its place, so that nothing of the one that is shown changes.
    """

    @classmethod
    def of(cls, trial: FrozenTrial) -> "_Shown":
        """The same trial."""
        shown = cls.__new__(cls)
        shown.__dict__.update(trial.__dict__)
        return shown

    def __deepcopy__(self, memo: object) -> "_Shown":
        """Itself: its number alone is set, and it was made to be shown once."""
        return self


def _suggest(trial: Trial, name: str, dimension: Dimension) -> Any:
    match distribution_of(dimension):
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution(low=low, high=high, log=log):
            return trial.suggest_int(name, low, high, log=log)
        case FloatDistribution(low=lowest, high=highest, log=log):
            return trial.suggest_float(name, lowest, highest, log=log)

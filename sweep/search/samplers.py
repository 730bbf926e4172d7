"""Optuna's samplers, set for few trials, and what each is shown of the trials so far."""

import warnings
from collections.abc import Sequence

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.config.search import START, TURNS, SearchSettings

POPULATION = 2 * START  # a sweep has tens of trials in a stratum, where Optuna's 50 never breed
READS_PRUNED = ("tpe",)


def make_sampler(settings: SearchSettings, seed: int) -> BaseSampler:
    """The sampler of one trial.

    Args:
        settings: The search.
        seed: The key of the trial.

    """
    method = settings.method()
    if settings.budget == TURNS and method == "tpe":
        return TPESampler(seed=seed)  # as the sweep began
    match method:
        case "tpe":
            varying = any(one.when for one in settings.free().values())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # of `group`
                return TPESampler(
                    seed=seed, n_startup_trials=START, multivariate=True, group=varying
                )
        case "gp":
            return GPSampler(seed=seed, n_startup_trials=START, warn_independent_sampling=False)
        case "cmaes":
            return CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "nsga2":
            return NSGAIISampler(seed=seed, population_size=POPULATION)
        case _:
            return RandomSampler(seed=seed)


def learnt_from(trials: Sequence[FrozenTrial], settings: SearchSettings) -> int:
    """How many trials the sampler learns from, of those that it is shown."""
    states = {TrialState.COMPLETE}
    if settings.method() in READS_PRUNED:
        states.add(TrialState.PRUNED)
    return sum(trial.state in states for trial in trials)


def shown(trials: Sequence[FrozenTrial], settings: SearchSettings) -> list[FrozenTrial]:
    """The trials as the sampler is to see them.

    TPE ranks trials that were stopped early by how far they came, and those that diverged, which
    were stopped without a report, below them all. The other samplers read finished trials alone,
    and would go back to where trials diverge as if nothing had been tried there: to them a stopped
    trial has finished at the best that it reached, and a diverged one at the worst value of all.
    Until a trial meets the conditions, the Gaussian process is to miss them by less.
    """
    method = settings.method()
    if method in ("tpe", "random", "sobol", "grid") or settings.budget == TURNS:
        return list(trials)
    reached = [value for trial in trials if (value := _reached(trial)) is not None]
    if not reached:
        return list(trials)
    seen = [_as_finished(trial, min(reached)) for trial in trials]
    if method == "nsga2":
        for trial in seen:  # what came from elsewhere are its first ancestors
            trial.system_attrs.setdefault(NSGAIISampler._get_generation_key(), 0)
    return _towards_conditions(seen) if method == "gp" else seen


def _towards_conditions(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The trials with how far they miss the conditions as their value, until one meets them.

    Optuna's Gaussian process then maximises the probability to meet them alone. Many standard
    deviations away that is 0 everywhere, and it would draw at random. Where all miss them alike,
    nothing tells which way they lie, and the values stay.
    """
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    missed = [-_excess(trial) for trial in finished]
    if max(missed, default=0.0) == 0:
        return trials
    values = missed if len(set(missed)) > 1 else [trial.value for trial in finished]
    rest = [trial for trial in trials if trial.state != TrialState.COMPLETE]
    return rest + [
        create_trial(value=value, params=trial.params, distributions=trial.distributions)
        for value, trial in zip(values, finished, strict=True)
    ]


def _excess(trial: FrozenTrial) -> float:
    return sum(max(missed, 0.0) for missed in trial.constraints.values())


def _reached(trial: FrozenTrial) -> float | None:
    if trial.state == TrialState.COMPLETE:
        return trial.value
    if trial.state == TrialState.PRUNED:
        return max(trial.intermediate_values.values(), default=None)
    return None


def _as_finished(trial: FrozenTrial, worst: float) -> FrozenTrial:
    reached = _reached(trial)
    if trial.state != TrialState.PRUNED:
        state, value = trial.state, trial.value
    else:
        state, value = TrialState.COMPLETE, worst if reached is None else reached
    return create_trial(
        state=state,
        value=value,
        params=trial.params,
        distributions=trial.distributions,
        system_attrs=dict(trial.system_attrs),
    )

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
BLIND = ("sobol", "random", "grid")  # what they draw depends on no other trial
EPOCH = "epoch "  # and a number: where a trial of two objectives notes them as reported
REACHED = "reached"  # where a trial of two objectives notes them as they were at its best epoch


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
    Where early epochs are screened, a stopped trial has no score that a finished one could be
    compared with: it is shown as what the finished one came to that lay next below it at its last
    epoch, or as the worst.
    Of two objectives TPE cannot rank trials that were stopped, and is shown what the others are;
    a diverged trial then has the worst value of each objective.
    Until a trial meets the conditions, the Gaussian process is to miss them by less.
    """
    method = settings.method()
    ranks_stopped = method == "tpe" and not settings.objectives
    if ranks_stopped or method in ("random", "sobol", "grid") or settings.budget == TURNS:
        return list(trials)
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    comparable = trials if settings.screen is None else finished
    reached = [values for trial in comparable if (values := _reached(trial))]
    if not reached:
        return list(trials)
    worst = list(map(min, zip(*reached, strict=True)))
    if settings.screen is None:
        seen = [_as_finished(trial, _reached(trial) or worst) for trial in trials]
    else:
        seen = [_as_finished(trial, _next_below(trial, finished, worst)) for trial in trials]
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
    differ = len(set(missed)) > 1
    rest = [trial for trial in trials if trial.state != TrialState.COMPLETE]
    return rest + [
        create_trial(
            values=[value] * len(trial.values) if differ else trial.values,
            params=trial.params,
            distributions=trial.distributions,
        )
        for value, trial in zip(missed, finished, strict=True)
    ]


def _excess(trial: FrozenTrial) -> float:
    return sum(max(missed, 0.0) for missed in trial.constraints.values())


def _reached(trial: FrozenTrial) -> list[float]:
    """What is maximised, at the best that an ended trial reached; of a diverged one nothing."""
    if trial.state == TrialState.COMPLETE:
        return list(trial.values)
    if trial.state != TrialState.PRUNED:
        return []
    if reports := trial.intermediate_values.values():
        return [max(reports)]
    return list(trial.user_attrs.get(REACHED, ()))


def _reports(trial: FrozenTrial) -> dict[int, Sequence[float]]:
    """Epoch -> what is maximised, as it was reported."""
    noted = {
        int(name.removeprefix(EPOCH)): values
        for name, values in trial.user_attrs.items()
        if name.startswith(EPOCH)
    }
    return noted | {epoch: (value,) for epoch, value in trial.intermediate_values.items()}


def _next_below(
    trial: FrozenTrial, finished: Sequence[FrozenTrial], worst: Sequence[float]
) -> Sequence[float]:
    """What those came to that were, in each objective, next below a trial at its last epoch."""
    reports = _reports(trial)
    if not reports:
        return worst
    last = max(reports)
    beside = [(found[last], one.values) for one in finished if last in (found := _reports(one))]
    values = []
    for place, mine in enumerate(reports[last]):
        below = [(then[place], end[place]) for then, end in beside if then[place] <= mine]
        values.append(max(below)[1] if below else worst[place])
    return values


def _as_finished(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    """The trial; one that was stopped as if it had finished with these values."""
    stopped = trial.state == TrialState.PRUNED
    return create_trial(
        state=TrialState.COMPLETE if stopped else trial.state,
        values=values if stopped else trial.values,
        params=trial.params,
        distributions=trial.distributions,
        system_attrs=dict(trial.system_attrs),
    )

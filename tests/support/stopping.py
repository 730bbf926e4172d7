"""Early stopping without a cluster: schedulers, and reports as a driver might see them."""

import random
from collections.abc import Iterator, Sequence

from sweep.config.search import SearchSettings, epochs_of
from sweep.core.records import EpochRecord
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.stopping.base import StoppingRule
from sweep.search.stopping.rules import make_rule
from sweep.search.study import Suggestion

METRIC = SearchSettings().objective


def scheduler_of(settings: SearchSettings, epochs: int) -> StratifiedScheduler:
    """What a sweep with these settings has."""
    return StratifiedScheduler(
        new_rule=lambda: make_rule(settings, epochs),
        values_of=lambda epoch, metrics: (metrics[settings.objective],),
        last_epoch=lambda params: epochs_of(params, epochs),
    )


def suggestion(number: int, stratum: str = "batch", **params: int) -> Suggestion:
    """A trial."""
    return Suggestion(f"trial-{number:04d}", number, params, stratum)


def record(trial: Suggestion, epoch: int, value: float, at: int) -> EpochRecord:
    """One reported epoch, evaluated at a time."""
    return EpochRecord(trial.trial, epoch, 1.0, 1.0, at, (), {METRIC: value})


def courses(key: int, trials: int, epochs: int) -> list[list[float]]:
    """A value for every epoch of every trial: some trials are better, all rise, all are noisy."""
    drawn = random.Random(key)
    ends = [drawn.uniform(0.5, 0.9) for _ in range(trials)]
    return [
        [end * (1 - 0.5 / epoch) + drawn.gauss(0, 0.05) for epoch in range(1, epochs + 1)]
        for end in ends
    ]


def arriving(key: int, trials: int, epochs: int) -> Iterator[tuple[int, int]]:
    """(trial, epoch) in the order of a driver with four trials at a time, without an end early."""
    drawn = random.Random(key)
    waiting = [iter([(trial, epoch) for epoch in range(1, epochs + 1)]) for trial in range(trials)]
    running: list[Iterator[tuple[int, int]]] = []
    while waiting or running:
        while waiting and len(running) < 4:
            running.append(waiting.pop(0))
        one = drawn.choice(running)
        report = next(one, None)
        if report is None:
            running.remove(one)
        else:
            yield report


def decided(
    rule: StoppingRule, values: Sequence[Sequence[float]], order: Sequence[tuple[int, int]]
) -> dict[int, int]:
    """Trial -> the epoch at which a rule stops it, of reports in an order."""
    stopped: dict[int, int] = {}
    for trial, epoch in order:
        if trial not in stopped and rule.stops(trial, epoch, (values[trial][epoch - 1],)):
            stopped[trial] = epoch
    return stopped

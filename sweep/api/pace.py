"""How long a sweep takes, from what its steps take and how its search will go."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.api.measure import Measured, Taken
from sweep.config.search import LEARNERS, SearchSettings
from sweep.config.search import START as START_POINTS
from sweep.config.sweep import SweepConfig
from sweep.config.tracking import ALL
from sweep.results.trackers import MLFLOW
from sweep.results.usage import HOUR_S
from sweep.search.forecast import Course, Forecast, forecast, unpruned

STARTED_S = 2.7  # the start of a worker where what follows was measured (docs/performance.md)

# In starts of a worker, so that they go with the machine.
START = 5.4  # the command, Ray (1.5), an evaluator (1.2), a trial's worker (1.2)
END = 1.0  # the choice, Ray's end
TRACKER = 2.0  # MLflow's import and a new database, beside the trials
TRACKER_TRIAL = 0.07  # what it is told of a trial, beside the trials
TRACKER_END = 0.4
MODEL = 1.1  # the network of a trial, for MLflow
FINALISTS = 2.2  # workers of finalists, trackers once more, and the conclusion
BEGIN = 0.04  # of a trial, on a worker that is there
REPORT = 0.02  # of an epoch: tables, Tune
LEAVE = 0.04  # of a trial
SPREAD = 1.3  # either way, by which the pace of hours differs from that of the few seconds measured
LOW, HIGH = 10, 90  # percentiles of the plays


@dataclass(frozen=True)
class Room:
    """Where a sweep runs.

    Attributes:
        trials: How many at a time.
        finalists: How many at a time, in the place of trials and evaluators.
        cpus: The CPUs of all nodes; None: nobody knows.
        start_s: Seconds until a new process has imported what a worker needs.

    """

    trials: int
    finalists: int = 1
    cpus: float | None = None
    start_s: float = STARTED_S


@dataclass(frozen=True)
class Parts:
    """Wall-clock seconds of the parts of a sweep, which follow each other.

    Attributes:
        start: Until the first trial trains.
        trials: All of them, as they are expected.
        rows: Rows of modes.
        finalists: Their training and scoring.
        end: What is left when all of that is done.
        shorter: The seconds of trials of which nine in ten searches take more.
        longer: Those of which nine in ten take less, of a sampler that is drawn to the slowest too.
        unpruned: Those of trials at most, if none is stopped and each is one of the slowest.

    """

    start: float
    trials: float
    rows: float
    finalists: float
    end: float
    shorter: float
    longer: float
    unpruned: float

    @property
    def expected(self) -> float:
        """Of the whole sweep."""
        return self.start + self.trials + self.rows + self.finalists + self.end

    @property
    def low(self) -> float:
        """A sweep that takes less would surprise."""
        return (self.expected - self.trials + self.shorter) / SPREAD

    @property
    def high(self) -> float:
        """A sweep that takes more would surprise."""
        return (self.expected - self.trials + self.longer) * SPREAD

    @property
    def most(self) -> float:
        """The high end where nothing is stopped early, and only the slowest is drawn."""
        return (self.expected - self.trials + max(self.longer, self.unpruned)) * SPREAD


class Pace:
    """How long the work of a sweep takes.

    Args:
        config: The sweep.
        measured: What was measured of it.
        room: Where it runs.
        screen_share: How much of a full stress test a screening is; None: none is.

    """

    def __init__(
        self, config: SweepConfig, measured: Measured, room: Room, screen_share: float | None
    ) -> None:
        self.config, self.measured, self.room = config, measured, room
        self.trials = min(room.trials, config.search.total)
        self.screen_share = screen_share
        screening = config.search.screening(config.train.epochs)
        self.full = set((screening.full or ()) if screening else ())

    @property
    def gpus(self) -> float:
        """The shares of GPUs that are held."""
        cluster = self.config.cluster
        return cluster.evaluators * cluster.evaluator.gpu + self.trials * cluster.trial.gpu

    def courses(self) -> list[Course]:
        """What each trial takes if nothing stops it."""
        each = zip(self.measured.taken, self.measured.epochs, strict=True)
        return [self._course(taken, epochs) for taken, epochs in each]

    def slowest(self) -> list[Course]:
        """The same, each with the most epochs and the slowest of all that was measured."""
        taken = self.measured.taken
        one = Taken(*(max(values) for values in zip(*taken, strict=True)))
        most = self.config.search.most_epochs(self.config.train.epochs)
        return [self._course(one, most)] * len(taken)

    def drawn_to_the_slowest(self) -> list[Course]:
        """The same, where a sampler learns that more epochs and larger networks score better.

        It draws after the first points of each stratum, and then each trial is of the slowest kind.
        """
        search = self.config.search
        learns = search.method() in LEARNERS
        first = START_POINTS * max(1, len(search.strata())) if learns else search.total
        return [*self.courses()[:first], *self.slowest()[first:]]

    def expected(self) -> Forecast:
        """The search as it is expected to go."""
        return self._played(self.config.search, self.courses())

    def longest(self) -> Forecast:
        """The same, as if each trial had the most epochs."""
        return self._played(self.config.search, self.slowest())

    def parts(self, expected: Forecast, passes: int, finalists_s: float) -> Parts:
        """How long each part of the sweep takes.

        Args:
            expected: See ``expected``.
            passes: How often rows of modes see every slice of a cell, all together.
            finalists_s: Seconds of the finalists; 0: there are none.

        """
        start_s, search = self.room.start_s, self.config.search
        whole = self._played(unpruned(search), self.slowest())
        learnt = self._played(search, self.drawn_to_the_slowest())
        plays = [self._at_least(seconds, expected) for seconds in expected.seconds]
        if_learnt = self._at_least(statistics.fmean(learnt.seconds), learnt)
        # Nobody knows what a sampler will learn: half of the way from what is drawn evenly.
        trials_s = (statistics.fmean(plays) + if_learnt) / 2
        rows_s = passes * self._pooled(statistics.fmean(map(self.measured.full_s, self._taken)))
        return Parts(
            start=START * start_s,
            trials=trials_s,
            rows=rows_s,
            finalists=finalists_s + FINALISTS * start_s if finalists_s else 0.0,
            end=self._end(trials_s + rows_s),
            shorter=float(np.percentile(plays, LOW)),
            longer=max(float(np.percentile(plays, HIGH)), if_learnt),
            unpruned=max(self._at_least(seconds, whole) for seconds in whole.seconds),
        )

    @property
    def _taken(self) -> Sequence[Taken]:
        return self.measured.taken

    def _played(self, search: SearchSettings, courses: Sequence[Course]) -> Forecast:
        epochs, seed = self.config.train.epochs, self.config.seed
        return forecast(search, epochs, self.trials, courses, self._first_s(), seed)

    def _course(self, taken: Taken, epochs: int) -> Course:
        start_s, full_s = self.room.start_s, self._pooled(self.measured.full_s(taken))
        screen_s = None if self.screen_share is None else self.screen_share * full_s
        in_full = [
            screen_s is None or at in self.full or at == epochs for at in range(1, epochs + 1)
        ]
        scoring = tuple(full_s if full or screen_s is None else screen_s for full in in_full)
        return Course(
            epochs=epochs,
            train_s=taken.train_s,
            scoring_s=scoring,
            again_s=0.0 if all(in_full) else full_s,  # of its best epoch, which was screened
            begin_s=BEGIN * start_s,
            report_s=REPORT * start_s,
            end_s=LEAVE * start_s,
        )

    def _pooled(self, seconds: float) -> float:
        """Seconds of one evaluator as those of all, who share the cells of each checkpoint."""
        return seconds / self.config.cluster.evaluators

    def _first_s(self) -> float:
        """What evaluators take once, to make the inputs that they keep."""
        return self._pooled(self.measured.kept * self.measured.inputs_s)

    def _at_least(self, seconds: float, played: Forecast) -> float:
        """Seconds as they are where more threads are at work than there are CPUs."""
        cluster, cpus = self.config.cluster, self.room.cpus
        if not cpus:
            return seconds
        trained = played.training_s * cluster.trial.threads
        scored = played.scoring_s * cluster.evaluator.threads * cluster.evaluators
        return max(seconds, (trained + scored) / cpus)

    def _end(self, before_s: float) -> float:
        """Seconds of what follows; of most of it a tracker has been told by then."""
        start_s, tracking = self.room.start_s, self.config.tracking
        if MLFLOW not in tracking.to:
            return END * start_s
        total, groups = self.config.search.total, len(self.config.groups())
        beside = TRACKER + TRACKER_TRIAL * total + (MODEL * total if tracking.models == ALL else 0)
        models = 0 if tracking.models == ALL else min(total, tracking.models * groups)
        behind = max(0.0, beside * start_s - before_s)
        return (END + TRACKER_END + MODEL * models) * start_s + behind


def allowed(config: SweepConfig, expected: Forecast, trials_s: float, pace: Pace) -> Iterator[str]:
    """What each limit allows, a line each, as epochs come at an even pace.

    Args:
        config: The sweep.
        expected: Its epochs.
        trials_s: Seconds that its trials take.
        pace: How long epochs take.

    """
    limits, total = config.search.limits, config.search.total
    hours = trials_s / HOUR_S
    uses = {"hours": hours, "gpu_hours": hours * pace.gpus, "epochs": expected.epochs}
    for name, whole in uses.items():
        limit = getattr(limits, name)
        if limit is None:
            continue
        if limit >= whole:
            yield f"search.limits.{name} {limit:g} is not expected to be reached"
        else:
            ended = expected.trials_within(limit / whole * expected.epochs)
            yield (
                f"search.limits.{name} {limit:g} allows about {ended:.0f} of {total} trials; about "
                f"{whole:.3g} for all"
            )

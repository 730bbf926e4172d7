"""How far a running sweep is: lines below all others on a terminal, one line in a log."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sweep.config.search import SearchSettings, epochs_of
from sweep.core.objective import short_name, value_of
from sweep.core.pulse import At
from sweep.core.records import EpochRecord, TrialRecord, is_screened, scores_in
from sweep.core.stages import stage
from sweep.core.states import state_of
from sweep.core.text import MISSING, between, clock, number_of, span, table
from sweep.results.ranking import leads
from sweep.results.standing_text import score_text
from sweep.search.forecast import forecast
from sweep.search.left import Begun, TimeLeft, Work, time_left
from sweep.terminal import Screen, or_why

SHOWN = 3  # trials under way in a line of a log
NARROW = 1.2  # what differs by less is said as one
SHORTEST_S = 0.01  # an epoch that takes less was reported late
TELLING = 0.1  # of an epoch, after which its seconds can be told
PLAY_S = 2.0  # from one look at what is left to the next
LEAST_ROWS = 2  # of trials under way, however low a terminal is


@dataclass
class _UnderWay:
    """A trial that runs.

    Attributes:
        record: As it was told last.
        began: When it began or went on here, seconds of the screen's clock.
        epochs: How many it may have.
        epoch: The last that was reported.
        timed_from: When and at what epoch its pace begins to count; None: it does not yet.
        at: Where its training is; None: it has not said.

    """

    record: TrialRecord
    began: float
    epochs: int
    epoch: int = 0
    timed_from: tuple[float, int] | None = None
    at: At | None = None

    @property
    def trained(self) -> float:
        """Epochs that it has trained, a part of one as such."""
        if self.at is None:
            return float(self.epoch)
        return max(float(self.epoch), self.at.epoch - 1 + self.at.step / self.at.steps)


class Progress:
    """A callback that shows how far the sweep is; may be told from several threads.

    A line stays of every trial that ends, that has to wait for others, or that goes on after it has
    waited.

    Args:
        screen: Where it is shown.
        search: The search.
        epochs: ``train.epochs`` as set.
        known: The trials of earlier runs of the driver.
        waiting: Of the known, those that wait for others, and the epochs that they have had.

    """

    def __init__(
        self,
        screen: Screen,
        search: SearchSettings,
        epochs: int,
        known: Iterable[TrialRecord] = (),
        waiting: Mapping[str, int] | None = None,
    ) -> None:
        self.screen, self.search, self.epochs = screen, search, epochs
        self.objective = search.objective
        self.named = short_name(self.objective)
        self._ended: set[str] = set()
        self._best: TrialRecord | None = None
        self._running: dict[str, _UnderWay] = {}
        self._waiting: dict[str, int] = dict(waiting or {})
        self._epoch_s: dict[str, float] = {}  # of each trial the mean seconds of an epoch
        self._may_have: dict[str, int] = {}  # the epochs of every trial that was seen
        self._at_a_time, self._warm = 0, False
        self._played: tuple[float, TimeLeft | None] | None = None
        self._rows = ""
        self._lock = threading.Lock()
        for record in known:
            self._note(record)

    def began(self, trial: TrialRecord) -> None:
        """Count it as running."""
        with self._lock:
            self._note(trial)
            stage("training, and stress-testing every epoch")
            one = _UnderWay(trial, self.screen.now(), epochs_of(trial.params, self.epochs))
            goes_on = self._waiting.pop(trial.trial, None)
            if goes_on is not None:
                one.epoch = goes_on
            if self._warm:
                one.timed_from = self.screen.now(), one.epoch
            self._running[trial.trial] = one
            self._at_a_time = max(self._at_a_time, len(self._running))
        if goes_on is not None:
            after = number_of(goes_on, "epoch")
            self._tell(f"{trial.trial} {trial.norm:<8} goes on  after {after}")

    def at(self, trial: str, at: At) -> None:
        """Take down where the training of a trial is."""
        one = self._running.get(trial)
        if one is not None:
            one.at = at

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """Count the epoch."""
        with self._lock:
            self._note(trial)
            one = self._running.get(trial.trial)
            if one is None:  # it is brought up to date, and not at work
                return
            one.record = trial
            if epoch.epoch > one.epoch:
                one.epoch = epoch.epoch
                self._time(one)

    def waits(self, trial: TrialRecord) -> None:
        """Say how far it came, and count it as waiting."""
        with self._lock:
            self._note(trial)
            one = self._running.pop(trial.trial, None)
            self._waiting[trial.trial] = epochs = one.epoch if one else 0
        self._tell(self._line(trial, "waits", epochs))

    def ended(self, trial: TrialRecord) -> None:
        """Say how it ended."""
        with self._lock:
            self._note(trial)
            one = self._running.pop(trial.trial, None)
            waited = self._waiting.pop(trial.trial, 0)
            epochs = one.epoch if one else waited
        self._tell(self._line(trial, state_of(trial), epochs))

    def say(self, text: str) -> None:
        """A line that stays."""
        self.screen.say(text)

    def rows(self, done: int, total: int, latest: str) -> None:
        """Say how many rows of modes are evaluated, and which is the latest."""
        self._rows = f"{done} of {total} rows"
        self.screen.tell(f"{latest}  |  modes: {self._rows}")

    def close(self, finished: bool) -> None:
        """Nothing runs any more."""
        with self._lock:
            self._running.clear()

    def lines(self, width: int, height: int) -> list[str]:
        """See ``sweep.terminal.Body``."""
        with self._lock:
            left, best = self._left(), self._best_text()
            running = list(self._running.values())
            counts = self._counts()
        head = [f"{'trials':<8}  {counts}"]
        if left is not None:
            head.append(f"{'left':<8}  {_span(left)}")
        if best:
            head.append(f"{'best':<8}  {best}")
        if self._rows:
            head.append(f"{'modes':<8}  {self._rows}")
        return [*head, *self._table(running, width, height - len(head))]

    def line(self) -> str:
        """See ``sweep.terminal.Body``."""
        with self._lock:
            running = list(self._running.values())
            summary = self._summary()
        shown = [self._short(one) for one in running[:SHOWN]]
        more = [f"and {len(running) - SHOWN} more"] if len(running) > SHOWN else []
        return "  |  ".join([summary, ", ".join([*shown, *more])]) if running else summary

    def summary(self) -> str:
        """Trials done and running, the best so far, the time left."""
        with self._lock:
            return self._summary()

    def left(self) -> TimeLeft | None:
        """What the trials still take; None: nothing is known."""
        with self._lock:
            return self._left()

    def _tell(self, text: str) -> None:
        """Outside of the lock: whoever draws has the screen's, and asks for ours."""
        self.screen.tell(text if self.screen.live else f"{text}  |  {or_why(self.summary)}")

    def _time(self, one: _UnderWay) -> None:
        """Take down what its epochs take; the first of a worker is a slow one, as it warms up."""
        now, self._warm = self.screen.now(), True
        if one.timed_from is None:
            one.timed_from = now, one.epoch
            return
        since, epoch = one.timed_from
        self._epoch_s[one.record.trial] = max(SHORTEST_S, (now - since) / (one.epoch - epoch))

    def _note(self, trial: TrialRecord) -> None:
        """Keep what the summary says, which is then said without a walk through all trials."""
        self._played = None
        self._may_have[trial.trial] = epochs_of(trial.params, self.epochs)
        if trial.status != "running":
            self._ended.add(trial.trial)
        if trial.best_epoch is not None and leads(trial, self._best, self.objective):
            self._best = trial

    def _counts(self) -> str:
        parts = [
            f"{len(self._ended)} of {self.search.total} ended",
            f"{len(self._running)} running",
        ]
        if self._waiting:
            parts.append(f"{len(self._waiting)} waiting")
        return ", ".join(parts)

    def _summary(self) -> str:
        parts = [self._counts()]
        if (left := self._left()) is not None:
            parts.append(f"{_span(left)} left")
        if best := self._best_text():
            parts.append(f"best {best}")
        return ", ".join(parts)

    def _best_text(self) -> str:
        best = self._best
        if best is None or is_screened(best.metrics):
            return ""
        value = value_of(best.metrics, self.objective)
        return f"{self.named} {value:.3f} ({best.trial} {best.norm})"

    @cached_property
    def _reached(self) -> tuple[float, ...]:
        """How many trials are expected to come to each epoch."""
        return forecast(self.search, self.epochs, max(1, self._at_a_time)).reached

    def _left(self) -> TimeLeft | None:
        """Played anew after each report, and now and then between two."""
        now = self.screen.now()
        if self._played is None or now - self._played[0] > PLAY_S:
            self._played = now, self._play()
        return self._played[1]

    def _play(self) -> TimeLeft | None:
        lacks = self.search.total - len(self._ended)
        if not self._epoch_s or lacks <= 0:
            return None
        work = Work(
            running=[
                Begun(one.trained, one.epochs, self._epoch_s.get(name) or self._so_far(one))
                for name, one in self._running.items()
            ],
            waiting=[
                Begun(epochs, self._may_have.get(name, self.epochs), self._epoch_s.get(name))
                for name, epochs in self._waiting.items()
            ],
            unbegun=max(0, lacks - len(self._running) - len(self._waiting)),
            most=list(self._may_have.values()),
            epoch_s=list(self._epoch_s.values()),
            at_a_time=self._at_a_time,
        )
        return time_left(work, self._reached)

    def _so_far(self, one: _UnderWay) -> float | None:
        """The seconds of an epoch of a trial that has not come to the end of one."""
        if one.timed_from is None or one.trained - one.timed_from[1] < TELLING:
            return None
        since, epoch = one.timed_from
        return (self.screen.now() - since) / (one.trained - epoch)

    def _line(self, trial: TrialRecord, what: str, epochs: int) -> str:
        head = f"{trial.trial} {trial.norm:<8} {what:<8}"
        if trial.best_epoch is None:
            return f"{head} {trial.error}"
        score = score_text(trial, self.objective)
        return f"{head} {number_of(epochs, 'epoch'):>9}, {score}"

    def _table(self, running: list[_UnderWay], width: int, height: int) -> list[str]:
        if not running:
            return []
        room = max(LEAST_ROWS, height - 2)
        shown = running if len(running) <= room else running[: room - 1]
        header = ["trial", "norm", "epoch", "step", "score", "time"]
        rows = [header, *(self._cells(one) for one in shown)]
        if len(shown) < len(running):
            rows.append([f"and {len(running) - len(shown)} more", *[""] * 5])
        return ["", *table(rows, left=(0, 1))]

    def _cells(self, one: _UnderWay) -> list[str]:
        at = one.at
        step = f"{at.step}/{at.steps}" if at is not None and at.epoch > one.epoch else MISSING
        epoch = max(one.epoch, at.epoch if at else 0, 1)
        passed = clock(self.screen.now() - one.began)
        return [
            one.record.trial,
            one.record.norm,
            f"{epoch}/{one.epochs}",
            step,
            self._score(one.record),
            passed,
        ]

    def _short(self, one: _UnderWay) -> str:
        trial, norm, epoch, step, score, _ = self._cells(one)
        at = "" if step == MISSING else f" step {step}"
        return f"{trial} {norm} epoch {epoch}{at}{'' if score == MISSING else f' {score}'}"

    def _score(self, record: TrialRecord) -> str:
        if record.best_epoch is None:
            return MISSING
        return f"{value_of(scores_in(record.metrics), self.objective):.3f}"


def _span(left: TimeLeft) -> str:
    if left.high <= NARROW * left.low or span(left.low) == span(left.high):
        return f"about {span(left.likely)}"
    return f"between {between(left.low, left.high)}"

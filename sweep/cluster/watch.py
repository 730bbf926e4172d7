"""Who does nothing any more, though it should: workers that hang, and a store that has changed.

Each evaluator answers how long the work of its process has said nothing (``core.pulse``), in a
thread of its own; workers of trials have their signs of life passed on to the first of them. Where
a process does not even answer, it is stopped, and as good as hung.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import ray
from ray.actor import ActorHandle

from sweep.cluster.signs import Signs
from sweep.core.errors import UserError, WorkError
from sweep.core.pulse import At
from sweep.results.callbacks import Say
from sweep.store import Store
from sweep.store.bound import changed

LOOK_S = 10.0  # from one look to the next
SEE_S = 2.0  # and where somebody looks on
See = Callable[[str, At], None]
"""Told the name of a trial and where its training is."""
_Stamp = tuple[int, int, int]  # of a file
TO_START = 10  # times as long as one may be silent, it may take to be started again


class _Question(NamedTuple):
    """A worker that was asked for its signs, and when."""

    call: ray.ObjectRef
    asked: float


class Watch:
    """Ends workers that do nothing any more; what they were to do is then done again.

    Args:
        workers: That answer ``signs`` and have room in the cluster; the first hears of trials.
        minutes: How long nothing may get on; None: for ever.
        say: Says something to the user.
        now: The clock, monotonic seconds.
        see: Told where the trainings of trials are; None: nobody looks on.

    Attributes:
        hung: Trials whose workers were ended, by name.

    """

    def __init__(
        self,
        workers: Sequence[ActorHandle],
        minutes: float | None,
        say: Say,
        now: Callable[[], float] = time.monotonic,
        see: See | None = None,
    ) -> None:
        self.minutes, self.hung = minutes, set[str]()
        self._workers, self._say, self._see, self._now = list(workers), say, see, now
        self._every_s = SEE_S if see else LOOK_S
        if minutes is not None:
            self._every_s = min(self._every_s, 20 * minutes)
        self._questions: dict[int, _Question] = {}
        self._starting: set[int] = set()
        self._trials: dict[str, ActorHandle] = {}
        self._killed: dict[str, ActorHandle] = {}
        self._heard: dict[str, float] = {}
        self._hearer: str | None = None
        self._looked = now()

    def add(self, worker: ActorHandle) -> None:
        """Look at this one, too."""
        self._workers.append(worker)

    def began(self, trial: str, worker: ActorHandle) -> None:
        """A trial is at work from now on."""
        self._trials[trial] = worker
        self.got_on(trial)
        self.hung.discard(trial)

    def got_on(self, trial: str) -> None:
        """A trial has reported."""
        self._heard[trial] = self._now()

    def ended(self, trial: str) -> None:
        """A trial is at work no more."""
        self._trials.pop(trial, None)
        self._heard.pop(trial, None)

    def look(self, given: Callable[[], Iterable[tuple[str, ActorHandle]]] = tuple) -> None:
        """See whether all get on; returns at once.

        Args:
            given: Says which trials have which workers: one that has a worker of an earlier trial,
                and has not begun yet, waits for it to get ready.

        """
        if self._now() - self._looked < self._every_s:
            return
        self._looked = self._now()
        for trial, worker in given():
            if trial not in self._trials and self._killed.get(trial) is not worker:
                self.began(trial, worker)
        for place, worker in enumerate(self._workers):
            self._look_at(place, worker)

    def _look_at(self, place: int, worker: ActorHandle) -> None:
        question = self._questions.get(place)
        if question is None:
            self._questions[place] = _Question(worker.signs.remote(), self._now())
            return
        if ray.wait([question.call], timeout=0)[0]:
            del self._questions[place]
            try:
                signs: Signs = ray.get(question.call)
            except ray.exceptions.RayError:
                return  # it is being started again
            self._starting.discard(place)
            if place == 0:
                self._listen(signs)
            if signs.silent_s is not None and self._too_long(signs.silent_s):
                self._end(place, worker)
        elif self._too_long((self._now() - question.asked) / self._patience(place)):
            self._end(place, worker)

    def _patience(self, place: int) -> int:
        return TO_START if place in self._starting else 1

    def _listen(self, signs: Signs) -> None:
        """Take down what the first worker has heard of trials, and end those that hang."""
        now = self._now()
        if signs.process != self._hearer:  # what was told to the one before is lost
            self._hearer = signs.process
            self._heard = dict.fromkeys(self._heard, now)
        for trial, worker in list(self._trials.items()):
            if trial in signs.heard:
                sign = signs.heard[trial]
                self._heard[trial] = max(self._heard[trial], now - sign.silent_s)
                if self._see is not None and sign.at is not None:
                    self._see(trial, sign.at)
            if self._too_long(now - self._heard[trial]):
                self.hung.add(trial)
                self.ended(trial)
                self._killed[trial] = worker
                ray.kill(worker)

    def _end(self, place: int, worker: ActorHandle) -> None:
        self._questions.pop(place, None)
        self._starting.add(place)
        self._say(
            f"a worker hung; received nothing of it in {self.minutes:g} min; it is started again"
        )
        ray.kill(worker, no_restart=False)

    def _too_long(self, seconds: float) -> bool:
        return self.minutes is not None and seconds > 60 * self.minutes


class StoreWatch:
    """Whether the store is still what it was when the sweep began; the first look is at once.

    Where its file has another stamp, a sample of it is compared with what was written: a file that
    was touched, or put back, is the same store, and one with other pixels is not.

    Args:
        store: As it was opened.
        now: The clock, monotonic seconds.

    """

    def __init__(self, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._fingerprint, self._now = store.path, store.fingerprint, now
        self._known: _Stamp | None = None
        self._looked = -math.inf

    def require(self) -> None:
        """Raise ``WorkError`` for what is wrong with it; looks now and then."""
        if wrong := self.look():
            raise wrong

    def look(self) -> WorkError | None:
        """What is wrong with it, or None; looks now and then."""
        if self._now() - self._looked < LOOK_S:
            return None
        self._looked = self._now()
        try:
            stamp = _stamp(self._path.stat())
        except OSError as error:
            return self._wrong("has vanished", error.strerror or str(error))
        if stamp == self._known:
            return None
        try:
            store = Store.open(self._path)
            found = changed(store)
        except (UserError, OSError) as error:
            return self._wrong("has changed", str(error))
        if store.fingerprint != self._fingerprint:
            return self._wrong("has changed", f"the fingerprint {store.fingerprint}")
        if found:
            return self._wrong("was changed in place", found)
        self._known = stamp
        return None

    def _wrong(self, what: str, received: str) -> WorkError:
        return WorkError(
            f"the store {what} while the sweep was running",
            f"{self._path} ({received})",
            "put it back as it was, then resume the sweep",
        )


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns

"""Word of a sweep when it matters: what is told, and when.

What was told before an interruption is not told again, see ``sweep.results.notified``.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sweep.config.notify import Event, NotifySettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, WorkError, told
from sweep.core.objective import value_of
from sweep.core.records import EpochRecord, TrialRecord, diverged, is_missing, is_screened
from sweep.core.text import number_of, one_line
from sweep.results.callbacks import Say, SilentCallback
from sweep.results.delivery import PATIENCE_S, Delivery, Word
from sweep.results.folder import SweepFolder
from sweep.results.notified import FILE, Known, Notes
from sweep.results.ranking import leads

MINUTE_S = 60.0
LONGEST = 2000  # characters of a text; chats refuse much longer ones
HURRY_S = 2.0  # to tell what is left, where the sweep is interrupted


@dataclass
class Trials:
    """What is known of the trials of a sweep, so that a word can say how far it is.

    Args:
        objective: What they are compared by.
        total: How many there are to be.
        records: Those of earlier runs.

    """

    objective: str
    total: int
    records: dict[str, TrialRecord]
    best: TrialRecord | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        for record in self.records.values():
            self._compare(record)

    def note(self, record: TrialRecord) -> None:
        """Take over what is said of a trial now."""
        self.records[record.trial] = record
        self._compare(record)

    def plain(self) -> dict[str, Any]:
        """How many have ended, and the best, as JSON has it."""
        ended = [one for one in self.records.values() if one.status != "running"]
        failed = sum(one.status == "failed" for one in ended)
        trials = {"ended": len(ended), "total": self.total, "failed": failed}
        return {"trials": trials, "best": self._best_plain()}

    def best_text(self) -> str:
        """The best trial in words; empty before there is one."""
        if self.best is None:
            return ""
        value = value_of(self.best.metrics, self.objective)
        return f"{self.best.trial} ({self.best.norm}) with {self.objective} {value:.3f}"

    def _compare(self, record: TrialRecord) -> None:
        """Trials that were screened alone are compared with no other."""
        if record.best_epoch is None or is_screened(record.metrics):
            return
        if is_missing(value_of(record.metrics, self.objective)):
            return
        if leads(record, self.best, self.objective):
            self.best = record

    def _best_plain(self) -> dict[str, Any] | None:
        best = self.best
        if best is None:
            return None
        value = value_of(best.metrics, self.objective)
        said = {"trial": best.trial, "norm": best.norm, "seed": best.seed, "epoch": best.best_epoch}
        return {**said, "metric": self.objective, "value": value, "params": best.params}


class Notifier(SilentCallback):
    """Tells one who is to be told; a callback that never waits.

    Args:
        settings: Who, and of what.
        folder: The folder of the sweep.
        config: The sweep as resolved.
        send: Delivers a word, and calls back once it is there.
        now: The clock, monotonic seconds.

    """

    def __init__(
        self,
        settings: NotifySettings,
        folder: SweepFolder,
        config: SweepConfig,
        send: Callable[[Word, Callable[[], None]], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._folder, self._name = settings, folder, config.name
        self._sweep_id = folder.identity.sweep_id
        self._send, self._now = send, now
        records = {record.trial: record for record in folder.trials()}
        self._trials = Trials(config.search.objective, config.search.total, records)
        failed = {name: record for name, record in records.items() if _is_failure(record)}
        self._notes = Notes(folder.path / FILE, settings)
        self._known = self._notes.read() or self._notes.write(
            Known(_at(self._trials.best), tuple(failed))
        )
        self._untold = {name: failed[name] for name in failed.keys() - {*self._known.failed}}
        self._told_best = now()
        self._told_failures: float | None = None
        self._lock = threading.Lock()

    def began(self, trial: TrialRecord) -> None:
        """See ``Callback``."""
        self._note(trial)

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """See ``Callback``."""
        self._note(trial)

    def ended(self, trial: TrialRecord) -> None:
        """See ``Callback``."""
        with self._lock:
            if _is_failure(trial) and trial.trial not in self._known.failed:
                self._untold[trial.trial] = trial
        self._note(trial)

    def finished(self, limit: str | None) -> None:
        """The sweep came to its end.

        Args:
            limit: What is to be said of the limit that paused it; None: it is whole.

        """
        with self._lock:
            self._failures(at_last=True)
            end = ("limit" if limit else "finished", len(self._trials.records))
            if "end" in self._settings.on and self._known.end != end:
                word = self._word("end", self._end_text(limit), end[0])
                best = _at(self._trials.best)
                self._tell(word, lambda known: replace(known, end=end, best=best or known.best))
            else:
                self._best(at_last=True)

    def failed(self, error: Exception) -> None:
        """The sweep ended before it was through."""
        with self._lock:
            self._failures(at_last=True)
            self._best(at_last=True)
            if "failure" in self._settings.on:
                said = str(error) if isinstance(error, UserError | WorkError) else told(error)
                again = f"mend the cause, then run mrisweep resume {self._folder.place}"
                text = f"the sweep has stopped: {said}; {again}"
                self._tell(self._word("failure", text, "failed", said), lambda known: known)

    def _note(self, trial: TrialRecord) -> None:
        with self._lock:
            self._trials.note(trial)
            self._failures()
            self._best()

    def _failures(self, at_last: bool = False) -> None:
        """Trials that failed since the last word of some: a single one at once, a burst in one."""
        if "failure" not in self._settings.on:
            return
        due = self._told_failures is None or self._is_due(self._told_failures)
        if not self._untold or not (due or at_last):
            return
        self._told_failures = self._now()
        names, last = tuple(self._untold), [*self._untold.values()][-1]
        self._untold.clear()
        who = f"{last.trial} ({last.norm}) failed: {last.error}"
        text = who if len(names) == 1 else f"{len(names)} trials failed; the last, {who}"
        self._tell(
            self._word("failure", text, "running", last.error),
            lambda known: replace(known, failed=(*known.failed, *names)),
        )

    def _best(self, at_last: bool = False) -> None:
        best = _at(self._trials.best)
        if "best" not in self._settings.on or best in (None, self._known.best):
            return
        if at_last or self._is_due(self._told_best):
            self._told_best = self._now()
            text = f"the best is now {self._trials.best_text()}"
            self._tell(self._word("best", text, "running"), lambda known: replace(known, best=best))

    def _is_due(self, since: float) -> bool:
        return self._now() - since >= self._settings.every * MINUTE_S

    def _tell(self, word: Word, learn: Callable[[Known], Known]) -> None:
        """What is sent is known in this run; it is noted once it is delivered."""
        self._known = learn(self._known)
        self._send(word, partial(self._notes.learn, learn))

    def _end_text(self, limit: str | None) -> str:
        best = self._trials.best_text() or "none has a score"
        return f"{limit or 'the sweep has ended'}; the best trial: {best}"

    def _word(self, event: Event, text: str, status: str, error: str | None = None) -> Word:
        plain = self._trials.plain()
        trials = plain["trials"]
        failed = f", {trials['failed']} failed" if trials["failed"] else ""
        far = f"{trials['ended']} of {number_of(trials['total'], 'trial')} ended{failed}"
        name, path = self._name, self._folder.place
        whole = one_line(f"{name}: {text} ({far}; {path} on {socket.gethostname()})")
        return {
            "text": whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 3]}...",
            "event": event,
            "status": status,
            "sweep": name,
            "sweep_id": self._sweep_id,
            "folder": path,
            "host": socket.gethostname(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **plain,
            "error": error,
        }


@contextmanager
def notifying(folder: SweepFolder, config: SweepConfig, say: Say) -> Iterator[Sequence[Notifier]]:
    """Those who are to be told of a sweep while it is driven, and of an error that ends it.

    An interruption is not told: who asked for it knows.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.
        say: Says something to the user.

    """
    deliveries = [Delivery(one, say) for one in config.notify]
    patience_s = PATIENCE_S
    try:
        notifiers = [
            Notifier(settings, folder, config, delivery.send)
            for settings, delivery in zip(config.notify, deliveries, strict=True)
        ]
        try:
            yield notifiers
        except Exception as error:
            for notifier in notifiers:
                notifier.failed(error)
            raise
    except KeyboardInterrupt:
        patience_s = HURRY_S
        raise
    finally:
        until = time.monotonic() + patience_s
        for delivery in deliveries:
            delivery.close(max(0.0, until - time.monotonic()))


def _is_failure(record: TrialRecord) -> bool:
    """Whether a trial failed for what happened to it; to have diverged is a result."""
    return record.status == "failed" and not diverged(record)


def _at(record: TrialRecord | None) -> tuple[str, int] | None:
    return (
        None if record is None or record.best_epoch is None else (record.trial, record.best_epoch)
    )

"""How far a sweep is, and which of its trials is the best so far: said on its run, always."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sweep.config.search import SearchSettings
from sweep.core.objective import terms, value_of
from sweep.core.records import Status, TrialRecord, scores_in, without_missing
from sweep.results.mlflow.names import BEST, Tag
from sweep.results.ranking import goodness

NONE = "none yet"
SUM = "objective"  # what a weighted sum is called in MLflow, which has no name for one
WORDS: dict[Status, str] = {"finished": "finished", "pruned": "stopped early", "failed": "failed"}


class _Ended(NamedTuple):
    norm: str
    status: Status
    at_ms: int
    goodness: float
    scores: Mapping[str, float]


class SoFar:
    """The trials of a sweep that have ended.

    Args:
        search: What is searched, and by what it is decided.
        trials: Those that are known.

    Attributes:
        count: How many have ended.
        at_ms: When the last of them ended, Unix time; 0 before one has.

    """

    def __init__(self, search: SearchSettings, trials: Iterable[TrialRecord]) -> None:
        self._search = search
        self._ended: dict[str, _Ended] = {}
        for trial in trials:
            self.note(trial)

    @property
    def count(self) -> int:
        """How many have ended."""
        return len(self._ended)

    @property
    def at_ms(self) -> int:
        """When the last of them ended, Unix time; 0 before one has."""
        return max((one.at_ms for one in self._ended.values()), default=0)

    def note(self, trial: TrialRecord) -> None:
        """Count a trial, where it has ended; one that goes on again counts no more."""
        if trial.status == "running":
            self._ended.pop(trial.trial, None)
            return
        objective, metrics = self._search.objective, scores_in(trial.metrics)
        wanted = {*terms(objective)}.union(*map(terms, self._search.maximised))
        scores = {name: metrics[name] for name in sorted(wanted) if name in metrics}
        if len(terms(objective)) > 1:
            scores[SUM] = value_of(metrics, objective)
        self._ended[trial.trial] = _Ended(
            trial.norm,
            trial.status,
            trial.ended_at_ms or trial.started_at_ms,
            goodness(trial.metrics, objective),
            without_missing(scores),
        )

    def best(self) -> str | None:
        """The best trial that was scored in full; None before there is one."""
        scored = {name: one for name, one in self._ended.items() if one.goodness > -math.inf}
        return min(scored, key=lambda name: (-scored[name].goodness, name), default=None)

    def scores(self) -> dict[str, float]:
        """What the best trial scored, by what the sweep maximises."""
        best = self.best()
        return {f"{BEST}{k}": v for k, v in self._ended[best].scores.items()} if best else {}

    def tags(self) -> dict[str, str]:
        """How many have ended, and which is the best."""
        best = self.best()
        return {
            Tag.TRIALS: f"{self.count} of {self._search.total}",
            Tag.BEST_TRIAL: best or NONE,
            Tag.BEST_NORM: self._ended[best].norm if best else NONE,
        }

    def sentence(self) -> str:
        """The same, to be read."""
        counts = Counter(one.status for one in self._ended.values())
        how = ", ".join(f"{counts[name]} {word}" for name, word in WORDS.items() if counts[name])
        ended = f"{self.count} of {self._search.total} trials have ended"
        if (best := self.best()) is None:
            return f"No trial has a score yet; {ended}."
        one = self._ended[best]
        scores = ", ".join(f"`{name}` {value:.3f}" for name, value in one.scores.items())
        return f"**Best: {best} ({one.norm})**, {scores}; {ended} ({how})."

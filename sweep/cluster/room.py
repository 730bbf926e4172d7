"""Room for trials while they run: more where nodes come, and a way on where nodes are lost.

Ray starts again what a lost node took with it, where there is room. Where there is none, an
evaluator that waits for a place holds up every trial, and the trials hold its place: then all of
them give their places back, and the sweep goes on from its folder with what fits the nodes left.
"""

import time
from collections.abc import Callable, Sequence

import ray
from ray.actor import ActorHandle
from ray.exceptions import RpcError
from ray.tune.experiment import Trial
from ray.tune.search import ConcurrencyLimiter, Searcher

from sweep.cluster.nodes import Cluster, has_place, look
from sweep.cluster.packing import Plan, fitting, nodes_text, trials_at_a_time
from sweep.cluster.waiting import Reminder, room_text, used_text
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError, WorkError
from sweep.core.text import number_of
from sweep.results.callbacks import Say

LOOK_S = 5.0  # between two looks at the cluster
STUCK_S = 30.0  # without a place; Ray needs seconds to start a worker again


class NoRoomError(WorkError):
    """Nodes were lost, and evaluators and trials have to be placed anew."""


class RollCall:
    """Whether the evaluators are there: those that have a place answer, whatever they work on.

    Args:
        pool: The evaluators.

    """

    def __init__(self, pool: Sequence[ActorHandle]) -> None:
        self.asked = {evaluator: evaluator.signs.remote() for evaluator in pool}
        self._silent: list[ActorHandle] = []

    def complete(self) -> bool:
        """Whether each has answered what it was asked last; those that have are asked again."""
        answers = list(self.asked.values())
        ready, missing = ray.wait(answers, num_returns=len(answers), timeout=0)
        self._silent = [one for one, answer in self.asked.items() if answer in missing]
        for evaluator, answer in self.asked.items():
            if answer in ready:
                self.asked[evaluator] = evaluator.signs.remote()
        return not missing

    def lacks_places(self) -> bool:
        """Whether one that had not answered when that was last looked at has no place.

        Raises:
            RpcError, RuntimeError: The head does not answer.

        """
        return not all(map(has_place, self._silent))


class Room:
    """How many trials a sweep may have at a time, as nodes come and go.

    Args:
        settings: What each takes.
        plan: What there was room for when the evaluators were started.
        roll: Whether all evaluators are there, and have places.
        say: Says something to the user.
        see: Looks at the cluster.
        now: The clock, monotonic seconds.

    Attributes:
        trials: At a time, at most.

    """

    def __init__(
        self,
        settings: ClusterSettings,
        plan: Plan,
        roll: RollCall,
        say: Say,
        see: Callable[[], Cluster] = look,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings, self.roll, self.say = settings, roll, say
        self.see, self.now = see, now
        self.trials = self._wanted(plan.trials)
        self._limiter: ConcurrencyLimiter | None = None
        self._looked = self._placed = now()
        self._nodes: dict[str, str] = {}  # the name of each
        self._reminder = Reminder(say, now)

    def limited(self, searcher: Searcher) -> ConcurrencyLimiter:
        """The searcher, which is asked for as many trials at a time as have room."""
        self._limiter = ConcurrencyLimiter(searcher, max_concurrent=self.trials)
        return self._limiter

    def look(self, trials: Sequence[Trial], name_of: Callable[[Trial], str]) -> NoRoomError | None:
        """Look at the cluster now and then, with the trials that Tune knows of, by name.

        Returns:
            What there is to say where what waits for a place will get none unless all places are
            given back.

        """
        if (text := self._stuck(trials, name_of)) is None:
            return None
        self.say(f"{text}; evaluators and trials give their places back, and go on anew")
        return NoRoomError("the sweep lost its places on the cluster", text, "resume the sweep")

    def look_at_evaluators(self) -> None:
        """Look now and then whether they have a place, where there are no trials any more."""
        self._stuck((), str)

    def _stuck(self, trials: Sequence[Trial], name_of: Callable[[Trial], str]) -> str | None:
        """What nothing goes on for the lack of, for a while."""
        now = self.now()
        if now - self._looked < LOOK_S:
            return None
        self._looked = now
        complete = self.roll.complete()
        try:
            cluster = self.see()
            homeless = self.roll.lacks_places()
        except (RpcError, RuntimeError):  # the head does not answer: not for us to tell
            return None
        running = sum(trial.status == Trial.RUNNING for trial in trials)
        self._follow_nodes(cluster)
        if complete and not cluster.queued:
            self._grow(running + fitting(self.settings.trial, cluster.free))
        pending = [name_of(trial) for trial in trials if trial.status == Trial.PENDING]
        return self._watch(cluster, running, pending, homeless)

    def _wanted(self, fits: int) -> int:
        """With ``wait`` one trial more, which asks an autoscaler for its node."""
        if not self.settings.wait:
            return min(fits, self.settings.concurrent or fits)
        return self.settings.concurrent or fits + 1

    def _grow(self, fits: int) -> None:
        self._allow(max(self.trials, self._wanted(fits)))

    def _allow(self, trials: int) -> None:
        self.trials = trials
        if self._limiter is not None:
            self._limiter.max_concurrent = trials

    def _follow_nodes(self, cluster: Cluster) -> None:
        """Say which nodes came and went; where some went, no more trials than fit the others."""
        nodes = {node.id: node.name for node in cluster.total}
        before, self._nodes = self._nodes or nodes, nodes
        gone = [name for one, name in before.items() if one not in nodes]
        new = [name for one, name in nodes.items() if one not in before]
        if not gone and not new:
            return
        has = nodes_text(cluster.total, {**self.settings.trial.amounts})
        for names, what in ((gone, "lost"), (new, "new")):
            if names:
                self.say(f"{what}: {number_of(len(names), 'node')}, {', '.join(names)}; now {has}")
        if gone:
            try:
                fits = trials_at_a_time(self.settings, cluster.total)
            except UserError:
                fits = 1  # of those under way none has room, and none is to be added
            self._allow(max(1, min(self.trials, self._wanted(fits))))

    def _watch(
        self, cluster: Cluster, running: int, pending: Sequence[str], homeless: bool
    ) -> str | None:
        """Say what waits for a place, and return that after a while without progress."""
        stuck = homeless or (0 < len(pending) <= cluster.queued and not running)
        if not stuck:
            self._placed = self.now()
        spare = self.settings.wait > 0 and running > 0  # asks for a node that may come or not
        if not (homeless or cluster.queued) or spare:
            self._reminder.over()
            return None
        who = "an evaluator" if homeless else pending[0] if pending else "a trial"
        share = self.settings.evaluator if homeless else self.settings.trial
        text = f"{who} waits for {share.text()}: {room_text(share, cluster)}"
        self._reminder.waits(lambda: text + used_text())
        return text if stuck and self.now() - self._placed >= STUCK_S else None

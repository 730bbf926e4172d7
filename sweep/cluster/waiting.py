"""Waiting for room on a cluster, with a word on what there is, what lacks, and who has it."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import ray

from sweep.cluster.nodes import Cluster, Demand, look, other_jobs
from sweep.cluster.packing import (
    Plan,
    nodes_text,
    plan_of,
    refusal,
    trials_at_a_time,
    without_evaluators,
    without_gpus,
)
from sweep.cluster.session import POLL_S, address_of, gather
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import WorkError
from sweep.core.interruption import stop_if_asked
from sweep.core.stages import stage
from sweep.core.text import SHOWN, clock, number_of
from sweep.results.callbacks import Say

SETTLE_S = 5.0  # in which all nodes of a cluster that was just connected to are known
MINUTE_S = 60.0
SAY_AFTER_S = 60.0  # what has room after so long is not worth a word
SAY_EVERY_S = 600.0


class Reminder:
    """Says what is waited for: not at once, and then seldom.

    Args:
        say: Says it.
        now: The clock, monotonic seconds.

    """

    def __init__(self, say: Say, now: Callable[[], float] = time.monotonic) -> None:
        self.say, self.now = say, now
        self.due: float | None = None

    def waits(self, text: Callable[[], str], after_s: float = SAY_AFTER_S) -> None:
        """It is still waited for; ``text`` is asked for what is said, where something is."""
        if self.due is None:
            self.due = self.now() + after_s
        if self.now() >= self.due:
            self.say(text())
            self.due = self.now() + SAY_EVERY_S

    def over(self) -> None:
        """It is not waited for any more."""
        self.due = None


def wait_for_room(
    settings: ClusterSettings,
    say: Say,
    again: bool = False,
    see: Callable[[], Cluster] = look,
    demand: Demand | None = None,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
    who: str = "the evaluators and a trial",
) -> Plan:
    """Wait until one trial and the evaluators have room together, and say where.

    Args:
        settings: What each takes, and how long to wait.
        say: Says something to the user.
        again: Whether the sweep has had room, and nodes were lost.
        see: Looks at the cluster.
        demand: Asks Ray for the room meanwhile; None: a new one.
        now: The clock, monotonic seconds.
        pause: Waits between two looks.
        who: They, in words.

    Raises:
        UserError: They fit no nodes that are there, and are not to wait for others.
        WorkError: They waited in vain.

    """
    began, reminder = now(), Reminder(say, now)
    stage(f"looking for room for {who}")
    others_may_come = again or (settings.wait > 0 and address_of(settings) is not None)
    with closing(demand or Demand(settings)) as asked:
        while True:
            stop_if_asked()
            cluster, waited = see(), now() - began
            if plan := plan_of(settings, cluster.free):
                if (none := without_gpus(settings, cluster.total)) and not again:
                    say(f"note: {none}")
                return plan
            fits = plan_of(settings, cluster.total) is not None
            if not fits and not others_may_come and waited >= SETTLE_S:
                raise refusal(settings, cluster.total)
            if settings.wait and waited >= settings.wait * MINUTE_S:
                raise _in_vain(settings, cluster, again)
            text = partial(_waiting, settings, cluster, waited)
            reminder.waits(text, SAY_AFTER_S if fits else SETTLE_S)
            asked.ask()
            pause(POLL_S)


def answers_of(calls: Sequence[ray.ObjectRef], who: str, share: Share, say: Say) -> list[Any]:
    """What workers answer a call, once all have, with a word where some get no place.

    Args:
        calls: What each is to answer.
        who: They, in words.
        share: What each takes.
        say: Says something to the user.

    """
    return gather(calls, partial(remind_of_places, Reminder(say), who, share))


def remind_of_places(reminder: Reminder, who: str, share: Share) -> None:
    """Say who waits for what, as long as some have no place; one that has may still be starting."""
    cluster = look()
    if cluster.asks(share):
        reminder.waits(partial(_places_text, who, share, cluster))
    else:
        reminder.over()


def _places_text(who: str, share: Share, cluster: Cluster) -> str:
    """Who waits for what, what is free of it, and who has it."""
    return f"{who} wait for {share.text()}: {room_text(share, cluster)}{used_text()}"


def workers_at_a_time(settings: ClusterSettings, say: Say, again: bool) -> int:
    """How many workers that take the share of a trial fit without evaluators, once one has room.

    Args:
        settings: What each takes, and how long to wait.
        say: Says something to the user.
        again: Whether the sweep has had room.

    Raises:
        UserError: None fits; see ``wait_for_room``.
        WorkError: It waited in vain.

    """
    alone = without_evaluators(settings)
    wait_for_room(alone, say, again, who="a finalist")
    return trials_at_a_time(alone, look().total)


def room_text(share: Share, cluster: Cluster) -> str:
    """What is free of what a share takes, such as ``0 of 2 GPU are free``."""
    nodes = [at for at, node in enumerate(cluster.total) if share.allows(node.labels)]
    counts = []
    for name, amount in share.amounts.items():
        free = [cluster.free[at].has.get(name, 0.0) for at in nodes]
        total = sum(cluster.total[at].has.get(name, 0.0) for at in nodes)
        if max(free, default=0.0) < amount:
            counts.append(f"{sum(free):g} of {total:g} {name} are free")
    return ", ".join(counts) or "what is free is not on one node, or not on one GPU"


def used_text() -> str:
    """Who else has a part of the cluster."""
    jobs = other_jobs()
    return f"; other jobs: {', '.join(jobs[:SHOWN])}" if jobs else ""


def _waiting(settings: ClusterSettings, cluster: Cluster, waited: float) -> str:
    limit = f" of {clock(settings.wait * MINUTE_S)}" if settings.wait else ""
    coming = f"; {number_of(cluster.coming, 'node')} to come" if cluster.coming else ""
    return f"waiting for room, {clock(waited)}{limit} so far: {_lack(settings, cluster)}{coming}"


def _lack(settings: ClusterSettings, cluster: Cluster) -> str:
    """What keeps one trial and the evaluators from running, now or at all."""
    if plan_of(settings, cluster.total) is None:
        wrong, received, _ = refusal(settings, cluster.total).args
        return f"{wrong} ({received})"
    kinds = {**settings.trial.amounts, **settings.evaluator.amounts}
    free, total = nodes_text(cluster.free, kinds), nodes_text(cluster.total, kinds)
    return f"others use what they need (free {free}, in all {total}{used_text()})"


def _in_vain(settings: ClusterSettings, cluster: Cluster, again: bool) -> WorkError:
    return WorkError(
        f"the sweep has waited for room for {settings.wait:g} min"
        f"{', as nodes were lost' if again else ''}",
        _lack(settings, cluster),
        f"raise cluster.wait, take smaller shares, or {'resume it' if again else 'run it'} later",
    )

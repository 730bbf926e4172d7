"""Waiting for room, before the trials and while they run, on clusters that are not there."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest
from ray.tune.search import Searcher

from sweep.cluster.nodes import Cluster
from sweep.cluster.packing import Plan
from sweep.cluster.room import LOOK_S, NoRoomError, Room
from sweep.cluster.waiting import Reminder, remind_of_places, wait_for_room
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError, WorkError
from tests.support.nodes import cluster_with, node

SMALL, FULL = cluster_with({"CPU": 1}), cluster_with({"CPU": 2}, free=[{"CPU": 1}])
FREE = cluster_with({"CPU": 2})
ON_A_CLUSTER = {"address": "10.0.0.1:6379"}


class Quiet:
    """In the place of what asks Ray for room."""

    asked = closed = 0

    def ask(self) -> bool:
        self.asked += 1
        return False

    def close(self) -> None:
        self.closed += 1


class Clock:
    """Time that passes where someone waits."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


class Waited(NamedTuple):
    """What came of waiting."""

    plan: Plan | None
    error: Exception | None
    said: list[str]
    seconds: float


@pytest.fixture(autouse=True)
def without_other_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Ray is asked who else is at work."""
    monkeypatch.setattr("sweep.cluster.waiting.other_jobs", lambda: ["nightly"])


def wait(settings: ClusterSettings, seen: Iterable[Cluster], again: bool = False) -> Waited:
    clock, said, demand = Clock(), list[str](), Quiet()
    views: Iterator[Cluster] = iter(seen)
    view = SMALL

    def see() -> Cluster:
        nonlocal view
        view = next(views, view)
        return view

    plan, error = None, None
    try:
        plan = wait_for_room(settings, said.append, again, see, demand, clock, clock.pause)  # type: ignore[arg-type]
    except (UserError, WorkError) as raised:
        error = raised
    assert demand.closed == 1, "nothing is asked of Ray any more"
    return Waited(plan, error, said, clock.now)


def test_where_there_is_room_nothing_is_waited_for_or_said() -> None:
    found = wait(ClusterSettings(), [FREE])
    assert found.plan is not None
    assert (found.plan.trials, found.said, found.seconds) == (1, [], 0)


def test_gpus_that_nobody_takes_are_told_of() -> None:
    found = wait(ClusterSettings(), [cluster_with({"CPU": 2, "GPU": 1.0})])
    assert found.said == [
        "note: 1 GPU stays idle, as neither a trial nor an evaluator takes one: set "
        "cluster.trial.gpu and cluster.evaluator.gpu"
    ]


def test_what_fits_no_nodes_is_refused_at_the_start() -> None:
    found = wait(ClusterSettings(**ON_A_CLUSTER), [SMALL])
    assert isinstance(found.error, UserError)
    assert "do not fit the cluster together" in str(found.error)
    assert found.seconds < 10, "all nodes of a new connection are known by then"


def test_nodes_are_waited_for_as_long_as_is_asked_with_a_word_on_what_lacks() -> None:
    asked = ClusterSettings(**ON_A_CLUSTER, wait=30)
    came = wait(asked, [*[SMALL] * 200, FREE])
    assert came.plan is not None
    assert came.said == [
        "waiting for room, 0:05 of 30:00 so far: one trial and the evaluators do not fit the "
        "cluster together (1 CPU (trial) and 1 x 1 CPU (evaluators) for 1 node of 1 CPU)"
    ], "not at every look"
    coming = wait(asked, [*[SMALL._replace(coming=2)] * 10, FREE])
    assert coming.said[0].endswith("; 2 nodes to come")
    never = wait(asked, [SMALL])
    assert isinstance(never.error, WorkError)
    assert "waited for room for 30 min; received one trial and the" in str(never.error)
    assert never.seconds == 30 * 60
    assert len(never.said) == 3


def test_no_node_comes_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert isinstance(wait(ClusterSettings(wait=30), [SMALL]).error, UserError)


def test_what_others_use_is_waited_for_and_they_are_named() -> None:
    found = wait(ClusterSettings(**ON_A_CLUSTER), [*[FULL] * 90, FREE])
    assert found.plan is not None
    assert found.said == [
        "waiting for room, 1:00 so far: others use what they need (free 1 node of 1 CPU, in all "
        "1 node of 2 CPU; other jobs: nightly)"
    ]
    limited = wait(ClusterSettings(**ON_A_CLUSTER, wait=2), [FULL])
    assert isinstance(limited.error, WorkError)
    assert limited.seconds == 120


def test_a_sweep_that_lost_its_nodes_waits_for_others() -> None:
    found = wait(ClusterSettings(), [*[SMALL] * 30, FREE], again=True)
    assert found.plan is not None
    vain = wait(ClusterSettings(wait=1), [SMALL], again=True)
    assert "as nodes were lost" in str(vain.error)
    assert str(vain.error).endswith("or resume it later")


class OfTune(NamedTuple):
    """A trial as Tune has it."""

    name: str
    status: str


RUNNING = [OfTune("trial-0000", "RUNNING")]
PENDING = [OfTune("trial-0001", "PENDING")]


class Roll:
    """Whether evaluators are there, and have places, as a test has it."""

    here = placed = True

    def complete(self) -> bool:
        return self.here

    def lacks_places(self) -> bool:
        return not self.placed


class Watched:
    """A room whose cluster is shown view by view, as time passes."""

    def __init__(self, settings: ClusterSettings, trials: int = 1) -> None:
        self.clock, self.said = Clock(), list[str]()
        self.view, self.roll = FREE, Roll()
        self.error: NoRoomError | None = None
        self.room = Room(
            settings,
            Plan((), trials, ()),
            self.roll,  # type: ignore[arg-type]
            self.said.append,
            lambda: self.view,
            self.clock,
        )
        self.limiter = self.room.limited(Searcher(metric="a", mode="max"))

    def look(self, view: Cluster, trials: list[OfTune], seconds: float = LOOK_S) -> int:
        """Show a cluster for a while; trials at a time after that."""
        self.view = view
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += 1
            error = self.room.look(trials, lambda trial: trial.name)  # type: ignore[arg-type, attr-defined]
            self.error = self.error or error
        assert self.limiter.max_concurrent == self.room.trials
        return self.room.trials


def used(cluster: Cluster, **free: float) -> Cluster:
    """All that is free of a cluster is this much on its first node."""
    first = node(1, **free)
    return cluster._replace(free=(first, *(node(n + 2) for n in range(len(cluster.total) - 1))))


def test_a_node_that_comes_brings_trials() -> None:
    watched = Watched(ClusterSettings())
    assert watched.look(used(FREE, CPU=0), RUNNING) == 1
    two = cluster_with({"CPU": 2}, {"CPU": 4}, free=[{"CPU": 0}, {"CPU": 4}])
    assert watched.look(two, RUNNING) == 5
    assert watched.said == ["new: 1 node, 10.0.0.2; now 1 node of 2 CPU and 1 node of 4 CPU"]
    assert watched.look(used(two, CPU=0), RUNNING * 4) == 5, "one of five is between two trials"


def test_what_others_give_back_brings_trials_up_to_the_limit() -> None:
    wide = cluster_with({"CPU": 8})
    watched = Watched(ClusterSettings(concurrent=3))
    assert watched.look(used(wide, CPU=0), RUNNING) == 1
    assert watched.look(used(wide, CPU=6), RUNNING) == 3


def test_an_evaluator_that_has_no_place_yet_is_not_crowded_out() -> None:
    watched = Watched(ClusterSettings())
    watched.roll.here = False
    assert watched.look(used(cluster_with({"CPU": 8}), CPU=6), RUNNING) == 1


def test_fewer_nodes_take_fewer_trials() -> None:
    watched = Watched(ClusterSettings(), trials=5)
    two = cluster_with({"CPU": 2}, {"CPU": 4})
    watched.look(used(two, CPU=0), RUNNING * 5)
    assert watched.look(used(FREE, CPU=0), RUNNING + PENDING * 4) == 1
    assert watched.said == ["lost: 1 node, 10.0.0.2; now 1 node of 2 CPU"]


def test_with_a_wait_one_trial_more_asks_for_its_node() -> None:
    assert Watched(ClusterSettings(wait=5)).room.trials == 2
    assert Watched(ClusterSettings(wait=5, concurrent=8)).room.trials == 8
    watched = Watched(ClusterSettings(wait=5))
    queued = used(FREE, CPU=0)._replace(queued=1)
    watched.look(queued, RUNNING + PENDING, seconds=900)
    assert watched.said == [], "it is not there to be had"
    assert watched.error is None


def test_a_trial_that_waits_beside_others_is_named_and_they_go_on() -> None:
    watched = Watched(ClusterSettings(), trials=2)
    watched.look(used(FREE, CPU=0)._replace(queued=1), RUNNING + PENDING, seconds=120)
    assert watched.said == ["trial-0001 waits for 1 CPU: 0 of 2 CPU are free; other jobs: nightly"]
    assert watched.error is None


@pytest.mark.parametrize("who", ["trial-0001", "an evaluator"])
def test_where_nothing_gets_a_place_any_more_all_places_are_given_back(who: str) -> None:
    watched = Watched(ClusterSettings(evaluator=Share(cpu=2)), trials=2)
    if who == "an evaluator":
        watched.roll.here, watched.roll.placed = False, False
        view, trials = FREE, RUNNING
    else:
        view, trials = FREE._replace(queued=1), PENDING
    watched.look(used(view, CPU=0), trials, seconds=20)
    assert watched.error is None, "Ray may be about to start it again"
    watched.look(used(view, CPU=0), trials, seconds=30)
    assert watched.error is not None
    assert f"received {who} waits for " in str(watched.error)
    assert watched.said[-1].endswith("evaluators and trials give their places back, and go on anew")


def test_when_the_trials_have_ended_an_evaluator_without_a_place_is_told_of() -> None:
    watched = Watched(ClusterSettings(evaluator=Share(cpu=2)))
    watched.roll.here, watched.roll.placed, watched.view = False, False, used(FREE, CPU=0)
    for _ in range(30):
        watched.clock.now += LOOK_S
        watched.room.look_at_evaluators()
    assert watched.said == [
        "an evaluator waits for 2 CPU: 0 of 2 CPU are free; other jobs: nightly"
    ]


def test_a_worker_that_has_a_place_may_take_its_time() -> None:
    watched = Watched(ClusterSettings())
    watched.look(used(FREE, CPU=0), PENDING, seconds=300)
    watched.roll.here = False
    watched.look(used(FREE, CPU=0), RUNNING, seconds=300)
    assert watched.error is None
    assert watched.said == []


def test_workers_that_have_their_places_and_still_start_are_not_said_to_wait_for_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of the cluster is theirs, and nothing more is asked for."""
    clock, said, share = Clock(), list[str](), Share(cpu=1)
    taken = cluster_with({"CPU": 2}, free=[{"CPU": 0}])
    reminder = Reminder(said.append, clock)
    for asked in ((), ({"CPU": 1.0},), ()):
        view = taken._replace(asked=asked)
        monkeypatch.setattr("sweep.cluster.waiting.look", lambda view=view: view)
        for _ in range(100):
            remind_of_places(reminder, "finalists", share)
            clock.pause(1)
        assert bool(said) == bool(asked)
        said.clear()

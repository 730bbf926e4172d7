"""What fits the nodes of a cluster."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.cluster.packing import Node, plan_of, trials_at_a_time
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError
from tests.support.nodes import node


def one_node(cpu: float, gpu: float = 0) -> list[Node]:
    return [node(1, CPU=cpu, GPU=gpu)]


@pytest.mark.parametrize(
    ("trial", "evaluators", "evaluator", "available", "expected"),
    [
        ((1, 0), 1, (1, 0), (2, 0), 1),
        ((0.5, 0), 1, (1, 0), (2, 0), 2),
        ((1, 0.25), 2, (1, 0.125), (16, 1), 3),
        ((4, 1), 2, (1, 0.5), (64, 8), 7),
        ((0, 0.1), 1, (0, 0.1), (1, 1), 9),
        ((1, 0.4), 1, (1, 0.4), (8, 1), 1),
        ((1, 0.4), 1, (1, 0.2), (8, 2), 4),
        ((1, 0.6), 2, (1, 0.5), (8, 2), 1),
        ((1, 2), 1, (1, 0.5), (8, 4), 1),
        ((1, 0.3), 1, (0, 0), (8, 1), 3),
    ],
)
def test_trials_that_fit_beside_the_evaluators(
    trial: tuple[float, float],
    evaluators: int,
    evaluator: tuple[float, float],
    available: tuple[float, float],
    expected: int,
) -> None:
    asked = ClusterSettings(
        trial=Share(cpu=trial[0], gpu=trial[1]),
        evaluators=evaluators,
        evaluator=Share(cpu=evaluator[0], gpu=evaluator[1]),
    )
    assert trials_at_a_time(asked, one_node(*available)) == expected


def test_a_limit_below_what_fits_holds() -> None:
    assert trials_at_a_time(ClusterSettings(concurrent=2), one_node(9)) == 2
    assert trials_at_a_time(ClusterSettings(concurrent=20), one_node(9)) == 8


def test_evaluators_go_where_they_leave_room_for_the_most_trials() -> None:
    """Both fit the large node, and one there leaves no room for the one trial that it takes."""
    large, small = node(1, CPU=4), node(2, CPU=2)
    asked = ClusterSettings(trial=Share(cpu=4), evaluators=2)
    plan = plan_of(asked, [large, small])
    assert plan is not None
    assert (plan.places, plan.trials) == ((small, small), 1)


def test_where_it_makes_no_difference_evaluators_lie_on_many_nodes() -> None:
    nodes = [node(number, CPU=4) for number in (1, 2, 3)]
    plan = plan_of(ClusterSettings(evaluators=3), nodes)
    assert plan is not None
    assert (plan.places, plan.trials) == (tuple(nodes), 9)


def test_a_resource_and_a_label_pin_what_asks_for_them() -> None:
    nodes = [node(1, CPU=8), node(2, CPU=8, scoring=1), node(3, {"zone": "a"}, CPU=2)]
    asked = ClusterSettings(
        trial=Share(labels={"zone": "a"}), evaluator=Share(cpu=1, resources={"scoring": 1})
    )
    plan = plan_of(asked, nodes)
    assert plan is not None
    assert (plan.places, plan.trials) == ((nodes[1],), 2)


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("a", [1]),
        ("!a", [2, 3]),
        ("in(a, b)", [1, 2]),
        ("in(a,b)", [1, 2]),
        ("!in(a, b)", [3]),
    ],
)
def test_labels_are_read_as_ray_reads_them(rule: str, fits: list[int]) -> None:
    labels = {1: {"zone": "a"}, 2: {"zone": "b"}, 3: {}}
    share = Share(labels={"zone": rule})
    assert [number for number, found in labels.items() if share.allows(found)] == fits


@pytest.mark.parametrize(
    ("changes", "nodes", "message"),
    [
        (
            {"trial": Share(cpu=2)},
            one_node(2),
            r"one trial and the evaluators do not fit the cluster together; received 2 CPU "
            r"\(trial\) and 1 x 1 CPU \(evaluators\) for 1 node of 2 CPU; lower cluster\.trial,",
        ),
        (
            {"trial": Share(cpu=4)},
            [node(number, CPU=2) for number in range(4)],
            r"a trial fits no node of the cluster; received 4 CPU, where no node has more than "
            r"2 CPU; lower cluster\.trial, or use other nodes",
        ),
        (
            {"trial": Share(cpu=1, gpu=1)},
            one_node(2),
            r"a trial fits no node .*; received 1 CPU, 1 GPU, where no node has GPU",
        ),
        (
            {"evaluator": Share(resources={"scoring": 1})},
            one_node(2),
            r"an evaluator fits no node .*; received 1 CPU, 1 scoring, where no node has scoring",
        ),
        (
            {"trial": Share(labels={"zone": "b"})},
            [node(1, {"zone": "a"}, CPU=8), node(2, CPU=8)],
            r"received 1 CPU with zone=b, where no node has such labels "
            r"\(zone is a, not there\)",
        ),
        (
            {"trial": Share(cpu=4, gpu=1)},
            [node(1, CPU=8), node(2, CPU=2, GPU=1)],
            r"received 4 CPU, 1 GPU, where no node has all of it: 1 node of 8 CPU and 1 node of "
            r"2 CPU, 1 GPU",
        ),
        ({}, [], r"received 1 CPU, where there is no node"),
        (
            {"trial": Share(gpu=0.6), "evaluator": Share(gpu=0.6)},
            one_node(8, 1),
            r"1 CPU, 0\.6 GPU \(trial\) and 1 x 1 CPU, 0\.6 GPU \(evaluators\) for 1 node of 8 "
            r"CPU, 1 GPU",
        ),
    ],
)
def test_what_never_fits_is_said_with_what_is_missing(
    changes: dict[str, Share], nodes: Sequence[Node], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        trials_at_a_time(ClusterSettings(**changes), nodes)


def test_threads_are_whole_cpus() -> None:
    assert [Share(cpu=cpu).threads for cpu in (0.25, 1, 2.5, 4)] == [1, 1, 2, 4]


SHARES = st.builds(
    Share,
    cpu=st.sampled_from([0.5, 1, 2, 3]),
    gpu=st.sampled_from([0, 0.25, 0.3, 0.4, 0.5, 1, 2]),
    labels=st.sampled_from([{}, {}, {"zone": "a"}]),
)
NODES = st.lists(
    st.builds(
        Node,
        name=st.just("a node"),
        has=st.fixed_dictionaries(
            {"CPU": st.integers(0, 6).map(float), "GPU": st.integers(0, 2).map(float)}
        ),
        labels=st.sampled_from([{}, {"zone": "a"}]),
    ),
    max_size=3,
)
ASKED = st.builds(ClusterSettings, trial=SHARES, evaluator=SHARES, evaluators=st.integers(1, 3))


def laid(asked: ClusterSettings, one: Node, evaluators: int) -> int:
    """By hand: trials beside so many evaluators on a node, each put on the fullest GPU that has
    room for it; -1: there is no room for the evaluators."""
    cpu, gpus = one.has["CPU"], [1.0] * int(one.has["GPU"])
    counts = []
    for share, most in ((asked.evaluator, evaluators), (asked.trial, 99)):
        count = 0
        while count < most and share.allows(one.labels) and cpu >= share.cpu:
            if share.gpu >= 1:
                whole = [gpu for gpu in gpus if gpu == 1]
                if len(whole) < share.gpu:
                    break
                gpus = sorted(gpus)[: len(gpus) - int(share.gpu)]
            elif share.gpu:
                room = [gpu for gpu in gpus if gpu > share.gpu - 1e-9]
                if not room:
                    break
                gpus.remove(min(room))
                gpus.append(min(room) - share.gpu)
            cpu, count = cpu - share.cpu, count + 1
        counts.append(count)
    return counts[1] if counts[0] == evaluators else -1


@settings(deadline=None, max_examples=150)
@given(asked=ASKED, nodes=NODES)
def test_a_plan_is_as_good_as_the_best_of_all_ways_to_place_the_evaluators(
    asked: ClusterSettings, nodes: list[Node]
) -> None:
    ways = product(range(asked.evaluators + 1), repeat=len(nodes))
    best = 0
    for way in ways:
        found = [laid(asked, *one) for one in zip(nodes, way, strict=True)]
        if sum(way) == asked.evaluators and -1 not in found:
            best = max(best, sum(found))
    plan = plan_of(asked, nodes)
    assert (plan.trials if plan else 0) == best
    if plan is None:
        with pytest.raises(UserError, match="fit"):
            trials_at_a_time(asked, nodes)
    else:
        assert len(plan.places) == asked.evaluators
        counts = [sum(place is one for place in plan.places) for one in nodes]
        assert (
            sum(laid(asked, one, count) for one, count in zip(nodes, counts, strict=True)) == best
        )


@settings(deadline=None, max_examples=50)
@given(asked=ASKED, nodes=NODES, more=NODES)
def test_more_nodes_never_leave_room_for_fewer_trials(
    asked: ClusterSettings, nodes: list[Node], more: list[Node]
) -> None:
    few, many = plan_of(asked, nodes), plan_of(asked, [*more, *nodes])
    assert (few.trials if few else 0) <= (many.trials if many else 0)

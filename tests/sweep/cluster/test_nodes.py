"""What Ray is told of a share, and what it tells of nodes."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import ray
import torch
from ray.cluster_utils import Cluster as NodesHere
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.cluster.nodes import Demand, actor_options, bundles, has_place, look
from sweep.cluster.packing import plan_of
from sweep.cluster.pool import limit_torch
from sweep.cluster.session import session
from sweep.cluster.waiting import wait_for_room
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from tests.support.nodes import cluster_with
from tests.support.sweeps import wait_until


@pytest.mark.parametrize(("gpu", "cap"), [(0.25, [0.25]), (0, []), (1, []), (2, [])])
def test_a_part_of_a_gpu_is_a_limit_of_its_memory(
    gpu: float, cap: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[float] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", set_to.append)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    limit_torch(Share(gpu=gpu))
    assert set_to == cap


def test_without_resources_and_labels_ray_is_asked_for_neither() -> None:
    """So that a Ray that knows no labels will do."""
    assert actor_options(Share(cpu=2)) == {"num_cpus": 2, "num_gpus": 0}
    assert bundles([Share(cpu=2, gpu=0.5)])["bundles"] == [{"CPU": 2.0, "GPU": 0.5}]


def test_what_waits_for_a_place_is_known_by_what_it_takes() -> None:
    view = cluster_with({"CPU": 1})._replace(asked=({"CPU": 1.0, "GPU": 0.3333},))
    assert view.asks(Share(gpu=0.33333))
    assert not view.asks(Share())


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[NodesHere]:
    """A head without GPUs, and a node with two, a label and scores; the GPUs are only counted."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        memory = {"object_store_memory": 100 << 20}
        head = {"num_cpus": 1, "num_gpus": 0, "include_dashboard": False, **memory}
        nodes = NodesHere(initialize_head=True, head_node_args=head)
        try:
            own = {"labels": {"zone": "a"}, "resources": {"scores": 2}}
            nodes.add_node(num_cpus=4, num_gpus=2, **own, **memory)
            with session(ClusterSettings(address=nodes.address)):
                yield nodes
        finally:
            nodes.shutdown()


def teller() -> Any:
    """An actor that tells what it was given; its worker imports nothing of ours."""

    class Teller:
        def given(self) -> tuple[list[int], str | None]:
            return ray.get_gpu_ids(), os.environ.get("CUDA_VISIBLE_DEVICES")

    return ray.remote(Teller)


@pytest.mark.cluster
@pytest.mark.usefixtures("two_nodes")
def test_ray_places_shares_as_they_are_packed_here() -> None:
    """A trial's group follows its label, and of two GPUs the fuller one is taken."""
    view = look()
    labelled = next(node for node in view.total if node.labels.get("zone") == "a")
    assert {node.has["CPU"] for node in view.total} == {1, 4}
    trial = Share(cpu=1, gpu=0.4, labels={"zone": "in(a, b)"})
    asked = ClusterSettings(trial=trial, evaluator=Share(cpu=1), concurrent=9)
    plan = plan_of(asked, view.total)
    assert plan is not None
    assert plan.trials == 4, "two on each GPU; the evaluator lies where it takes no CPU of theirs"
    assert plan.places[0].has["CPU"] == 1
    actors, given = [], []
    for gpu in (0.5, 0.4, 0.4, 0):
        actors.append(teller().options(**actor_options(Share(cpu=0.5, gpu=gpu))).remote())
        given.append(ray.get(actors[-1].given.remote()))
    assert given[:3] == [([0], "0"), ([0], "0"), ([1], "1")]
    assert given[3] == ([], ""), "who takes no GPU sees none"
    group = placement_group(**bundles([trial]))
    ray.get(group.ready())
    table = ray.util.placement_group_table(group)
    assert set(table["bundles_to_node_id"].values()) == {labelled.id}
    waiting = teller().options(**actor_options(Share(cpu=32))).remote()
    waiting.given.remote()
    demand = Demand(ClusterSettings(trial=Share(cpu=16)))
    assert not demand.ask()
    wait_until(lambda: look().queued == 1 and look().asks(Share(cpu=32)))
    demand.close()
    assert has_place(actors[0])
    assert not has_place(waiting)
    ray.util.remove_placement_group(group)
    for actor in (*actors, waiting):
        ray.kill(actor)
    wait_until(lambda: (now := plan_of(asked, look().free)) is not None and now.trials == 4)
    said: list[str] = []
    plan = wait_for_room(asked, said.append)
    assert (plan.trials, said) == (4, [])


@pytest.mark.cluster
@pytest.mark.parametrize("resources", [{}, {"scores": 1.0}])
def test_an_actor_that_is_started_again_and_gets_no_place_is_known(
    two_nodes: NodesHere, resources: dict[str, float]
) -> None:
    """Ray lists nothing of what it asks for, be it pinned by a resource or not."""
    lost = two_nodes.add_node(num_cpus=1, resources={"scores": 1}, object_store_memory=100 << 20)
    share = Share(cpu=1, resources=resources)
    there = NodeAffinitySchedulingStrategy(lost.node_id, soft=True)
    again = {"max_restarts": -1, "max_task_retries": -1}
    options = {**actor_options(share), **again, "scheduling_strategy": there}
    moved = teller().options(**options).remote()
    ray.get(moved.given.remote())
    fillers = [teller().options(**actor_options(Share(cpu=cpus))).remote() for cpus in (1, 4)]
    ray.get([one.given.remote() for one in fillers])
    assert has_place(moved)
    two_nodes.remove_node(lost)
    wait_until(lambda: not has_place(moved))
    for one in fillers:
        ray.kill(one)
    wait_until(lambda: has_place(moved))
    wait_until(lambda: ray.get(moved.given.remote()) == ([], ""))
    ray.kill(moved)

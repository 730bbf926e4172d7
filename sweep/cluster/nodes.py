"""What nodes a cluster has, what is free of them and what is waited for, asked of Ray."""

import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import ray
import torch
from ray._private.state import actors
from ray.actor import ActorHandle
from ray.autoscaler.v2.schema import ClusterStatus, NodeInfo
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.util.placement_group import (
    PlacementGroup,
    placement_group,
    remove_placement_group,
)
from ray.util.state import list_jobs
from ray.util.state.exception import RayStateApiException

from sweep.cluster.packing import Node, trials_at_a_time
from sweep.cluster.session import address_of, session
from sweep.config.share import SMALLEST, Share
from sweep.config.sweep import ClusterSettings

OF_GROUP = "_group_"  # in the names by which Ray keeps books on placement groups
JOBS_S = 5  # in which the dashboard has to say what other jobs there are


class Cluster(NamedTuple):
    """A cluster at one moment.

    Attributes:
        total: Its nodes.
        free: What is free of each.
        coming: Nodes that an autoscaler starts.
        queued: Placement groups of this driver that have no place, such as those of trials.
        asked: What actors and tasks without a place ask for, of all drivers.

    """

    total: tuple[Node, ...]
    free: tuple[Node, ...]
    coming: int = 0
    queued: int = 0
    asked: tuple[Mapping[str, float], ...] = ()

    def asks(self, share: Share) -> bool:
        """Whether an actor or a task with this share has no place."""
        return _rounded(share.amounts) in map(_rounded, self.asked)


def look() -> Cluster:
    """The connected cluster now."""
    context = ray.get_runtime_context()
    status = get_cluster_status(context.gcs_address)
    alive = [*status.active_nodes, *status.idle_nodes]
    demands, job = status.resource_demands, context.get_job_id()
    return Cluster(
        total=tuple(_node(one, one.total_resources()) for one in alive),
        free=tuple(_node(one, one.available_resources()) for one in alive),
        coming=_coming(status),
        queued=sum((one.pg_id or "").endswith(job) for one in demands.placement_group_demand),
        asked=tuple(
            dict(shape.bundle)
            for one in demands.ray_task_actor_demand
            for shape in one.bundles_by_count
        ),
    )


def has_place(actor: ActorHandle) -> bool:
    """Whether an actor has a process of its own on a node, which may still be starting.

    Until it has, its address is nobody's, or that of a raylet which is to find it a place. What it
    asks for is in ``Cluster.asked`` where it never had one, but not where Ray starts it again.
    """
    address = actors(actor._actor_id.hex()).get("Address", {})
    raylets = {node["NodeID"]: node["NodeManagerPort"] for node in ray.nodes()}
    return address.get("Port", 0) not in (0, raylets.get(address.get("NodeID")))


def here() -> Cluster:
    """This machine as a cluster of one node, before there is a Ray on it."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    has = {"CPU": float(cpus or 1), "GPU": float(torch.cuda.device_count())}
    node = Node(socket.gethostname(), has)
    return Cluster((node,), (node,))


def cluster_of(settings: ClusterSettings) -> Cluster:
    """What a sweep would have; asks a running cluster, starts none."""
    if address_of(settings) is None:
        return here()
    with session(settings):
        return look()


def refuse_small_machine(settings: ClusterSettings) -> None:
    """Refuse a sweep that this machine is too small for, before Ray is started on it.

    Raises:
        UserError: See ``trials_at_a_time``.

    """
    if address_of(settings) is None:
        trials_at_a_time(settings, here().total)


def actor_options(share: Share) -> dict[str, Any]:
    """What Ray is told of an actor with this share."""
    options: dict[str, Any] = {"num_cpus": share.cpu, "num_gpus": share.gpu}
    options |= {"resources": share.resources} if share.resources else {}
    return options | ({"label_selector": share.labels} if share.labels else {})


def bundles(shares: Iterable[Share]) -> dict[str, Any]:
    """What Ray's placement groups are told of workers that are placed as one, as of a trial.

    Actors in a placement group are where it is, so the labels are those of the group.
    """
    taking = [share for share in shares if share.amounts]
    labels = [share.labels for share in taking]
    chosen = {"bundle_label_selector": labels} if any(labels) else {}
    return {"bundles": [share.amounts for share in taking], **chosen}


def other_jobs() -> list[str]:
    """What else runs on the cluster, as far as its dashboard says so."""
    own = ray.get_runtime_context().get_job_id()
    try:
        jobs = list_jobs(timeout=JOBS_S, raise_on_missing_output=False)
    except (RayStateApiException, RuntimeError, OSError):
        return []
    running = [job for job in jobs if job.status == "RUNNING" and job.job_id != own]
    return [str(job.submission_id or job.job_id) for job in running]


class Demand:
    """Asks Ray for room for the evaluators and one trial together, so that an autoscaler hears it.

    What Ray gives is given back at once: the workers that are started next are to have it.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self.shares = [settings.evaluator] * settings.evaluators + [settings.trial]
        self.group: PlacementGroup | None = None

    def ask(self) -> bool:
        """Ask, or look whether there is an answer; whether there was one, and it was given back."""
        if self.group is None:
            self.group = placement_group(**bundles(self.shares))
        given: bool = self.group.wait(timeout_seconds=0.01)
        if given:
            self.close()
        return given

    def close(self) -> None:
        """Ask no more."""
        if self.group is not None:
            remove_placement_group(self.group)
        self.group = None


def _rounded(amounts: Mapping[str, float]) -> dict[str, int]:
    """As Ray counts them."""
    return {name: round(amount / SMALLEST) for name, amount in amounts.items()}


def _node(info: NodeInfo, has: Mapping[str, float]) -> Node:
    own = {name: amount for name, amount in has.items() if OF_GROUP not in name}
    return Node(info.ip_address, own, info.labels or {}, info.node_id or "")


def _coming(status: ClusterStatus) -> int:
    launched: int = sum(one.count for one in status.pending_launches)
    return len(status.pending_nodes) + launched

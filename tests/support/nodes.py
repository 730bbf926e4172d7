"""Clusters that are not there, as Ray would tell of them."""

from collections.abc import Mapping, Sequence

from sweep.cluster.nodes import Cluster
from sweep.cluster.packing import Node


def node(number: int, labels: Mapping[str, str] | None = None, **has: float) -> Node:
    """The node 10.0.0.NUMBER with resources by Ray's names."""
    return Node(f"10.0.0.{number}", has, labels or {}, id=f"{number:056x}")


def cluster_with(*nodes: Mapping[str, float], free: Sequence[Mapping[str, float]] = ()) -> Cluster:
    """Nodes 1, 2 ... with resources by Ray's names, and what is free of each; nothing: all."""
    return Cluster(
        total=tuple(node(number, **has) for number, has in enumerate(nodes, start=1)),
        free=tuple(node(number, **has) for number, has in enumerate(free or nodes, start=1)),
    )

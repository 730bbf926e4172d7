"""What a sweep would find on its cluster, for ``check``: who has room, and what stays idle."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sweep.cluster.nodes import Cluster, cluster_of
from sweep.cluster.packing import (
    CPU,
    Node,
    Plan,
    nodes_text,
    plan_of,
    refusal,
    trials_at_a_time,
    without_evaluators,
    without_gpus,
)
from sweep.cluster.session import address_of
from sweep.config.sweep import ClusterSettings
from sweep.core.text import number_of


class Survey(NamedTuple):
    """A look at a cluster before anything is started on it.

    Attributes:
        trials: At a time, as far as is known.
        lines: What is to be said of the cluster, a line each.
        finalists: At a time, once trials and evaluators have left their place to them.
        cpus: Those of all nodes; None: nobody knows yet which nodes there will be.

    """

    trials: int
    lines: tuple[str, ...]
    finalists: int = 1
    cpus: float | None = None


def survey(settings: ClusterSettings) -> Survey:
    """Look at the cluster of a sweep, or at this machine; nothing is started or waited for.

    Raises:
        UserError: One trial and the evaluators do not fit, and are not to wait for other nodes.

    """
    shared = address_of(settings) is not None
    found = surveyed(settings, cluster_of(settings), shared)
    if shared or found.cpus is None:
        return found
    return found._replace(lines=(*found.lines, *busy(os.getloadavg()[0], found.cpus)))


def surveyed(settings: ClusterSettings, cluster: Cluster, shared: bool) -> Survey:
    """What is to be said of a cluster.

    Args:
        settings: What each part of the sweep takes.
        cluster: The cluster.
        shared: Whether nodes may come to it, and others may be at work there.

    Raises:
        UserError: See ``survey``.

    """
    plan = plan_of(settings, cluster.total)
    if plan is None:
        error = refusal(settings, cluster.total)
        if not (shared and settings.wait):
            raise error
        wrong, received, _ = error.args
        waits = f"the sweep would wait {settings.wait:g} min for nodes that may come"
        trials = settings.concurrent or 1
        return Survey(trials, (f"{wrong} ({received}); {waits}",), trials)
    lines = [*_shape(settings, cluster, plan)] if shared else []
    return Survey(
        plan.trials,
        (*lines, *idle_gpus(settings, cluster.total, plan)),
        trials_at_a_time(without_evaluators(settings), cluster.total),
        sum(node.has.get(CPU, 0.0) for node in cluster.total),
    )


def busy(load: float, cpus: float) -> Iterator[str]:
    """What is to be said of a machine that has other work already, a line or none.

    Ray gives its workers a lower priority than such work has, and than ``check`` has.

    Args:
        load: How many processes had work to do, on average over the last minute.
        cpus: How many can have a CPU.

    """
    if load > cpus:
        yield (
            f"this machine has other work (load {load:.1f} on {cpus:g} CPUs), to which the workers "
            "of a sweep give way: all takes longer than is said here"
        )


def idle_gpus(settings: ClusterSettings, nodes: Sequence[Node], plan: Plan) -> Iterator[str]:
    """What of the GPUs nobody uses, a line each."""
    if none := without_gpus(settings, nodes):
        yield none
        return
    trial, evaluator = settings.trial.gpu, settings.evaluator.gpu
    whole = sum(left == 1 for left in plan.idle_gpus)
    if parts := sorted(left for left in plan.idle_gpus if left < 1):
        shown = ", ".join(f"{left:g}" for left in dict.fromkeys(parts))
        yield (
            f"{shown} of {number_of(len(parts), 'GPU')} stays idle, as shares of {trial:g} (trial) "
            f"and {evaluator:g} (evaluator) do not fill it"
        )
    if whole:
        yield f"{number_of(whole, 'GPU')} stays idle, as nothing is left beside for another trial"


def _shape(settings: ClusterSettings, cluster: Cluster, plan: Plan) -> Iterator[str]:
    kinds = {**settings.trial.amounts, **settings.evaluator.amounts}
    evaluators = ", ".join(dict.fromkeys(node.name for node in plan.places))
    yield (
        f"{nodes_text(cluster.total, kinds)}; evaluators on {evaluators}, "
        f"{number_of(plan.trials, 'trial')} at a time beside them"
    )
    now = plan_of(settings, cluster.free)
    if now is None:
        yield (
            f"others use it at present, and the sweep would wait: "
            f"{nodes_text(cluster.free, kinds)} free"
        )
    elif now.trials < plan.trials:
        left = number_of(now.trials, "trial")
        yield f"others use a part at present, which leaves room for {left} at a time"

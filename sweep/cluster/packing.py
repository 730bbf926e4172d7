"""What fits the nodes of a cluster: evaluators and trials packed on nodes and on single GPUs.

The totals of a cluster say little: a trial of 4 CPUs fits no two nodes of 2, and a share of a GPU
lies on one GPU. Amounts are counted in whole ten-thousandths, as Ray counts them.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sweep.config.share import SMALLEST, Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError
from sweep.core.text import SHOWN, number_of

CPU, GPU = "CPU", "GPU"
UNIT = round(1 / SMALLEST)  # what a whole CPU or GPU counts


@dataclass(frozen=True)
class Node:
    """What there is of a node, or what is free of it.

    Attributes:
        name: Its address, as people know it.
        has: Amounts by Ray's names: ``CPU``, ``GPU``, and what it was given at its start.
        labels: Its labels.
        id: As Ray knows it; empty: this machine, before there is a Ray.

    """

    name: str
    has: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    id: str = ""


class Plan(NamedTuple):
    """Where the evaluators go.

    Attributes:
        places: The node of each.
        trials: How many trials have room beside them at a time.
        idle_gpus: What is then left over of each GPU that a trial does not fit on.

    """

    places: tuple[Node, ...]
    trials: int
    idle_gpus: tuple[float, ...]


class _Way(NamedTuple):
    """A way to place some evaluators on the nodes up to one.

    Attributes:
        trials: How many trials have room beside.
        spread: The higher, the more evenly the evaluators lie.
        last: Those on that node.
        before: The way of the nodes before it.

    """

    trials: int
    spread: int
    last: int = 0
    before: "_Way | None" = None

    def counts(self) -> list[int]:
        """The evaluators on each node, from the first."""
        found, at = list[int](), self
        while at.before is not None:
            found.append(at.last)
            at = at.before
        return found[::-1]


def plan_of(settings: ClusterSettings, nodes: Sequence[Node]) -> Plan | None:
    """The places of the evaluators that leave room for the most trials; None: not for one.

    Of equally good ones, evaluators lie on as many nodes as possible.

    Args:
        settings: What each takes.
        nodes: What there is of each node.

    """
    best = {0: _Way(0, 0)}
    for node in nodes:
        fits = _trials_beside(settings, node)
        found: dict[int, _Way] = {}
        for placed, way in best.items():
            for count, beside in enumerate(fits[: settings.evaluators - placed + 1]):
                one = _Way(way.trials + beside, way.spread - count * count, count, way)
                known = found.get(placed + count)
                if known is None or one[:2] > known[:2]:
                    found[placed + count] = one
        best = found
    way = best.get(settings.evaluators, _Way(0, 0))
    if not way.trials:
        return None
    counts = list(zip(nodes, way.counts(), strict=True))
    places = [node for node, count in counts for _ in range(count)]
    idle = [left for node, count in counts for left in _idle_gpus(settings, node, count)]
    return Plan(tuple(places), min(way.trials, settings.concurrent or way.trials), tuple(idle))


def trials_at_a_time(settings: ClusterSettings, nodes: Sequence[Node]) -> int:
    """How many trials fit beside the evaluators.

    Tune would leave a trial that fits nowhere PENDING for ever, without a word.

    Raises:
        UserError: Not one fits.

    """
    plan = plan_of(settings, nodes)
    if plan is None:
        raise refusal(settings, nodes)
    return plan.trials


def without_evaluators(settings: ClusterSettings) -> ClusterSettings:
    """The same settings for workers that take the share of a trial once evaluators are gone."""
    return dataclasses.replace(settings, evaluator=Share(cpu=0, gpu=0))


def fitting(share: Share, nodes: Sequence[Node]) -> int:
    """How many workers with this share fit."""
    return sum(_count(share, _parts(node)) for node in nodes if share.allows(node.labels))


def refusal(settings: ClusterSettings, nodes: Sequence[Node]) -> UserError:
    """Which request fits no node, and what lacks, where ``plan_of`` finds no plan."""
    for who, key in (("a trial", "trial"), ("an evaluator", "evaluator")):
        share: Share = getattr(settings, key)
        if not fitting(share, nodes) and share.amounts | share.labels:
            return UserError(
                f"{who} fits no node of the cluster",
                f"{share.text()}, where {lacking(share, nodes)}",
                f"lower cluster.{key}, or use other nodes",
            )
    trial, evaluator, count = settings.trial, settings.evaluator, settings.evaluators
    names = {**trial.amounts, **evaluator.amounts}
    return UserError(
        "one trial and the evaluators do not fit the cluster together",
        f"{trial.text()} (trial) and {count} x {evaluator.text()} (evaluators) for "
        f"{nodes_text(nodes, names)}",
        "lower cluster.trial, cluster.evaluators or cluster.evaluator, or use a larger cluster",
    )


def lacking(share: Share, nodes: Sequence[Node]) -> str:
    """Why no node has the share, in words."""
    if not nodes:
        return "there is no node"
    allowed = [node for node in nodes if share.allows(node.labels)]
    if not allowed:
        return f"no node has such labels ({_labels_text(share, nodes)})"
    such = " with such labels" if share.labels else ""
    for name, amount in share.amounts.items():
        most = max(_most(node, name) for node in allowed)
        if _units(most) < _units(amount):
            return (
                f"no node{such} has more than {most:g} {name}"
                if most
                else (f"no node{such} has {name}")
            )
    return f"no node{such} has all of it: {nodes_text(allowed, share.amounts)}"


def without_gpus(settings: ClusterSettings, nodes: Sequence[Node]) -> str | None:
    """What is to be said where there are GPUs and no part of the sweep takes one."""
    gpus = sum(node.has.get(GPU, 0.0) for node in nodes)
    if not gpus or settings.trial.gpu or settings.evaluator.gpu:
        return None
    return (
        f"{number_of(round(gpus), 'GPU')} stays idle, as neither a trial nor an evaluator takes "
        "one: set cluster.trial.gpu and cluster.evaluator.gpu"
    )


def nodes_text(nodes: Sequence[Node], names: Mapping[str, object]) -> str:
    """Nodes by what they have of these resources, such as ``2 nodes of 8 CPU, 1 GPU``."""
    kinds = Counter(
        ", ".join(f"{node.has[name]:g} {name}" for name in names if node.has.get(name))
        or f"no {' and no '.join(names)}"
        for node in nodes
    )
    shown = [f"{number_of(count, 'node')} of {kind}" for kind, count in kinds.most_common(SHOWN)]
    more = [f"{len(kinds) - SHOWN} other kinds"] if len(kinds) > SHOWN else []
    return " and ".join([*shown, *more]) or "no node"


def _labels_text(share: Share, nodes: Sequence[Node]) -> str:
    """What nodes have as the labels that a share asks for."""
    found = [
        f"{key} is {', '.join(sorted({node.labels.get(key, 'not there') for node in nodes}))}"
        for key in share.labels
    ]
    return "; ".join(found)


def _most(node: Node, name: str) -> float:
    """What one worker can have of a resource: of GPUs that are whole, or the largest part."""
    have = node.has.get(name, 0.0)
    return have if name != GPU or have < 1 else float(int(have))


class _Parts(NamedTuple):
    """A node in units: its GPUs one by one, and all else."""

    gpus: tuple[int, ...]
    rest: Mapping[str, int]


def _parts(node: Node) -> _Parts:
    """Of a node on which shares of GPUs are used, as if they lay on as few GPUs as possible."""
    whole, part = divmod(_units(node.has.get(GPU, 0.0)), UNIT)
    gpus = (*([part] if part else ()), *[UNIT] * whole)
    rest = {name: _units(amount) for name, amount in node.has.items() if name != GPU}
    return _Parts(gpus, rest)


def _units(amount: float) -> int:
    return round(amount * UNIT)


def _trials_beside(settings: ClusterSettings, node: Node) -> list[int]:
    """How many trials fit a node beside none, one, two ... evaluators, as many as fit it."""
    parts: _Parts | None = _parts(node)
    trial = settings.trial if settings.trial.allows(node.labels) else None
    counts: list[int] = []
    while parts is not None and len(counts) <= settings.evaluators:
        counts.append(_count(trial, parts) if trial else 0)
        allowed = settings.evaluator.allows(node.labels)
        parts = _without(settings.evaluator, parts) if allowed else None
    return counts


def _idle_gpus(settings: ClusterSettings, node: Node, evaluators: int) -> list[float]:
    """What is left of each GPU of a node once as many trials as fit are on it."""
    parts = _parts(node)
    for share, count in ((settings.evaluator, evaluators), (settings.trial, None)):
        while count is None or count > 0:
            left = _without(share, parts) if share.allows(node.labels) else None
            if left is None:
                break
            parts, count = left, None if count is None else count - 1
    return [gpu / UNIT for gpu in parts.gpus if gpu]


def _count(share: Share, parts: _Parts) -> int:
    """How many workers with this share fit what is left of a node."""
    fits = [
        parts.rest.get(name, 0) // _units(amount)
        for name, amount in share.amounts.items()
        if name != GPU
    ]
    asked = _units(share.gpu)
    if asked >= UNIT:
        fits.append(sum(gpu == UNIT for gpu in parts.gpus) * UNIT // asked)
    elif asked:
        fits.append(sum(gpu // asked for gpu in parts.gpus))
    return min(fits, default=1)


def _without(share: Share, parts: _Parts) -> _Parts | None:
    """What is left beside one worker with this share; None: it does not fit.

    A part of a GPU is taken, as Ray takes it, from the one with the least that is enough.
    """
    rest = dict(parts.rest)
    for name, amount in share.amounts.items():
        if name != GPU:
            rest[name] = rest.get(name, 0) - _units(amount)
    gpus = _gpus_without(_units(share.gpu), parts.gpus)
    return None if gpus is None or min(rest.values(), default=0) < 0 else _Parts(gpus, rest)


def _gpus_without(asked: int, gpus: Sequence[int]) -> tuple[int, ...] | None:
    left = sorted(gpus)
    if asked >= UNIT:
        whole = [gpu for gpu in left if gpu == UNIT]
        if len(whole) * UNIT < asked:
            return None
        return tuple(left[: len(left) - asked // UNIT])
    at = next((at for at, gpu in enumerate(left) if gpu >= asked), None)
    if at is None:
        return None if asked else tuple(left)
    return (*left[:at], left[at] - asked, *left[at + 1 :])

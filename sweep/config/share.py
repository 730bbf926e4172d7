"""What one Ray worker takes of a node, and which nodes will do for it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweep.config.base import Settings, require

SMALLEST = 0.0001  # of what Ray can count
_OWN_KEYS = ("cpu", "gpu", "memory", "object_store_memory")  # that Ray takes elsewhere
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[A-Za-z0-9.-]+/)?{_WORD}")
_RULE = re.compile(rf"!?(?:{_WORD}|in\({_WORD}(?:, ?{_WORD})*\))")


@dataclass(frozen=True, kw_only=True)
class Share(Settings):
    """What one Ray worker takes of a node.

    Attributes:
        cpu: CPUs; fractions are allowed.
        gpu: A part of one GPU, or whole GPUs; without any the worker sees none. When to change it:
            there are GPUs, see docs/cluster.md#what-each-part-takes.
        resources: Amounts of resources that nodes were given (``ray start --resources``), by name.
            When to change it: workers are to run on some nodes alone.
        labels: What the labels of its node have to be (``ray start --labels``), by key: a value,
            ``in(one, other)``, or either with ``!`` before it for all but these. When to change it:
            nodes have labels, such as a kind of GPU.

    """

    cpu: float = 1
    gpu: float = 0
    resources: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_amount("cpu", self.cpu)
        _require_amount("gpu", self.gpu)
        whole = self.gpu <= 1 or self.gpu == int(self.gpu)
        require(whole, "gpu", "a part of one GPU, or whole GPUs", self.gpu)
        for name, amount in self.resources.items():
            rule = f"a name but {', '.join(_OWN_KEYS)}"
            require(name.lower() not in ("", *_OWN_KEYS), "resources", rule, name)
            _require_amount(f"resources.{name}", amount)
        for key, rule in self.labels.items():
            require(_KEY.fullmatch(key) is not None, "labels", "a key of Ray's labels", key)
            forms = "a value, in(one, other), or either after !"
            require(_RULE.fullmatch(rule) is not None, f"labels.{key}", forms, rule)

    @property
    def threads(self) -> int:
        """CPU threads for torch: whole CPUs, at least one."""
        return max(1, int(self.cpu))

    @property
    def amounts(self) -> dict[str, float]:
        """What it takes of a node, by Ray's names; nothing that it takes none of."""
        taken = {"CPU": self.cpu, "GPU": self.gpu, **self.resources}
        return {name: amount for name, amount in taken.items() if amount}

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without resources and labels where there are none.

        So the record of a sweep that has none is what it was before there were any.
        """
        plain = super().to_plain()
        return {name: plain[name] for name in plain if name in ("cpu", "gpu") or plain[name]}

    def allows(self, labels: Mapping[str, str]) -> bool:
        """Whether a node with these labels will do."""
        return all(_holds(rule, labels.get(key)) for key, rule in self.labels.items())

    def text(self) -> str:
        """What it takes, and of which nodes, such as ``2 CPU, 0.5 GPU with zone=a``."""
        labels = ", ".join(f"{key}={rule}" for key, rule in self.labels.items())
        taken = ", ".join(f"{amount:g} {name}" for name, amount in self.amounts.items())
        return f"{taken or 'nothing'} with {labels}" if labels else taken or "nothing"


def _require_amount(name: str, amount: float) -> None:
    rule = f"0, or {SMALLEST:g} or more"
    require(amount == 0 or SMALLEST <= amount < math.inf, name, rule, amount)


def _holds(rule: str, value: str | None) -> bool:
    """Whether a node on which the label has this value, or is not there, keeps to the rule."""
    body = rule.removeprefix("!")
    listed = body.startswith("in(")
    values = [one.strip() for one in body[3:-1].split(",")] if listed else [body]
    return (value in values) != (body != rule)

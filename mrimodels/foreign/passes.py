"""Forward passes that only look: what a network gives, which norms see what, who normalises."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mrimodels.randomness import lent

_OPERATORS = re.compile(r"(batch|layer|group|instance|rms)_norm")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, after which every module is in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def look(model: nn.Module, x: Tensor) -> object:
    """What the network makes of `x` in eval mode; nothing is changed, nothing drawn for good.

    With gradients on: without them torch's transformer layers compute with the weights of their
    norms and do not call them.
    """
    with evaluating(model), lent(None), torch.enable_grad():
        return model(x)


@contextmanager
def shapes_seen(norms: Collection[nn.Module]) -> Iterator[dict[nn.Module, set[torch.Size]]]:
    """Note the shapes of what each of these modules is given meanwhile."""
    seen: dict[nn.Module, set[torch.Size]] = {norm: set() for norm in norms}
    handles = [
        norm.register_forward_pre_hook(lambda norm, inputs: seen[norm].add(inputs[0].shape))
        for norm in seen
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


class Strays(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Notes the operators of norms that run outside of these modules, in functions of the code."""

    def __init__(self, allowed: Collection[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.allowed = allowed
        self.found: list[str] = []
        self._inside = 0
        self._handles: list[Any] = []

    def __enter__(self) -> "Strays":
        for module in self.allowed:
            self._handles.append(module.register_forward_pre_hook(lambda *_: self._step(1)))
            self._handles.append(module.register_forward_hook(lambda *_: self._step(-1)))
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch's
        for handle in self._handles:
            handle.remove()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operator."""
        name = func._schema.name
        if not self._inside and _OPERATORS.search(name):
            self.found.append(name.partition("::")[2].strip("_"))
        return func(*args, **(kwargs or {}))

    def _step(self, by: int) -> None:
        self._inside += by

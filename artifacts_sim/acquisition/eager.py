"""Functions that `torch.compile` leaves as they are."""

import sys
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Result = TypeVar("Result")


def eager(work: Callable[Given, Result]) -> Callable[Given, Result]:
    """Run a function as it is inside of `torch.compile`: the graph breaks before it.

    Plain numbers decide here which kernels run, and a compiler that takes them for constants
    returns other pixels. `torch.compiler.disable` imports the compiler, which takes seconds;
    therefore it is asked only once something else has imported it.
    """

    @cache
    def disabled() -> Callable[..., Any]:
        return torch.compiler.disable(work)  # type: ignore[no-any-return, no-untyped-call]

    @wraps(work)
    def run(*args: Given.args, **named: Given.kwargs) -> Result:
        chosen = disabled() if "torch._dynamo" in sys.modules else work
        result: Result = chosen(*args, **named)
        return result

    run._torchdynamo_disable = True  # type: ignore[attr-defined]
    run._torchdynamo_disable_msg = "artifacts are computed as they are"  # type: ignore[attr-defined]
    return run

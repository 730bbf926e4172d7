"""Functions that `torch.compile` leaves as they are."""

import sys
from collections.abc import Callable
from functools import wraps
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
    disabled: list[Callable[..., Any]] = []

    @wraps(work)
    def run(*args: Given.args, **named: Given.kwargs) -> Result:
        if "torch._dynamo" not in sys.modules:
            return work(*args, **named)
        if not disabled:
            disabled.append(torch.compiler.disable(work))  # type: ignore[no-untyped-call]
        result: Result = disabled[0](*args, **named)
        return result

    run._torchdynamo_disable = True  # type: ignore[attr-defined]
    run._torchdynamo_disable_msg = "artifacts are computed as they are"  # type: ignore[attr-defined]
    return run

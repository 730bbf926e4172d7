"""What goes on from epoch to epoch beside the weights, read back from a file, or refused."""

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrimodels.files import read_bytes, require_plain_archive


def load_state(path: Path, device: torch.device) -> dict[str, Any]:
    """What was saved; no code of the file is run.

    Raises:
        Exception: Whatever damaged bytes make a reader raise.

    """
    data = read_bytes(path)
    require_plain_archive(data)
    saved: dict[str, Any] = torch.load(BytesIO(data), map_location=device, weights_only=True)
    if not isinstance(saved, dict):
        raise ValueError(f"{type(saved).__name__} is no state")
    return saved


def require_state(saved: Any, optimizer: torch.optim.Optimizer) -> None:
    """Raise unless a state is one of an optimizer, which itself compares the groups alone.

    Args:
        saved: Of ``state_dict()``.
        optimizer: That which is to take it.

    Raises:
        ValueError: Values of other types or tensors of other shapes; or what a lookup raises.

    """
    own = optimizer.state_dict()["param_groups"]
    for group, expected in zip(saved["param_groups"], own, strict=True):
        kinds = {name: type(value) for name, value in group.items()}
        if kinds != {name: type(value) for name, value in expected.items()}:
            raise ValueError("a group of parameters has other settings")
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    for at, values in saved["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim:
                require_alike(value, parameters[at], name)


def require_alike(value: Any, like: Tensor, name: str) -> None:
    """Raise ``ValueError`` unless a value is a tensor of the shape and type of another."""
    alike = type(value) is Tensor and (value.shape, value.dtype) == (like.shape, like.dtype)
    if not alike or value.layout != torch.strided or value.is_meta:
        raise ValueError(f"{name} is not of the shape {tuple(like.shape)}")

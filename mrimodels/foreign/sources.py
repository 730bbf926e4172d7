"""Where a network that is not ours comes from: the name of an `arch` -> the call that makes it."""

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from mrimodels.catalogue import ADDED_NETWORKS, TORCHVISION
from mrimodels.errors import ModelError, told
from mrimodels.libraries import library
from mrimodels.places import as_callable, callable_at

_OUTPUTS = ("n_outputs", "num_classes")
_CHANNELS = ("in_channels", "in_chans")


@dataclass(frozen=True)
class Wanted:
    """What a network is asked for.

    Attributes:
        n_outputs: Number of logits.
        in_channels: Channels of the image, as far as the source lets one choose.
        dropout: Before the last layer; 0: whatever the network has.

    """

    n_outputs: int
    in_channels: int
    dropout: float = 0.0


def make(arch: str, wanted: Wanted) -> nn.Module:
    """Make the network, as its source makes it, with weights drawn from the global generators.

    Raises:
        ModelError: There is no such network, its code fails, or it has no dropout to set.

    """
    call, keywords = _call(arch, wanted)
    try:
        made = call(**keywords)
    except Exception as error:  # the code of others can raise anything
        given = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
        raise ModelError(
            f"the network {arch!r} cannot be made: its code fails, called with ({given})",
            told(error),
            "mend it, or take another network",
        ) from error
    if not isinstance(made, nn.Module):
        raise ModelError(
            f"what {arch!r} returns is not a torch.nn.Module",
            type(made).__name__,
            "return the network itself",
        )
    return made


def _call(arch: str, wanted: Wanted) -> tuple[Callable[..., object], dict[str, Any]]:
    """The callable and its keywords."""
    if arch in TORCHVISION:
        dropout = _dropout(arch, wanted, TORCHVISION[arch])
        found = getattr(library("torchvision", arch).models, arch)
        return found, {"weights": None, "num_classes": wanted.n_outputs, **dropout}
    if arch.startswith("timm/"):
        return _of_timm(arch, wanted)
    if arch.startswith("monai/"):
        return _of_monai(arch, wanted)
    function = _of_user(arch)
    keywords = _fitting(function, {_OUTPUTS: wanted.n_outputs, _CHANNELS: wanted.in_channels})
    has_dropout = "dropout" in _parameters(function)
    return function, keywords | _dropout(arch, wanted, "dropout" if has_dropout else None)


def _of_timm(arch: str, wanted: Wanted) -> tuple[Callable[..., object], dict[str, Any]]:
    timm, name = library("timm", arch), arch.removeprefix("timm/")
    if ":" in name or not timm.is_model(name):  # with a colon timm would ask a server
        raise _unknown("timm", name, timm.list_models())
    keywords = {"pretrained": False, "num_classes": wanted.n_outputs}
    dropout = _dropout(arch, wanted, "drop_rate")
    return timm.create_model, {
        "model_name": name,
        **keywords,
        "in_chans": wanted.in_channels,
        **dropout,
    }


def _of_monai(arch: str, wanted: Wanted) -> tuple[Callable[..., object], dict[str, Any]]:
    library("monai", arch)
    nets, name = library("monai.networks.nets", arch), arch.removeprefix("monai/")
    found = getattr(nets, name, None)
    if not callable(found):
        known = [one for one in dir(nets) if callable(getattr(nets, one)) and one[0] != "_"]
        raise _unknown("monai.networks.nets", name, known)
    _dropout(arch, wanted, None)
    # Its classes name their arguments; its functions, all ResNets, hand theirs on to ResNet.
    keywords = _fitting(
        found,
        {
            ("num_classes", "out_channels"): wanted.n_outputs,
            ("n_input_channels", "in_channels"): wanted.in_channels,
            ("spatial_dims",): 2,
        },
    )
    return found, keywords | ({"pretrained": False} if "pretrained" in _parameters(found) else {})


def _of_user(arch: str) -> Callable[..., object]:
    remedy = "name a function or a class that makes a torch.nn.Module"
    if arch in ADDED_NETWORKS.points():
        return as_callable(ADDED_NETWORKS.load(arch), arch, "network", remedy)
    return callable_at(arch, "network", remedy)


def _parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError:  # of something written in C
        return {}


def _fitting(
    function: Callable[..., object], wanted: Mapping[tuple[str, ...], int]
) -> dict[str, Any]:
    """As many of the wanted values as the function takes, by the first name that it has for each.

    Where it has none, but takes any keyword, the first name is given.
    """
    parameters = _parameters(function)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    found = {}
    for aliases, value in wanted.items():
        named = [name for name in aliases if name in parameters]
        if named or takes_any:
            found[(named or aliases)[0]] = value
    return found


def _dropout(arch: str, wanted: Wanted, keyword: str | None) -> dict[str, float]:
    if not wanted.dropout:
        return {}
    if keyword is None:
        raise ModelError(
            f"the network {arch!r} has no dropout before its last layer that can be set",
            f"dropout={wanted.dropout}",
            "leave it at 0, which means what the network has of its own",
        )
    return {keyword: wanted.dropout}


def _unknown(where: str, name: str, known: Collection[str]) -> ModelError:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
    return ModelError(
        f"{where} has no network of this name", repr(name), f"did you mean {nearest[0]!r}?"
    )

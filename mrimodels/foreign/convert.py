"""Putting another norm in the place of every norm layer of any network."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from mrimodels.errors import ModelError, told
from mrimodels.foreign.activations import followers
from mrimodels.foreign.layers import (
    ChannelsLast,
    ThenAct,
    activation_in,
    channels_of,
    layout_of,
    norms_of,
)
from mrimodels.foreign.passes import Strays, evaluating, look, shapes_seen
from mrimodels.norms import NORMS, Groups, NormChoice
from mrimodels.norms.variant import unchanged


class Replaced(NamedTuple):
    """A module that gave way: where it stood, its class, the class of what stands there now."""

    path: str
    was: str
    now: str


def convert(model: nn.Module, norm: str, choice: NormChoice, x: Tensor) -> tuple[Replaced, ...]:
    """Replace every norm layer of a network, in place, and what the norm changes besides.

    All other parameters and buffers stay the very objects that they are; a module that stands in
    several places is replaced by one that does. New layers have their start, in the mode, dtype and
    device of the old.

    Args:
        model: Any module tree that makes a tensor of `x`.
        norm: The name of the norm, for messages.
        choice: The norm with its settings.
        x: Images (N, C, H, W) that the network takes, to see what its norms are given.

    Returns:
        What was replaced, in the order of the network.

    Raises:
        ModelError: There is nothing to replace, or something that cannot be without changing the
            network in other ways.

    """
    norms = norms_of(model)
    if not norms:
        raise ModelError(
            "the network has no norm layers that could be replaced",
            f"norm={norm!r} for {type(model).__name__}",
            "take norm: keep",
        )
    if choice.norm.gain is not None:
        raise ModelError(
            f"the norm {norm!r} puts a gain at the end of every residual branch, and where those of"
            " a network that is not from this package end is not known",
            f"norm={norm!r} for {type(model).__name__}",
            "take another norm, or a preact_resnet",
        )
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    with shapes_seen({*norms.values(), *convolutions}) as seen:
        look(model, x)
    new: dict[nn.Module, nn.Module] = {}
    if choice.activates:
        gone = _activations(model, norm, set(norms.values()))
        new |= {activation: nn.Identity() for activation in gone}
    for path, old in norms.items():
        if old not in new:
            new[old] = _in_place_of(old, path, norm, choice, seen[old])
    if choice.norm.convolution is not unchanged:
        new |= _other_convolutions(model, norm, choice, seen)
    replaced = _put(model, new)
    _refuse_strays(model, norm, new.values(), x)
    return replaced


def summary(replaced: Iterable[Replaced]) -> list[str]:
    """A line for each kind of replacement: how many, of what, by what, from which to which."""
    listed: dict[tuple[str, str], list[str]] = {}
    for path, was, now in replaced:
        listed.setdefault((was, now), []).append(path)
    return [
        f"{len(paths)} {was} -> {now} ({paths[0]}{f' to {paths[-1]}' if len(paths) > 1 else ''})"
        for (was, now), paths in listed.items()
    ]


def _in_place_of(
    old: nn.Module, path: str, norm: str, choice: NormChoice, seen: set[torch.Size]
) -> nn.Module:
    """The layer to stand in the place of `old`."""
    channels = channels_of(old)
    ndims: set[int | None] = {len(shape) for shape in seen} or {None}
    with evaluating(old):
        wrappers = {layout_of(old, channels, ndim) for ndim in ndims} if channels else set()
    wrapper = wrappers.pop() if len(wrappers) == 1 else None
    if channels is None or wrapper is None:
        shapes = ", ".join(str(tuple(shape)) for shape in sorted(seen)) or "nothing"
        raise ModelError(
            "a norm of the network is given something other than maps (N, C, H, W) or (N, H, W, C)",
            f"{shapes} in {path} ({type(old).__name__})",
            "take norm: keep, or a network of maps",
        )
    if choice.groups != Groups():
        choice.groups.of(channels)  # whatever the norm, so that all have the same settings
    like = next(iter(old.parameters()), None)
    layer = choice.layer(channels).eval()
    if like is not None:
        layer = layer.to(device=like.device, dtype=like.dtype)
    pixels = (shape[1:-1] if wrapper is ChannelsLast else shape[2:] for shape in seen)
    if any(part.numel() == 1 for part in pixels):
        _refuse_a_constant(layer, channels, path, norm)
    made = wrapper(layer)
    drop, act = old._modules.get("drop"), activation_in(old)
    if act is not None or drop is not None:
        made = ThenAct(made, drop, None if choice.activates else act)
    # Not made.train(): the drop and act of the old have a mode of their own.
    for module in made.modules():
        if module not in (drop, act):
            module.training = old.training
    return made


def _refuse_a_constant(layer: nn.Module, channels: int, path: str, norm: str) -> None:
    """Refuse a norm that makes the same of every map of one pixel, as instance norm does."""
    values = torch.arange(2 * channels, dtype=torch.float32).sin().view(2, channels, 1, 1)
    with torch.no_grad():
        one, other = layer(values.to(next(iter(layer.parameters()), values)))
    if torch.allclose(one, other, atol=1e-3):  # of values of about 1
        raise ModelError(
            f"the norm {norm!r} would make the same of every image at {path}, where a map has one "
            "pixel",
            f"norm={norm!r}",
            "take another norm",
        )


def _activations(model: nn.Module, norm: str, norms: set[nn.Module]) -> frozenset[nn.Module]:
    """The activations that have to go, for a norm that includes its own."""
    bare = frozenset(one for one in norms if activation_in(one) is None)
    if not bare:
        return frozenset()
    try:
        return followers(model, bare)
    except ModelError as error:
        why, received, _ = error.args
        others = [name for name in NORMS if name != norm and _is_a_layer(name)]
        raise ModelError(
            f"the norm {norm!r} includes the activation, which this network does not have after "
            f"each norm: {why}",
            received,
            f"take one of {', '.join(others)}, or keep",
        ) from error


def _is_a_layer(name: str) -> bool:
    return not NORMS[name].activates and NORMS[name].gain is None


def _other_convolutions(
    model: nn.Module,
    norm: str,
    choice: NormChoice,
    seen: Mapping[nn.Module, set[torch.Size]],
) -> Mapping[nn.Module, nn.Module]:
    """The convolutions that the norm makes others of.

    What is given maps of one pixel alone, after a pooling, is a linear layer and stays.
    """
    made: dict[nn.Module, nn.Module] = {}
    for path, module in model.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        if seen[module] and all(shape[2:].numel() == 1 for shape in seen[module]):
            continue
        if type(module).forward is not nn.Conv2d.forward or is_parametrized(module):
            raise ModelError(
                f"the norm {norm!r} changes convolutions, and the network has one with code of its "
                "own",
                f"{path} ({type(module).__name__})",
                "take another norm, such as group",
            )
        other = choice.convolution(module)
        if other is not module:
            made[module] = other
    return made


def _put(model: nn.Module, new: Mapping[nn.Module, nn.Module]) -> tuple[Replaced, ...]:
    places = [
        (path, module)
        for path, module in model.named_modules(remove_duplicate=False)
        if module in new and path
    ]
    for path, module in places:
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, new[module])
    return tuple(
        Replaced(path, type(module).__name__, _called(new[module])) for path, module in places
    )


def _called(module: nn.Module) -> str:
    """The class of a layer, looked for in the wrappers of this package."""
    inner = getattr(module, "norm", None)
    return _called(inner) if isinstance(inner, nn.Module) else type(module).__name__


def _refuse_strays(model: nn.Module, norm: str, allowed: Iterable[nn.Module], x: Tensor) -> None:
    """Refuse a network that normalises by functions, too, which cannot be replaced."""
    try:
        with Strays(set(allowed)) as strays:
            look(model, x)
    except Exception as error:  # the code of others can raise anything
        raise ModelError(
            f"the network does not run with the norm {norm!r} in the place of its own",
            told(error),
            "take norm: keep, or another norm",
        ) from error
    if strays.found:
        listed = ", ".join(f"{name} ({n} times)" for name, n in Counter(strays.found).items())
        raise ModelError(
            "the network normalises in its code, too, where no layer can be replaced",
            listed,
            "take norm: keep, or make a torch module of it",
        )

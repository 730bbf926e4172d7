"""Which modules of a network are norms, of how many channels, and how their input lies."""

import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mrimodels.errors import ModelError

_NAMES = re.compile(r"(batch|group|layer|instance|rms|simple)_?norm", re.IGNORECASE)
_FUSED = frozenset({"drop", "act"})
"""The children of timm's norms that include the activation."""

_TORCH = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a norm layer that can be replaced, of torch or of anyone.

    It is one if its class, or one that it derives from, is called a batch, group, layer, instance
    or RMS norm, and it has no children, except for timm's `drop` and `act`.
    """
    named = any(_NAMES.search(cls.__name__) for cls in type(module).__mro__)
    return named and module._modules.keys() <= _FUSED


def norms_of(model: nn.Module) -> dict[str, nn.Module]:
    """The norm layers of a network by path; one that stands in several places, several times.

    Raises:
        ModelError: There is something that may be a norm, and cannot be replaced.

    """
    found = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if is_norm(module):
            found[path] = module
        elif isinstance(module, _TORCH) or (
            not module._modules and "norm" in type(module).__name__.lower()
        ):
            raise ModelError(
                "the network has a layer that may be a norm, of a kind that cannot be replaced",
                f"{path} ({type(module).__name__})",
                "take norm: keep, or another network",
            )
    return found


def activation_in(norm: nn.Module) -> nn.Module | None:
    """The activation that a norm of timm includes, or None; one that does nothing is none."""
    act = norm._modules.get("act")
    return None if isinstance(act, nn.Identity) else act


def channels_of(norm: nn.Module) -> int | None:
    """How many channels a norm layer has, or None where it does not say."""
    for name in ("num_features", "num_channels", "normalized_shape"):
        said = getattr(norm, name, None)
        if isinstance(said, int):
            return said
        if isinstance(said, tuple | list) and said and isinstance(said[0], int):
            return said[0]
    weight = getattr(norm, "weight", None)
    return len(weight) if isinstance(weight, Tensor) and weight.ndim == 1 else None


def layout_of(norm: nn.Module, channels: int, ndim: int | None) -> Callable[..., nn.Module] | None:
    """What makes of a layer for (N, C, H, W) one that stands in the place of `norm`.

    Found by trying: the norm is given zeros of each layout, with H and W that are not C.

    Args:
        norm: The layer, in eval mode.
        channels: C.
        ndim: The axes of its input; None: it was never called.

    Returns:
        A wrapper, or None where its input has no layout that can be brought to (N, C, H, W): such
        as (N, L, C), tokens without a place.

    """
    if len(getattr(norm, "normalized_shape", ())) == 3:  # over (C, H, W), and of one size alone
        return _as_is
    first, *_ = sides = [side for side in range(3, 8) if side != channels]
    tried = {
        (2, channels, first, sides[1]): _as_is,
        (2, first, sides[1], channels): ChannelsLast,
        (2, channels): AsMap,
        (2, channels, first): AsMap,
    }
    for shape, wrapper in tried.items():
        if ndim in (None, len(shape)) and _takes(norm, shape):
            return wrapper
    return None


def _as_is(norm: nn.Module) -> nn.Module:
    return norm


def _takes(norm: nn.Module, shape: tuple[int, ...]) -> bool:
    like = next(iter(norm.parameters()), torch.zeros(()))
    try:
        with torch.no_grad():
            y = norm(torch.zeros(shape, dtype=like.dtype, device=like.device))
    except (RuntimeError, ValueError, IndexError, AssertionError):  # of a shape that does not fit
        return False
    return isinstance(y, Tensor) and y.shape == shape


class ChannelsLast(nn.Module):
    """A norm for (N, C, H, W) in a place where maps are (N, H, W, C), as in ConvNeXt's blocks."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, H, W, C)."""
        y: Tensor = self.norm(x.permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1)


class AsMap(nn.Module):
    """A norm for (N, C, H, W) in a place of (N, C) or (N, C, L): a map of one pixel, or a line."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C) or (N, C, L)."""
        y: Tensor = self.norm(x.reshape(*x.shape, *[1] * (4 - x.ndim)))
        return y.reshape(x.shape)


class ThenAct(nn.Module):
    """A norm in the place of one of timm that includes dropout and the activation."""

    def __init__(self, norm: nn.Module, drop: nn.Module | None, act: nn.Module | None) -> None:
        super().__init__()
        self.norm, self.drop, self.act = norm, drop, act

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, then drop and activate."""
        x = self.norm(x)
        for module in (self.drop, self.act):
            x = x if module is None else module(x)
        return x

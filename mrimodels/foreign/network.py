"""A network that is not ours, made: drawn, fitted to the image, loaded, converted, checked."""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from mrimodels.errors import ModelError, told
from mrimodels.foreign.channels import make_grey, takes_colours
from mrimodels.foreign.convert import Replaced, convert
from mrimodels.foreign.passes import look
from mrimodels.foreign.sources import Wanted, make
from mrimodels.foreign.weights import Loaded, Weights, load_into
from mrimodels.initialise import key_of
from mrimodels.norms import NormChoice
from mrimodels.randomness import lent

SIDES = (64, 96, 128, 224, 256)
"""Sides of the images that a network is tried with: the first that it takes."""


@dataclass(frozen=True)
class Request:
    """What a network is to be.

    Attributes:
        arch: Where it comes from.
        wanted: What its source is asked for.
        norm: The name of the norm, for messages.
        choice: The norm in the place of its own; None: those stay.

    """

    arch: str
    wanted: Wanted
    norm: str
    choice: NormChoice | None


@dataclass(frozen=True)
class Made:
    """A network, and what was done to it.

    Attributes:
        network: Images (N, in_channels, H, W) -> logits (N, n_outputs).
        replaced: What gave way to the norm.
        loaded: What became of the file of weights, if there was one.
        side: The side of the images that it was tried with.

    """

    network: nn.Module
    replaced: tuple[Replaced, ...]
    loaded: Loaded | None
    side: int


def make_network(request: Request, seed: int, weights: Weights | None = None) -> Made:
    """Make the network with its first weights, on the CPU, in train mode.

    They are what its own code draws from generators seeded by (seed, arch), before anything is
    replaced; so they are the same whatever the norm.

    Raises:
        ModelError: Its code fails, it does not make logits of images, or the norm cannot be put in.

    """
    with lent(key_of(seed, request.arch)):
        network = make(request.arch, request.wanted).train()
    x = _fitted(network, request)
    loaded = load_into(network, weights) if weights is not None else None
    replaced: tuple[Replaced, ...] = ()
    if request.choice is not None:
        replaced = convert(network, request.norm, request.choice, x)
        if loaded is not None:
            void = tuple(one.path for one in replaced if f"{one.path}.weight" in loaded.taken)
            loaded = replace(loaded, void=void)
    return Made(network, replaced, loaded, x.shape[-1])


@lru_cache(maxsize=256)
def check_network(request: Request) -> tuple[Replaced, ...]:
    """Raise `ModelError` unless the network can be made and trained on; what gives way to the norm.

    It is made, and run on two small images in eval mode, then in train mode. Once in a process.
    """
    made = make_network(request, seed=0)
    x = _images(request.wanted.in_channels, made.side, made.side)
    try:
        with lent(0):
            logits = made.network(x)
    except Exception as error:  # the code of others can raise anything
        raise _fails(request.arch, error, x, "train") from error
    _require_logits(logits, request, x)
    return made.replaced


def require_size(request: Request, height: int, width: int) -> None:
    """Raise `ModelError` unless the network, with its own norms, takes images of this size."""
    network = make_network(replace(request, choice=None), seed=0).network
    x = _images(request.wanted.in_channels, height, width)
    try:
        logits = look(network, x)
    except Exception as error:  # the code of others can raise anything
        raise _fails(request.arch, error, x, "eval") from error
    _require_logits(logits, request, x)


def _fitted(network: nn.Module, request: Request) -> Tensor:
    """Let the network take the image, if it has to be, and return images that it takes."""
    outcome = _tried(network, request)
    if (
        isinstance(outcome, Exception)
        and request.wanted.in_channels == 1
        and takes_colours(network)
    ):
        make_grey(network)
        outcome = _tried(network, request)
    if isinstance(outcome, Exception):
        smallest = _images(request.wanted.in_channels, SIDES[0], SIDES[0])
        raise _fails(request.arch, outcome, smallest, "eval") from outcome
    return outcome


def _tried(network: nn.Module, request: Request) -> Tensor | Exception:
    """The smallest images that the network takes, or what it said to the smallest of all."""
    said: Exception | None = None
    for side in SIDES:
        x = _images(request.wanted.in_channels, side, side)
        try:
            logits = look(network, x)
        except Exception as error:  # the code of others can raise anything
            said = said or error
            continue
        _require_logits(logits, request, x)
        return x
    assert said is not None
    return said


def _images(channels: int, height: int, width: int) -> Tensor:
    """Two images of normal noise, the same each time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, height, width, generator=generator)


def _require_logits(logits: object, request: Request, x: Tensor) -> None:
    wanted = request.wanted
    images = f"images {tuple(x.shape)}"
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"the network {request.arch!r} does not make one tensor of logits of {images}",
            type(logits).__name__,
            "return the logits alone",
        )
    if logits.shape != (2, wanted.n_outputs):
        raise ModelError(
            f"the network {request.arch!r} does not make logits {(2, wanted.n_outputs)} of "
            f"{images}",
            tuple(logits.shape),
            "let its function take n_outputs, the number of labels, and make so many",
        )
    if not logits.isfinite().all():
        raise ModelError(
            f"the network {request.arch!r} makes logits of {images} that are not finite",
            logits.flatten().tolist()[:4],
            "correct its first weights",
        )


def _fails(arch: str, error: Exception, x: Tensor, mode: str) -> ModelError:
    return ModelError(
        f"the network {arch!r} fails on images {tuple(x.shape)} in {mode} mode",
        told(error),
        "let it take images (N, in_channels, H, W) and make logits (N, n_outputs) of them, or take "
        "images of another size",
    )

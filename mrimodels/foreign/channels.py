"""Grey images for a network that takes colours."""

import torch
from torch import nn

COLOURS = 3


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """The first 2-D convolution in the order of the modules, with its path."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return path, module
    return None


def takes_colours(model: nn.Module) -> bool:
    """Whether the first convolution takes three channels, all of them together."""
    first = first_convolution(model)
    return first is not None and first[1].in_channels == COLOURS and first[1].groups == 1


@torch.no_grad()
def make_grey(model: nn.Module) -> None:
    """Let the first convolution, of three channels, take one: its weight is summed over them.

    So the network is to a grey image what it was to the image three times over, with first weights
    as with trained ones.
    """
    first = first_convolution(model)
    assert first is not None
    conv = first[1]
    conv.weight = nn.Parameter(conv.weight.sum(1, keepdim=True), conv.weight.requires_grad)
    conv.in_channels = 1

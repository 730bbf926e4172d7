"""First weights, each from its own key: (seed, parameter name) and nothing else.

So they depend neither on the norm, nor on the order of construction, nor on the global random
state, and two networks share the first weights of every parameter that has one name and shape.
"""

from hashlib import blake2b

import torch
from torch import nn


def initialise(model: nn.Module, seed: int) -> None:
    """Write every parameter and buffer of `model`, a network on the CPU.

    Convolutions: Kaiming normal, fan out, gain for ReLU (He et al. 2015, arXiv 1502.01852).
    Linear layers: uniform in +-1 / sqrt(fan in), bias 0. Norm layers: their own start, weight 1
    and bias 0, running mean 0 and variance 1.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            key = _generator(seed, f"{name}.weight")
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=key
            )
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(
                module.weight, -bound, bound, generator=_generator(seed, f"{name}.weight")
            )
            nn.init.zeros_(module.bias)
        elif hasattr(module, "reset_parameters"):
            module.reset_parameters()


def key_of(seed: int, name: str) -> int:
    """The seed of the generator that draws what has this name, 0 to 2^64 - 1."""
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(key_of(seed, name))

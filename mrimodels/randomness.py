"""Code of others draws from the global generators: here they are lent, keyed, and given back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mrimodels.errors import ModelError


@contextmanager
def lent(seed: int | None, device: torch.device | None = None) -> Iterator[None]:
    """Let the global generators draw by `seed`, and put them back to where they were.

    These are Python's, torch's on the CPU, and torch's on `device`.

    Args:
        seed: Where they start, 0 to 2^64 - 1; None: where they are.
        device: Where the code inside computes.

    """
    cuda = device is not None and device.type == "cuda"
    of_python = random.getstate()
    try:
        with torch.random.fork_rng([device] if cuda else []):
            if seed is not None:
                random.seed(seed)
                # Not torch.manual_seed, which seeds every GPU, too.
                torch.default_generator.manual_seed(seed)
                if cuda:
                    with torch.cuda.device(device):
                        torch.cuda.manual_seed(seed)
            yield
    finally:
        random.setstate(of_python)


class KeyedDraws(nn.Module):
    """Runs a network whose layers draw from the global generators by an explicit one instead.

    Dropout, stochastic depth and the like of a network that is not ours draw from torch's global
    generators in train mode. Here a number of `generator` seeds them for each pass, and they are
    put back after it. In eval mode the network runs as it is.

    Attributes:
        generator: The source, None until `key_dropout` sets it.

    """

    def __init__(self) -> None:
        super().__init__()
        self.generator: torch.Generator | None = None

    def forward(self, network: nn.Module, x: Tensor) -> Tensor:
        """Return what `network` makes of `x`.

        Raises:
            ModelError: It draws in train mode, and there is no generator.

        """
        if not self.training:
            y: Tensor = network(x)
            return y
        generator = self.generator
        if generator is not None:
            bits = torch.randint(2**62, (), generator=generator, device=generator.device)
            with lent(int(bits), x.device):
                keyed: Tensor = network(x)
            return keyed
        with lent(None, x.device):
            before = _states(x.device)
            y = network(x)
            if not all(map(torch.equal, before, _states(x.device))):
                raise ModelError(
                    "the network draws in train mode and has no explicit generator",
                    "none",
                    "call mrimodels.key_dropout(model, generator) first, or model.eval()",
                )
        return y


def _states(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states

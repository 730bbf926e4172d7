"""An exponential moving average of a network's weights, which is a checkpoint of its own.

After step t = 0, 1, ... of the optimizer the average w of every weight v becomes

    w <- d_t w + (1 - d_t) v,   d_t = min(decay, (1 + t) / (10 + t)),

as TensorFlow's ``ExponentialMovingAverage`` with ``num_updates`` has it. Without the warm-up, first
weights would have a share of decay^t, most of it in a trial of a few hundred steps; and with that
share divided away, as Adam does, the average would be over all steps, the bad early ones too. With
the warm-up it is over the last tenth or so of the steps, until ``decay`` is reached: .99 after 890
steps, .999 after 8,990. In a shorter training a greater ``decay`` changes nothing.

Running statistics of batch norms are neither copied nor averaged, but found anew: those of the
trained network belong to features that the averaged weights do not make, and their average lags
behind twice. At the end of an epoch 32 batches of its training slices go through the averaged
network, its norms alone in train mode, and each layer averages their statistics by its momentum,
from nothing: divided by 1 - (1 - momentum)^32, no part is of anything else. (Izmailov et al., arXiv
1803.05407, make a whole pass.) So no norm is worse off for what it keeps. Networks without such
statistics need no pass. A layer that has ``running_mean`` and ``running_var`` and no ``momentum``
has those of the trained network.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from sweep.config.training import TrainSettings

BATCHES = 32
"""How many batches the running statistics are found from."""


class WeightAverage:
    """The averaged network of one that is trained.

    Args:
        model: Before its first step; it is copied.
        decay: The greatest decay, 0 to 1.

    Attributes:
        model: A network of the same kind, with averaged weights.
        steps: How many steps it has averaged.

    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @classmethod
    def of(cls, model: nn.Module, settings: TrainSettings) -> Self | None:
        """The average of a network as set; None: there is none."""
        return None if settings.ema is None else cls(model, settings.ema)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the weights of ``model`` after a step into the average."""
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        # One call for all of them: on a GPU a call for each would cost more than the arithmetic.
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), share)
        self.steps += 1

    @torch.no_grad()
    def settle(self, model: nn.Module, inputs: Iterable[Tensor]) -> None:
        """Find the running statistics at the end of an epoch.

        Args:
            model: The network that is trained, whose buffers are where it begins.
            inputs: Batches (B, C, H, W) as it was trained on; not asked for without need.

        """
        self._copy_buffers(model)
        layers: list[Any] = [one for one in self.model.modules() if _keeps_statistics(one)]
        if not layers:
            return
        for layer in layers:
            layer.train()
            for kept in layer.buffers(recurse=False):
                kept.zero_()
        count = 0
        for batch in inputs:
            self.model(batch)
            count += 1
        for layer in layers:
            share = 1.0 if layer.momentum is None else 1 - (1 - layer.momentum) ** count
            layer.running_mean.div_(share)
            layer.running_var.div_(share)
        self.model.eval()
        self._copy_buffers(model, floating=False)  # how often batches were counted

    def _copy_buffers(self, model: nn.Module, floating: bool = True) -> None:
        for own, new in zip(self.model.buffers(), model.buffers(), strict=True):
            if floating or not own.is_floating_point():
                own.copy_(new)


def _keeps_statistics(layer: nn.Module) -> bool:
    """Whether a layer keeps running statistics of batches, in a way that is known."""
    kept = (getattr(layer, name, None) for name in ("running_mean", "running_var"))
    return all(isinstance(one, Tensor) for one in kept) and hasattr(layer, "momentum")

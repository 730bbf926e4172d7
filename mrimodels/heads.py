"""From a feature map to logits: average pooling to a small grid, dropout, one linear layer."""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from mrimodels.dropout import KeyedDropout


def average_grid(x: Tensor, side: int) -> Tensor:
    """Average (N, C, H, W) on a grid, (N, C, side, side): adaptive pooling, for any H and W.

    Where a grid of several cells divides the map evenly, plain average pooling gives the same
    values, and a gradient that is deterministic on CUDA, which that of adaptive pooling is not.
    In a graph that is exported for any H and W, it is a product with matrices of averages.
    """
    height, width = x.shape[-2:]
    if side > 1 and torch.compiler.is_exporting():
        return _averages(height, side).to(x) @ x @ _averages(width, side).to(x).mT
    if side > 1 and height % side == 0 and width % side == 0:
        return avg_pool2d(x, (height // side, width // side))
    return adaptive_avg_pool2d(x, side)


def _averages(length: int, side: int) -> Tensor:
    """(side, length): in row i the weights, with the sum 1, of cell i of adaptive pooling.

    It goes from floor(i length / side) to ceil((i + 1) length / side).
    """
    cells, places = torch.arange(side)[:, None], torch.arange(length)[None]
    first = cells * length // side
    end = ((cells + 1) * length + side - 1) // side
    inside = ((places >= first) & (places < end)).double()
    return inside / (end - first)


class Head(nn.Module):
    """Features (N, channels, H, W) -> logits (N, n_outputs), in the dtype of the weights.

    Autocast ends here: the 8 significant bits of a bfloat16 logit tie scores that differ, and
    AUROC counts ties.
    """

    def __init__(self, channels: int, n_outputs: int, side: int, dropout: float) -> None:
        super().__init__()
        self.side = side
        self.dropout = KeyedDropout(dropout) if dropout > 0 else None
        self.linear = nn.Linear(channels * side * side, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, channels, H, W) to logits (N, n_outputs)."""
        with torch.autocast(x.device.type, enabled=False):
            features = average_grid(x.to(self.linear.weight.dtype), self.side).flatten(1)
            if self.dropout is not None:
                features = self.dropout(features)
            logits: Tensor = self.linear(features)
        return logits

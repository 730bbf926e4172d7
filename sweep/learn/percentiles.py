"""Percentiles of slices on a regular subgrid, and the same in a graph of open sizes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Percentiles are read on a regular subgrid of at most this many pixels a side: sorting every
# pixel of a slice would cost as much as a small network's forward pass.
SUBGRID = 48


def percentiles(images: Tensor, shares: Sequence[float]) -> tuple[Tensor, ...]:
    """Read percentiles of each slice or stack: of the sorted pixels the nearest one.

    Args:
        images: (B, H, W), or stacks (B, C, H, W), of whose slices all pixels are sorted together.
        shares: From 0 to 1.

    Returns:
        (B,) for each share.

    """
    if torch.compiler.is_exporting():
        return _in_graph(images, shares)
    step = math.ceil(max(images.shape[-2:]) / SUBGRID)
    pixels = images[..., ::step, ::step].flatten(1)
    last = pixels.shape[1] - 1
    return tuple(pixels.kthvalue(1 + round(share * last), dim=1).values for share in shares)


def _in_graph(images: Tensor, shares: Sequence[float]) -> tuple[Tensor, ...]:
    """The same pixels in operations that ONNX has, for every height and width.

    Python's ``round`` and ``torch.round`` both round halves to even.
    """
    height, width = images.shape[-2:]
    longer = torch.sym_max(height, width)  # type: ignore[no-untyped-call]  # missing in torch
    step = (longer + SUBGRID - 1) // SUBGRID
    rows, columns = (torch.arange((side + step - 1) // step) * step for side in (height, width))
    pixels = images.index_select(-2, rows).index_select(-1, columns).flatten(1)
    last = pixels.shape[1] - 1
    ranks = torch.round(torch.tensor(shares, dtype=torch.float64) * last).long()
    return pixels.sort(dim=1).values.index_select(1, ranks).unbind(1)

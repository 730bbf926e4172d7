"""The inputs of stress tests, kept for the next checkpoint: they are the same for all of a sweep.

What a network gets of a slice depends on the slice, the artifact's draw and the settings alone, to
the bit, whatever stands beside it in a batch. So they are kept slice by slice, and serve any
choice of slices in any batches, and any stacks of neighbours. What comes first stays: all
checkpoints ask for the cells in the same order, and of what was used last, a full store would have
dropped each before its turn.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GB = 1_000_000_000
DEFAULT_GB = 1.0
# Of the share of a GPU that an evaluator has; the rest is for the network at work.
DEVICE_FRACTION = 0.25


Rows = NDArray[np.integer[Any]]


class _Place(NamedTuple):
    """Where one slice lies: in which block, and where in it."""

    block: int
    at: int


class KeptInputs:
    """Inputs up to a number of bytes; what does not fit is not kept, and is computed anew.

    On a CPU they lie in its memory; those of a GPU on the device up to ``on_device`` bytes, then in
    pinned memory of the host.

    Args:
        capacity: Bytes at most, wherever they lie; 0: nothing is kept.
        on_device: Those of them that may lie on a GPU.

    """

    def __init__(self, capacity: int, on_device: int = 0) -> None:
        self._left = capacity
        self._left_on_device = on_device
        self._blocks: list[Tensor] = []
        self._places: dict[Hashable, dict[int, _Place]] = {}

    @classmethod
    def of_share(cls, gb: float, gpu: float, device: torch.device) -> "KeptInputs":
        """As many as an evaluator with a share of a device is to keep.

        Args:
            gb: Gigabytes at most.
            gpu: Its share of a GPU.
            device: Where it computes.

        """
        on_device = 0.0
        if device.type == "cuda":
            memory = torch.cuda.get_device_properties(device).total_memory
            on_device = DEVICE_FRACTION * min(gpu or 1.0, 1.0) * memory
        return cls(round(gb * GB), round(on_device))

    @property
    def nbytes(self) -> int:
        """What is kept, in bytes."""
        return sum(block.nbytes for block in self._blocks)

    def find(self, key: Hashable, rows: Rows, device: torch.device) -> Tensor | None:
        """The inputs of slices, (B, ...) on a device, if all are kept; else None.

        They are a copy: a network may write to its input.

        Args:
            key: All that decides the pixels, besides the slice.
            rows: (B,) the slices.
            device: Where to.

        """
        places = self._places.get(key, {})
        found = [places.get(row) for row in rows.tolist()]
        here = [place for place in found if place is not None]
        if not here or len(here) < len(found):
            return None
        block = self._blocks[here[0].block]
        whole = [_Place(here[0].block, at) for at in range(len(block))]
        if here != whole:
            slices = [self._blocks[one.block][one.at] for one in here]
            if len({one.device for one in slices}) > 1:  # some on the device, some in the host
                slices = [one.to(device, non_blocking=True) for one in slices]
            return torch.stack(slices).to(device)
        elsewhere = block.device.type != device.type
        return block.to(device, non_blocking=True) if elsewhere else block.clone()

    def keep(self, key: Hashable, rows: Rows, inputs: Tensor) -> None:
        """Keep a copy of the inputs of slices, (B, ...), as far as they are new, if they fit."""
        places = self._places.get(key, {})
        new = [at for at, row in enumerate(rows.tolist()) if row not in places]
        size = len(new) * inputs[:1].nbytes
        if not new or size > self._left:
            return
        block = inputs[new]
        if block.is_cuda and size <= self._left_on_device:
            self._left_on_device -= size
        elif block.is_cuda:
            block = torch.empty(block.shape, dtype=block.dtype, pin_memory=True).copy_(block)
        self._left -= size
        number = len(self._blocks)
        self._blocks.append(block)
        named = enumerate(rows[new].tolist())
        self._places.setdefault(key, {}).update({row: _Place(number, at) for at, row in named})

"""From stored slices to network input: gather, corrupt, stack with neighbours, scale.

The artifact comes before the scaling, as it does in a scanner: the network sees what the scaling
makes of a corrupted image.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim import Names, Several, Shift
from sweep.config.settings import Normalize, Signal
from sweep.learn.percentiles import percentiles
from sweep.learn.signals import SIGNALS, Rows, Signals, to_device
from sweep.store import Store
from sweep.store.layout import UNNUMBERED

TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Stacks:
    """Which slices are the channels of which input.

    Attributes:
        rows: (S,) the slices that are needed.
        places: (B, C) where among them those of each input are, in the order of their numbers in
            the scan; the slice that is classified is in the middle.

    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, store: Store, rows: Rows, context: int, apart: bool = False) -> Self:
        """The slices (B,) with ``context`` neighbours on either side, see ``Store.neighbours``.

        Args:
            store: The store of the slices.
            rows: (B,) the slices that are classified.
            context: See ``settings.DataSettings``.
            apart: Whether a slice is gathered once for each input that it is in, as one that is to
                look different in each; else once in all.

        """
        if not context:
            return cls(np.asarray(rows, np.int64), np.arange(len(rows))[:, None])
        around = store.neighbours.around(rows, context)
        if apart:
            return cls(around.reshape(-1), np.arange(around.size).reshape(around.shape))
        needed, places = np.unique(around, return_inverse=True)
        return cls(needed, places.reshape(around.shape))

    def stacked(self, images: Tensor) -> Tensor:
        """(S, H, W) of the slices that are needed -> (B, C, H, W), the inputs."""
        if self.places.shape[1] == 1:
            return images.unsqueeze(1)
        at = to_device(self.places.reshape(-1), images.device)
        return images.index_select(0, at).view(*self.places.shape, *images.shape[1:])


@dataclass(frozen=True, eq=False)
class Batch:
    """B slices on a device, with those that stand beside them in the inputs.

    Attributes:
        names: What the slices are called.
        labels: (B, L) uint8, 1 = shown.
        signals: What artifacts act on: the B slices, or the S of the stacks.
        drawn: What the slices of the signals are called, from which the artifacts' draws come;
            None: as the B slices.
        stacks: Which of the signals are the channels of which input; None: each input is a slice.

    """

    names: Names
    labels: Tensor
    signals: Signals
    drawn: Names | None = None
    stacks: Stacks | None = None

    def __len__(self) -> int:
        return len(self.names.keys)

    def stacked(self, images: Tensor) -> Tensor:
        """Images (S, H, W) of the slices of the signals -> (B, C, H, W), the inputs."""
        return images.unsqueeze(1) if self.stacks is None else self.stacks.stacked(images)

    def tensors(self) -> Iterator[Tensor]:
        """All that lies on the device."""
        yield self.labels
        yield from self.signals.tensors()


def names_of(store: Store, rows: Rows, scan_draws: bool) -> Names:
    """What slices of a store are called.

    Args:
        store: The store with the slices.
        rows: (B,) their numbers.
        scan_draws: Whether slices of a scan share what is a scan's, see ``settings.DataSettings``.

    """
    keys = store.keys[rows].tolist()
    if not scan_draws:
        return Names(keys)
    numbers = store.numbers[rows]
    known = bool((numbers != UNNUMBERED).all())
    return Names(keys, store.scans[rows].tolist(), numbers.tolist() if known else None)


def gather(
    store: Store,
    rows: Rows,
    device: torch.device,
    signal: Signal = "images",
    scan_draws: bool = True,
    context: int = 0,
    apart: bool = False,
) -> Batch:
    """Bring slices to a device; to a GPU the copies run in the current stream.

    Args:
        store: The store with the slices.
        rows: (B,) their numbers.
        device: Where to.
        signal: Their images, or their k-space.
        scan_draws: See ``names_of``.
        context: How many neighbours on either side come with each, see ``settings.DataSettings``.
        apart: Whether a slice comes once for each input that it is in, see ``Stacks.of``.

    Raises:
        UserError: K-space of a store that keeps none.

    """
    names, labels = names_of(store, rows, scan_draws), to_device(store.labels[rows], device)
    if not context:
        return Batch(names, labels, SIGNALS[signal].of(store, rows, device))
    stacks = Stacks.of(store, rows, context, apart)
    return Batch(
        names=names,
        labels=labels,
        signals=SIGNALS[signal].of(store, stacks.rows, device),
        drawn=names_of(store, stacks.rows, scan_draws),
        stacks=stacks,
    )


def corrupt(signals: Signals, shift: Shift | Several, names: Names, seed: int) -> Tensor:
    """The slices as a shift would show them.

    Args:
        signals: B slices.
        shift: What happens to them; clean slices pass unchanged.
        names: What each slice is called; the same names, shift and seed give the same pixels.
        seed: Key of the draws.

    Returns:
        (B, H, W) magnitude.

    """
    if shift.is_clean:
        return signals.clean()
    drawn = shift.sample(keys=names.keys, scans=names.scans, numbers=names.numbers, seed=seed)
    return signals.apply(shift, drawn)


def _robust(images: Tensor) -> tuple[Tensor, Tensor]:
    low, median, high = percentiles(images, (0.01, 0.5, 0.99))
    return median, high - low


def _zscore(images: Tensor) -> tuple[Tensor, Tensor]:
    # The sum of equal pixels is rounded: without the bounds a constant slice would become a value
    # that is nothing but the rounding, divided by almost nothing.
    lowest, highest = images.flatten(1).aminmax(dim=1)
    pixels = tuple(range(1, images.ndim))
    mean = images.mean(dim=pixels).clamp(lowest, highest)
    return mean, images.std(dim=pixels, correction=0)


def _max(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.new_zeros(images.shape[0]), images.amax(dim=tuple(range(1, images.ndim)))


def _none(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.new_zeros(images.shape[0]), images.new_ones(images.shape[0])


# Each gives, for (B, H, W) images or (B, C, H, W) stacks, the offset and the scale of every slice
# or stack, both (B,).
NORMALIZERS: dict[Normalize, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "robust": _robust,
    "zscore": _zscore,
    "max": _max,
    "none": _none,
}


def normalize(images: Tensor, how: Normalize) -> Tensor:
    """Scale the intensities of each input on its own, see ``settings.DataSettings``.

    The slices of a stack have one scale, as those of a volume that is scaled as a whole: what one
    is brighter than another by stays, and one that is all but empty does not become all noise.

    Args:
        images: (B, C, H, W) stacks, or (B, H, W), each of one slice.
        how: Name of the scaling.

    Returns:
        (B, C, H, W); a constant slice, or stack, becomes 0.

    """
    offset, scale = NORMALIZERS[how](images)
    stacks = images if images.ndim == 4 else images.unsqueeze(1)
    return (stacks - offset[:, None, None, None]) / scale.clamp_min(TINY)[:, None, None, None]

"""From stored slices to network input: gather, corrupt, scale.

The artifact comes before the scaling, as it does in a scanner: the network sees what the scaling
makes of a corrupted image.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from artifacts_sim import Names, Several, Shift
from sweep.config.settings import Normalize, Signal
from sweep.learn.percentiles import percentiles
from sweep.learn.signals import SIGNALS, Rows, Signals, to_device
from sweep.store import Store
from sweep.store.layout import UNNUMBERED

TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Batch:
    """B slices on a device.

    Attributes:
        names: What the slices are called, from which the artifacts' draws come.
        labels: (B, L) uint8, 1 = shown.
        signals: What artifacts act on.

    """

    names: Names
    labels: Tensor
    signals: Signals

    def __len__(self) -> int:
        return len(self.names.keys)

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
) -> Batch:
    """Bring slices to a device; to a GPU the copies run in the current stream.

    Args:
        store: The store with the slices.
        rows: (B,) their numbers.
        device: Where to.
        signal: Their images, or their k-space.
        scan_draws: See ``names_of``.

    Raises:
        UserError: K-space of a store that keeps none.

    """
    return Batch(
        names=names_of(store, rows, scan_draws),
        labels=to_device(store.labels[rows], device),
        signals=SIGNALS[signal].of(store, rows, device),
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
    mean = images.mean(dim=(1, 2)).clamp(lowest, highest)
    return mean, images.std(dim=(1, 2), correction=0)


def _max(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.new_zeros(images.shape[0]), images.amax(dim=(1, 2))


def _none(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.new_zeros(images.shape[0]), images.new_ones(images.shape[0])


# Each gives, for (B, H, W) images, the offset and the scale of every slice, both (B,).
NORMALIZERS: dict[Normalize, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "robust": _robust,
    "zscore": _zscore,
    "max": _max,
    "none": _none,
}


def normalize(images: Tensor, how: Normalize) -> Tensor:
    """Scale the intensities of each slice on its own, see ``settings.DataSettings``.

    Args:
        images: (B, H, W).
        how: Name of the scaling.

    Returns:
        (B, 1, H, W); a constant slice becomes 0.

    """
    offset, scale = NORMALIZERS[how](images)
    scaled = (images - offset[:, None, None]) / scale.clamp_min(TINY)[:, None, None]
    return scaled.unsqueeze(1)

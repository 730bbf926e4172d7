"""The signal of some slices on a device: stored images, or the k-space that they were made of.

Artifacts act on either; what comes out is the magnitude, in the size of the store's images.
Slices that differ in their geometry go through the scanner apart, each in its own millimetres and
with its own lines, so that what a slice gets does not depend on the slices beside it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim import Geometry, KSpace, Several, Shift, ShiftParams
from artifacts_sim.acquisition.pipeline import render
from sweep.config.settings import Signal
from sweep.core.errors import UserError
from sweep.store import Store
from sweep.store.geometry import Frame, Matrix, PixelMm
from sweep.store.layout import frame_slices

Rows = NDArray[np.integer[Any]]
Kind = TypeVar("Kind", bound=Hashable)
Pose = Callable[[Tensor, Sequence[PixelMm | None]], Tensor]
"""(B, H, W) magnitude and the pixel mm of each slice -> (B, H, W), as the patients then lie."""
# The images of a store that was ingested with --kspace are made of that k-space: apart from
# float16's digits, only a resize lies between them.
SAME_IMAGE = 1e-2


class Signals(ABC):
    """B slices on one device."""

    @abstractmethod
    def clean(self) -> Tensor:
        """(B, H, W) float32 magnitude without any artifact."""

    @abstractmethod
    def apply(self, shift: Shift | Several, params: ShiftParams) -> Tensor:
        """(B, H, W) float32 magnitude under a shift, with parameters for B slices."""

    @abstractmethod
    def posed(self, pose: Pose) -> "Signals":
        """The same slices in another pose: before any artifact, where the signal allows it."""

    @abstractmethod
    def tensors(self) -> Iterator[Tensor]:
        """All that lies on the device."""


@dataclass(frozen=True, eq=False)
class Images(Signals):
    """Magnitude images.

    Attributes:
        images: (B, H, W) float32 in the store's intensity units.
        pixel_mm: The pixel mm of each slice: between rows, between columns; None = unknown.
        native: The size of each slice in pixels of before a resize: rows, columns; None = unknown,
            and it counts as not resized.

    """

    images: Tensor
    pixel_mm: tuple[PixelMm | None, ...]
    native: tuple[Matrix | None, ...]

    @classmethod
    def of(cls, store: Store, rows: Rows, device: torch.device) -> "Images":
        """Slices of a store; float16 is sent as such and widened on the device."""
        images = to_device(store.images[rows], device)
        if images.dtype != torch.float32:
            scale = to_device(store.scale[rows], device)
            images = to_float32(images).mul_(scale[:, None, None])
        return cls(images, store.pixel_mm(rows), store.native(rows))

    def clean(self) -> Tensor:
        """The images themselves."""
        return self.images

    def apply(self, shift: Shift | Several, params: ShiftParams) -> Tensor:
        """See ``Signals.apply``."""
        groups = group_by(zip(self.pixel_mm, self.native, strict=True))
        if len(groups) == 1:
            ((pixel_mm, native),) = groups
            return shift.apply(self.images, params, Geometry(pixel_mm=pixel_mm, native=native))
        damaged = torch.empty_like(self.images)
        for (pixel_mm, native), places in groups.items():
            at, geometry = torch.from_numpy(places), Geometry(pixel_mm=pixel_mm, native=native)
            damaged[at] = shift.apply(self.images[at], params[places], geometry)
        return damaged

    def posed(self, pose: Pose) -> "Images":
        """The patient lay that way in the scanner: what it does wrong falls on the posed images.

        So noise is not smoothed by their resampling, and ghosts stay along phase encode.
        """
        return replace(self, images=pose(self.images, self.pixel_mm))

    def tensors(self) -> Iterator[Tensor]:
        """See ``Signals.tensors``."""
        yield self.images


@dataclass(frozen=True, eq=False)
class Measured(Signals):
    """Measured k-space.

    Attributes:
        shape: (H, W) of the store's images: the centre of the reconstruction is shown, with zeros
            around it where it is smaller.
        groups: Places in the batch of slices that were sampled alike, (n,), and their k-space.
        pixel_mm: As of ``Images``.
        pose: What is done to every image that is shown.

    """

    shape: tuple[int, int]
    groups: tuple[tuple[NDArray[np.int64], KSpace], ...]
    pixel_mm: tuple[PixelMm | None, ...]
    pose: Pose | None = None

    @classmethod
    def of(cls, store: Store, rows: Rows, device: torch.device) -> "Measured":
        """Slices of a store, each in its own sizes.

        Raises:
            UserError: A store without k-space.

        """
        check_kept(store)
        height, width = store.images.shape[1:]
        samplings = map(tuple, store.columns["sampling"][rows].tolist())
        groups = []
        for (sampling, pixel_mm), places in group_by(
            zip(samplings, store.pixel_mm(rows), strict=True)
        ).items():
            _, lines, columns, first, stop = sampling
            geometry = Geometry(
                acquired=range(first, stop),
                crop=(min(height, lines), min(width, columns)),
                pixel_mm=pixel_mm,
            )
            samples = to_device(np.stack([store.kspace(int(row)) for row in rows[places]]), device)
            groups.append((places, KSpace(samples, geometry)))
        return cls((height, width), tuple(groups), store.pixel_mm(rows))

    def clean(self) -> Tensor:
        """Reconstruct, in the way of all artifacts."""
        return self._shown(lambda kspace, places: render(kspace, [], None))

    def apply(self, shift: Shift | Several, params: ShiftParams) -> Tensor:
        """See ``Signals.apply``."""
        return self._shown(lambda kspace, places: shift.apply(kspace, params[places]))

    def posed(self, pose: Pose) -> "Measured":
        """Measured samples cannot be turned, as each coil sees the patient from its own place.

        So the reconstruction is, with the artifacts in it.
        """
        return replace(self, pose=pose)

    def tensors(self) -> Iterator[Tensor]:
        """See ``Signals.tensors``."""
        return (kspace.samples for _, kspace in self.groups)

    def _shown(self, work: Callable[[KSpace, NDArray[np.int64]], Tensor]) -> Tensor:
        count = sum(len(places) for places, _ in self.groups)
        device = self.groups[0][1].samples.device
        shown = torch.zeros((count, *self.shape), device=device)
        for places, kspace in self.groups:
            magnitude = work(kspace, places)
            _, down, across = frame_slices(Frame(count, *self.shape), *magnitude.shape)
            shown[torch.from_numpy(places), down, across] = magnitude
        return shown if self.pose is None else self.pose(shown, self.pixel_mm)


SIGNALS: dict[Signal, type[Images] | type[Measured]] = {"images": Images, "kspace": Measured}


def group_by(kinds: Iterable[Kind]) -> dict[Kind, NDArray[np.int64]]:
    """The places of each kind, ascending; kinds in the order in which they first come."""
    places: dict[Kind, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    return {kind: np.array(found, np.int64) for kind, found in places.items()}


def to_device(values: NDArray[Any], device: torch.device) -> Tensor:
    """An array on a device; on the CPU it is used where it lies.

    To a GPU it goes through pinned memory, and the copy runs behind the caller's back, in its
    stream. The pinned block is given back at once: torch keeps it until the copy is done.
    """
    host = torch.from_numpy(values)
    if device.type == "cuda":
        host = host.pin_memory()
    return host.to(device, non_blocking=True)


def to_float32(images: Tensor) -> Tensor:
    """A copy in float32, on the same device."""
    if images.device.type != "cpu":
        return images.float()
    # NumPy asks the system for huge pages, torch does not: the page faults of a fresh batch would
    # cost ten times the widening.
    return torch.from_numpy(np.empty(images.shape, np.float32)).copy_(images)


def check_kept(store: Store) -> None:
    """Raise ``UserError`` unless the store keeps k-space."""
    if not store.has_kspace:
        raise UserError(
            "data.signal is kspace, and the store keeps no k-space",
            store.path,
            "ingest the data with `mrisweep ingest fastmri --kspace`, or set data.signal to images",
        )


def check_signal(store: Store, signal: Signal) -> None:
    """Refuse a store that cannot give the signal.

    Raises:
        UserError: K-space is asked for and the store keeps none, or keeps images that are not
            its reconstruction, by the store's first slice.

    """
    if signal == "images":
        return
    check_kept(store)
    first = np.zeros(1, np.int64)
    made = Measured.of(store, first, torch.device("cpu")).clean().numpy()
    kept = store.read(first)
    if np.linalg.norm(made - kept) > SAME_IMAGE * np.linalg.norm(kept):
        raise UserError(
            "data.signal is kspace, and the images of the store are not the reconstruction of "
            "the k-space beside them",
            store.path,
            "ingest the data again with --kspace and without --size, or set data.signal to images",
        )

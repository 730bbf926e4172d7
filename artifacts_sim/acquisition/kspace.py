"""Measured k-space, with the geometry that gives it meaning."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame, Geometry, frame_of_kspace
from artifacts_sim.checks import check_device, check_kspace
from artifacts_sim.values import check_kind, checked_slices


@dataclass(frozen=True, eq=False)
class KSpace:
    """k-space of B slices: centred (DC at N // 2) and orthonormal.

    `k[part]` are some of the slices, in the order given: of a number, which may count from the end
    (the axis of the slices stays, B = 1), a slice, or numbers or a truth value for each slice, as a
    list, an array or a tensor.

    Attributes:
        samples: (B, RO, PE) or (B, coil, RO, PE) complex64 or complex128, on any device.
        geometry: What is known of the acquisition.

    Raises:
        ArtifactError: Samples or geometry are not as above, or do not fit together.

    """

    samples: Tensor
    geometry: Geometry = field(default_factory=Geometry)

    def __post_init__(self) -> None:
        check_kspace(self.samples)
        check_kind(
            self.geometry,
            Geometry,
            "the geometry of k-space is not a Geometry",
            "pass Geometry(...), or leave it out",
        )
        self.frame()

    def __len__(self) -> int:
        """Count the slices, B."""
        return len(self.samples)

    def __getitem__(self, part: Any) -> "KSpace":
        """Take some of the slices.

        Raises:
            ArtifactError: The index takes none, or is no index of them.

        """
        places = checked_slices(part, len(self))
        at = torch.from_numpy(places).to(self.samples.device)
        return KSpace(self.samples[at], self.geometry[places])

    def to(self, to: torch.device | torch.dtype | str) -> "KSpace":
        """Bring the samples to a device, or to complex64 or complex128.

        Raises:
            ArtifactError: Another dtype, or no such device.

        """
        check_device(to)
        return KSpace(self.samples.to(to), self.geometry)

    def frame(self) -> Frame:
        """Complete the geometry."""
        RO, PE = self.samples.shape[-2:]
        return frame_of_kspace(self.geometry, (RO, PE), len(self.samples))

    def by_coil(self) -> Tensor:
        """Return the samples with a coil axis: (B, coil, RO, PE), contiguous."""
        samples = self.samples.resolve_conj().contiguous()
        return samples if samples.ndim == 4 else samples[:, None]

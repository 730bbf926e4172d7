"""Measured k-space, with the geometry that gives it meaning."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame, Geometry, frame_of_kspace
from artifacts_sim.checks import check_kspace


@dataclass(frozen=True, eq=False)
class KSpace:
    """k-space of B slices: centred (DC at N // 2) and orthonormal.

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
        self.frame()

    def __len__(self) -> int:
        """Count the slices, B."""
        return len(self.samples)

    def __getitem__(self, slices: Tensor) -> "KSpace":
        """Take some of the slices, by number."""
        return KSpace(self.samples[slices.to(self.samples.device)], self.geometry[slices.numpy()])

    def to(self, to: torch.device | torch.dtype | str) -> "KSpace":
        """Bring the samples to a device, or to complex64 or complex128.

        Raises:
            ArtifactError: Another dtype.

        """
        return KSpace(self.samples.to(to), self.geometry)

    def frame(self) -> Frame:
        """Complete the geometry."""
        RO, PE = self.samples.shape[-2:]
        return frame_of_kspace(self.geometry, (RO, PE), len(self.samples))

    def by_coil(self) -> Tensor:
        """Return the samples with a coil axis: (B, coil, RO, PE), contiguous."""
        samples = self.samples.resolve_conj().contiguous()
        return samples if samples.ndim == 4 else samples[:, None]

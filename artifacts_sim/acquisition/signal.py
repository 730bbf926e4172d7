"""The signal between object and picture: Fourier transforms happen once, when they are needed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.scene import Scene, magnitude


@dataclass(frozen=True, eq=False)
class Signal:
    """Coil images or their k-space, with the domain of each axis.

    An operator asks for the domain it works in, and leaves its result there. So two operators
    on k-space lines, one after the other, share one pair of transforms.

    Attributes:
        data: (B, coil, RO, PE), on the encoded matrix; complex, or real and >= 0 for an image
            without phase.
        frame: The geometry.
        scene: The scales of the clean slices.
        ro_in_kspace: Whether the readout axis is in samples, not pixels.
        pe_in_kspace: The same of the phase-encode axis.
        lines: (1 or B, PE), the lines that are measured; None: those that the frame acquires.
        samples: (1 or B, RO), the samples of a line that are measured; None: all.

    """

    data: Tensor
    frame: Frame
    scene: Scene
    ro_in_kspace: bool = False
    pe_in_kspace: bool = False
    lines: NDArray[np.bool_] | None = None
    samples: NDArray[np.bool_] | None = None

    def image(self) -> Tensor:
        """Return pixels, (B, coil, RO, PE)."""
        return self._in(False, False)

    def by_line(self) -> Tensor:
        """Return readout pixels by phase-encode samples, (B, coil, RO, PE) complex."""
        return self._in(False, True)

    def kspace(self) -> Tensor:
        """Return samples, (B, coil, RO, PE) complex."""
        return self._in(True, True)

    def with_image(self, data: Tensor) -> "Signal":
        """Put other pixels in its place."""
        return replace(self, data=data, ro_in_kspace=False, pe_in_kspace=False)

    def with_lines(self, data: Tensor) -> "Signal":
        """Put other lines in its place, as `by_line` gives them."""
        return replace(self, data=data, ro_in_kspace=False, pe_in_kspace=True)

    def with_kspace(self, data: Tensor) -> "Signal":
        """Put other samples in its place."""
        return replace(self, data=data, ro_in_kspace=True, pe_in_kspace=True)

    def single(self) -> Tensor | None:
        """Return the image of the one coil, (B, RO, PE), where it is at hand; else None."""
        at_hand = not (self.ro_in_kspace or self.pe_in_kspace) and self.data.shape[1] == 1
        return self.data[:, 0] if at_hand else None

    def plain(self) -> Tensor | None:
        """Return the magnitude image, (B, RO, PE), where there is neither phase nor k-space."""
        single = self.single()
        return None if single is None or single.is_complex() else single

    def magnitude(self) -> Tensor:
        """Combine the coils by root sum of squares: (B, RO, PE) >= 0 on the encoded matrix."""
        return magnitude(self.image())

    @property
    def measured_lines(self) -> NDArray[np.bool_]:
        """The lines that are measured: (1 or B, PE)."""
        return self.frame.acquired[None] if self.lines is None else self.lines

    @property
    def all_measured(self) -> bool:
        """Whether every sample of the encoded matrix is measured."""
        samples = self.samples is None or bool(self.samples.all())
        return samples and bool(self.measured_lines.all())

    def only(self, lines: NDArray[np.bool_] | None, samples: NDArray[np.bool_] | None) -> "Signal":
        """Note that no more than these is measured; None: as before."""
        if lines is not None:
            lines = self.measured_lines & lines
        if samples is not None and self.samples is not None:
            samples = self.samples & samples
        return replace(
            self,
            lines=self.lines if lines is None else lines,
            samples=self.samples if samples is None else samples,
        )

    def _in(self, ro: bool, pe: bool) -> Tensor:
        data = self.data
        if ro != self.ro_in_kspace:
            data = (to_kspace if ro else to_image)(data, RO)
        if pe != self.pe_in_kspace:
            data = (to_kspace if pe else to_image)(data, PE)
        return data

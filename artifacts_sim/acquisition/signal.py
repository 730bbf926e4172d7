"""The signal between object and picture: Fourier transforms happen once, when they are needed."""

from dataclasses import dataclass

from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from artifacts_sim.acquisition.geometry import Frame


@dataclass(frozen=True, eq=False)
class Signal:
    """Coil images or their k-space, with the domain of each axis.

    An operator asks for the domain it works in, and leaves its result there. So two operators
    on k-space lines, one after the other, share one pair of transforms.

    Attributes:
        data: (B, coil, RO, PE), on the encoded matrix; complex64, or float32 >= 0 for an image
            without phase.
        frame: The geometry.
        ro_in_kspace: Whether the readout axis is in samples, not pixels.
        pe_in_kspace: The same of the phase-encode axis.

    """

    data: Tensor
    frame: Frame
    ro_in_kspace: bool = False
    pe_in_kspace: bool = False

    def image(self) -> Tensor:
        """Return pixels, (B, coil, RO, PE)."""
        return self._in(False, False)

    def lines(self) -> Tensor:
        """Return readout pixels by phase-encode samples, (B, coil, RO, PE) complex64."""
        return self._in(False, True)

    def kspace(self) -> Tensor:
        """Return samples, (B, coil, RO, PE) complex64."""
        return self._in(True, True)

    def with_image(self, data: Tensor) -> "Signal":
        """Put other pixels in its place."""
        return Signal(data, self.frame)

    def with_lines(self, data: Tensor) -> "Signal":
        """Put other lines in its place, as `lines` gives them."""
        return Signal(data, self.frame, pe_in_kspace=True)

    def with_kspace(self, data: Tensor) -> "Signal":
        """Put other samples in its place."""
        return Signal(data, self.frame, ro_in_kspace=True, pe_in_kspace=True)

    def magnitude(self) -> Tensor:
        """Combine the coils by root sum of squares: (B, RO, PE) float32 on the encoded matrix."""
        image = self.image()
        if image.shape[1] == 1 and not image.is_complex():
            return image[:, 0]
        power = image.real.square()
        if image.is_complex():  # squares and roots of real numbers cost less than abs
            power.addcmul_(image.imag, image.imag)
        return power.sum(dim=1).sqrt_()

    def _in(self, ro: bool, pe: bool) -> Tensor:
        data = self.data
        if ro != self.ro_in_kspace:
            data = (to_kspace if ro else to_image)(data, RO)
        if pe != self.pe_in_kspace:
            data = (to_kspace if pe else to_image)(data, PE)
        return data

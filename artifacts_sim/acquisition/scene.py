"""The clean slices as they are shown: what every severity is a fraction of."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, RO, to_kspace


class Scene:
    """Scales of B slices, taken once, before anything happens to them.

    Every artifact of a chain reads its scale here, so that its severity depends neither on its
    partners, nor on what lies outside of the shown pixels.
    """

    def __init__(self, clean: Callable[[], Tensor], fat: Tensor | None = None) -> None:
        """Keep what the scales are made of.

        Args:
            clean: Gives the clean pixels that are shown of every coil, (B, coil, RO, PE), real and
                >= 0 or complex; called when the first scale is asked for.
            fat: (B, RO, PE) fraction of the shown pixels' signal that comes from fat, where known.

        """
        self._clean = clean
        self.fat = fat

    @cached_property
    def coils(self) -> Tensor:
        """The clean pixels of every coil: (B, coil, RO, PE)."""
        return self._clean()

    @cached_property
    def shown(self) -> Tensor:
        """The clean magnitude, root sum of squares over the coils: (B, RO, PE)."""
        return magnitude(self.coils)

    @cached_property
    def peak(self) -> Tensor:
        """The brightest pixel of each slice: (B,)."""
        return self.shown.amax(dim=(1, 2))

    @cached_property
    def wave_peak(self) -> Tensor:
        """The amplitude of the strongest plane wave in each coil's image: (B, coil).

        That is max|F| / sqrt(RO PE) of the shown pixels, F orthonormal. Of a magnitude it is the
        mean, as no wave of a non-negative image is stronger than the constant one.
        """
        coils = self.coils
        if not coils.is_complex():
            return coils.mean(dim=(2, 3))
        spectrum = to_kspace(to_kspace(coils, RO), PE)
        per_pixel: float = (coils.shape[2] * coils.shape[3]) ** -0.5
        return spectrum.abs().amax(dim=(2, 3)) * per_pixel


def magnitude(coils: Tensor) -> Tensor:
    """Combine coils by root sum of squares; where there is one without phase, it is its image.

    Its gradient is 0 where a pixel is 0.

    Args:
        coils: (B, coil, RO, PE), complex, or real and >= 0 where there is one coil.

    Returns:
        (B, RO, PE) >= 0.

    """
    if coils.shape[1] == 1 and not coils.is_complex():
        return coils[:, 0]
    if torch.is_grad_enabled() and coils.requires_grad:
        power = coils.abs().square().sum(dim=1)
        return torch.where(power > 0, power, 1.0).sqrt() * (power > 0)
    power = coils.real.square()
    if coils.is_complex():  # squares and roots of real numbers cost less than abs
        power.addcmul_(coils.imag, coils.imag)
    return power.sum(dim=1).sqrt_()

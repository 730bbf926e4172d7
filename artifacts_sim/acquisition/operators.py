"""What an artifact does to a signal, once everything about it is drawn."""

from abc import ABC, abstractmethod
from enum import IntEnum

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.signal import Signal


class Stage(IntEnum):
    """Where in the scanner an artifact happens; a chain acts in this order."""

    OBJECT = 1  # what lies in the scanner
    FIELD = 2  # what the receive coils see of it
    LINES = 3  # which k-space lines are measured, and how
    ADDED = 4  # what the receiver adds
    DISPLAY = 5  # what is made of the magnitude


class Operator(ABC):
    """One artifact with its parameters, for a batch of B slices."""

    @abstractmethod
    def act(self, signal: Signal) -> Signal:
        """Damage a signal, in whichever domain suits; what is given is not written to."""

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """Damage an image and take its magnitude.

        This is `act` with no phase asked for; an operator that knows a cheaper way overrides it.

        Args:
            x: (B, RO, PE) on the encoded matrix, contiguous; float32 >= 0, or complex64.
            frame: The geometry.

        Returns:
            (B, RO, PE) float32 >= 0.

        """
        return self.act(Signal(x[:, None], frame)).magnitude()


class PixelOperator(Operator):
    """An operator that treats the real and the imaginary part of every coil alike."""

    @abstractmethod
    def on_planes(self, planes: Tensor, frame: Frame) -> Tensor:
        """Damage (B, planes, RO, PE) float32; where these are >= 0, the result is."""

    def act(self, signal: Signal) -> Signal:
        """Damage the image, plane by plane."""
        image = signal.image()
        damaged = self.on_planes(as_planes(image), signal.frame)
        return signal.with_image(from_planes(damaged, like=image))


class DisplayOperator(Operator):
    """An operator on the magnitude, after which there is neither phase nor coil."""

    def act(self, signal: Signal) -> Signal:
        """Damage the magnitude."""
        return signal.with_image(self.render(signal.magnitude(), signal.frame)[:, None])

    @abstractmethod
    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """Damage |x|; see `Operator.render`."""


def as_planes(image: Tensor) -> Tensor:
    """Return the real and the imaginary part of each coil, (B, planes, RO, PE) float32."""
    if not image.is_complex():
        return image
    return torch.view_as_real(image.resolve_conj()).movedim(-1, 2).flatten(1, 2)


def magnitude_of(planes: Tensor) -> Tensor:
    """Return the root sum of squares of planes that are >= 0, or parts: (B, RO, PE)."""
    return planes[:, 0] if planes.shape[1] == 1 else planes.square().sum(dim=1).sqrt_()


def from_planes(planes: Tensor, like: Tensor) -> Tensor:
    """Undo `as_planes` for an image of this kind, (B, coil, RO, PE)."""
    if not like.is_complex():
        return planes
    parts = planes.view(*like.shape[:2], 2, *like.shape[2:]).movedim(2, -1)
    return torch.view_as_complex(parts.contiguous())

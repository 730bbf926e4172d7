"""What an artifact does to a signal, once everything about it is drawn."""

from abc import ABC, abstractmethod
from enum import IntEnum

import torch
from torch import Tensor

from artifacts_sim.acquisition.signal import Signal


class Stage(IntEnum):
    """Where in the scanner an artifact happens; a chain acts in this order."""

    OBJECT = 1  # what lies in the scanner
    FIELD = 2  # what the receive coils see of it
    ENCODING = 3  # from where its signal seems to come, and which field of view is encoded
    LINES = 4  # which k-space lines are measured, and how
    ADDED = 5  # what the receiver adds to the measured lines
    RECONSTRUCTION = 6  # how an image is made of them
    DISPLAY = 7  # what is made of the magnitude


class Operator(ABC):
    """One artifact with its parameters, for a batch of B slices."""

    @abstractmethod
    def act(self, signal: Signal) -> Signal:
        """Damage a signal, in whichever domain suits; what is given is not written to.

        Where gradients are recorded, they pass.
        """

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Damage a signal and take its magnitude, with no gradient recorded.

        This is `act` with no phase asked for; an operator that knows a cheaper way from an image
        overrides it.

        Args:
            signal: What is damaged.
            out: (B, RO, PE), where to put the result, as torch's functions take it: the last one
                writes there, which spares a pass over memory. None: a new tensor.

        Returns:
            (B, RO, PE) >= 0 on the encoded matrix that it leaves.

        """
        return put(self.act(signal).magnitude(), out)


class PixelOperator(Operator):
    """An operator that treats the real and the imaginary part of every coil alike."""

    @abstractmethod
    def on_planes(self, planes: Tensor, signal: Signal) -> Tensor:
        """Damage (B, planes, RO, PE); where these are >= 0, the result is.

        Args:
            planes: The real and the imaginary part of every coil, float32 or float64.
            signal: What they are of.

        """

    def act(self, signal: Signal) -> Signal:
        """Damage the image, plane by plane."""
        image = signal.image()
        damaged = self.on_planes(as_planes(image), signal)
        return signal.with_image(from_planes(damaged, like=image))


class DirectPixelOperator(PixelOperator):
    """A pixel operator whose last step can write the result where it is wanted."""

    @abstractmethod
    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Damage as any other; `out` is what it is in `render`, (B, planes, RO, PE)."""

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """An image without phase is its own magnitude."""
        x = signal.plain()
        if x is None:
            return super().render(signal, out)
        return self.on_planes(x[:, None], signal, None if out is None else out[:, None])[:, 0]


class DisplayOperator(Operator):
    """An operator on the magnitude, after which there is neither phase nor coil."""

    def act(self, signal: Signal) -> Signal:
        """Damage the magnitude."""
        return signal.with_image(self.on_magnitude(signal.magnitude(), signal)[:, None])

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """There is nothing left to combine."""
        return self.on_magnitude(signal.magnitude(), signal, out)

    @abstractmethod
    def on_magnitude(self, x: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        """Damage (B, RO, PE) >= 0 of a signal.

        Args:
            x: The magnitude, which is not written to.
            signal: What it is of.
            out: See `render`.

        """


def copied(x: Tensor, out: Tensor | None) -> Tensor:
    """Copy a tensor, to where it is asked for."""
    return x.clone() if out is None else out.copy_(x)


def put(result: Tensor, out: Tensor | None) -> Tensor:
    """Put a result where it is asked for."""
    return result if out is None else out.copy_(result)


def as_planes(image: Tensor) -> Tensor:
    """Return the real and the imaginary part of each coil, (B, planes, RO, PE), real."""
    if not image.is_complex():
        return image
    return torch.view_as_real(image.resolve_conj()).movedim(-1, 2).flatten(1, 2)


def from_planes(planes: Tensor, like: Tensor) -> Tensor:
    """Undo `as_planes` for an image of this kind, (B, coil, RO, PE)."""
    if not like.is_complex():
        return planes
    parts = planes.reshape(*like.shape[:2], 2, *planes.shape[2:]).movedim(2, -1)
    return torch.view_as_complex(parts.contiguous())

"""The centred, orthonormal Fourier transform: DC at N // 2, F F^-1 = 1, energy kept."""

import torch
from torch import Tensor

RO, PE = -2, -1  # axes


def to_kspace(x: Tensor, axis: int) -> Tensor:
    """Transform one axis of (..., RO, PE) from pixels to samples; complex64."""
    spectrum = torch.fft.fft(torch.fft.ifftshift(x, dim=axis), dim=axis, norm="ortho")
    centred: Tensor = torch.fft.fftshift(spectrum, dim=axis)
    return centred


def to_image(k: Tensor, axis: int) -> Tensor:
    """Undo `to_kspace`."""
    image = torch.fft.ifft(torch.fft.ifftshift(k, dim=axis), dim=axis, norm="ortho")
    centred: Tensor = torch.fft.fftshift(image, dim=axis)
    return centred

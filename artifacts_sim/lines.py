"""Errors of whole phase-encode lines, by one-dimensional FFTs along the last axis."""

from collections.abc import Iterable
from functools import reduce
from operator import iadd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Weight = NDArray[Any]
"""A factor of every centred k-space line, (B, W), real or complex; DC at W // 2."""


def line_offsets(n_lines: int) -> NDArray[np.int64]:
    """Return k = l - N // 2 for the lines l = 0 .. N - 1 of a centred spectrum: (N,)."""
    return np.arange(n_lines) - n_lines // 2


def add_lines(x: Tensor, errors: Iterable[tuple[Tensor, Weight]]) -> Tensor:
    """Return |x + sum_s F^-1[w_s(k) F d_s]|: to every line, weighted lines of other images.

    The readout axis needs no transform, as a weight is the same along a line. A real image has a
    Hermitian spectrum, so two real inverse FFTs of half the lines give the real and the imaginary
    part; they cost less than one complex FFT of all lines.

    Args:
        x: (B, H, W), real or complex, contiguous.
        errors: pairs d_s, w_s; d_s is (B, H, W) of x's dtype. Taken one at a time, to save memory.

    Returns:
        (B, H, W) float32.

    """
    if x.is_complex():
        return _add_complex(x, errors)
    spectra = (torch.fft.rfft(image) * _hermitian_parts(weight, x) for image, weight in errors)
    real, imag = reduce(iadd, spectra)
    re: Tensor = torch.fft.irfft(real, n=x.shape[-1]).add_(x)
    im = torch.fft.irfft(imag, n=x.shape[-1])
    return re.square_().addcmul_(im, im).sqrt_()


def _add_complex(x: Tensor, errors: Iterable[tuple[Tensor, Weight]]) -> Tensor:
    y = x.clone()
    for image, weight in errors:
        factor = _on_device(np.fft.ifftshift(weight, axes=-1), x)
        y += torch.fft.ifft(torch.fft.fft(image).mul_(factor))
    return y.abs()


def _hermitian_parts(weight: Weight, x: Tensor) -> Tensor:
    """Split w into P + iQ, both Hermitian in k: (2, B, 1, W // 2 + 1), lines k = 0 .. W // 2.

    On the spectrum of a real image, P makes the real part and Q the imaginary one.
    """
    in_fft_order = np.fft.ifftshift(weight, axes=-1)
    k = np.arange(in_fft_order.shape[-1] // 2 + 1)
    ahead, behind = in_fft_order[:, k], np.conj(in_fft_order[:, -k])
    return _on_device(np.stack([(ahead + behind) / 2, (ahead - behind) / 2j]), x)


def _on_device(weight: Weight, x: Tensor) -> Tensor:
    """As complex64 on x's device, with a readout axis to broadcast over."""
    contiguous = np.ascontiguousarray(weight, dtype=np.complex64)
    return torch.from_numpy(contiguous).to(x.device)[..., None, :]

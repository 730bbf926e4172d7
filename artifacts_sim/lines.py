"""Errors of whole phase-encode lines, by one-dimensional FFTs along the last axis."""

from collections.abc import Iterable
from functools import reduce
from operator import iadd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Factor = NDArray[Any]
"""A number for every sample of a k-space axis, (B, N), real or complex, centred: DC at N // 2."""


def line_offsets(n_lines: int) -> NDArray[np.int64]:
    """Return k = l - N // 2 for the lines l = 0 .. N - 1 of a centred spectrum: (N,)."""
    return np.arange(n_lines) - n_lines // 2


def add_lines(x: Tensor, errors: Iterable[tuple[Tensor, Factor]]) -> Tensor:
    """Return |x + sum_s F^-1[w_s(k) F d_s]|: to every line, weighted lines of other images.

    The readout axis needs no transform, as a weight is the same along a line. A real image has a
    Hermitian spectrum, so two real inverse FFTs of half the lines give the real and the imaginary
    part; they cost less than one complex FFT of all lines.

    Args:
        x: (B, RO, PE), real or complex, contiguous.
        errors: pairs d_s, w_s; d_s is (B, RO, PE) of x's dtype. Taken one at a time, to save
            memory.

    Returns:
        (B, RO, PE) float32.

    """
    if x.is_complex():
        return _add_complex(x, errors)
    spectra = (torch.fft.rfft(image) * _hermitian_parts(weight, x) for image, weight in errors)
    real, imag = reduce(iadd, spectra)
    re: Tensor = torch.fft.irfft(real, n=x.shape[-1]).add_(x)
    im = torch.fft.irfft(imag, n=x.shape[-1])
    return re.square_().addcmul_(im, im).sqrt_()


def in_fft_order(factor: Factor) -> Factor:
    """Put DC first: (B, N)."""
    return np.fft.ifftshift(factor, axes=-1)


def is_hermitian(factor: Factor) -> bool:
    """Whether factor(-k) is the conjugate of factor(k), so that a real image stays real."""
    ordered = in_fft_order(factor)
    mirrored = np.roll(ordered[:, ::-1], 1, axis=-1)
    return bool(np.array_equal(ordered, np.conj(mirrored)))


def on_device(factor: Factor, like: Tensor) -> Tensor:
    """Return the factor in single precision on a tensor's device."""
    dtype = np.complex64 if np.iscomplexobj(factor) else np.float32
    return torch.from_numpy(np.ascontiguousarray(factor, dtype=dtype)).to(like.device)


def _add_complex(x: Tensor, errors: Iterable[tuple[Tensor, Factor]]) -> Tensor:
    y = x.clone()
    for image, weight in errors:
        factor = on_device(in_fft_order(weight), x)[:, None, :]
        y += torch.fft.ifft(torch.fft.fft(image).mul_(factor))
    return y.abs()


def _hermitian_parts(weight: Factor, x: Tensor) -> Tensor:
    """Split w into P + iQ, both Hermitian in k: (2, B, 1, PE // 2 + 1), lines k = 0 .. PE // 2.

    On the spectrum of a real image, P makes the real part and Q the imaginary one.
    """
    ordered = in_fft_order(weight)
    k = np.arange(ordered.shape[-1] // 2 + 1)
    ahead, behind = ordered[:, k], np.conj(ordered[:, -k])
    parts = np.stack([(ahead + behind) / 2, (ahead - behind) / 2j])
    return on_device(parts, x)[:, :, None, :]

"""Weights of whole phase-encode lines, by one-dimensional FFTs along the last axis."""

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
        x: (B, RO, PE) float32.
        errors: Pairs d_s, w_s; d_s is like x. Taken one at a time, to save memory.

    Returns:
        (B, RO, PE) float32.

    """
    spectra = (_weighted(torch.fft.rfft(image), weight) for image, weight in errors)
    real, imag = reduce(iadd, spectra)
    re: Tensor = torch.fft.irfft(real, n=x.shape[-1]).add_(x)
    im = torch.fft.irfft(imag, n=x.shape[-1])
    return re.square_().addcmul_(im, im).sqrt_()


def weigh_lines(half: Tensor, weight: Factor) -> Tensor:
    """Return |F^-1[w(k) F x]| of a real image x, as `add_lines` does.

    Args:
        half: (B, RO, PE // 2 + 1) complex64: `torch.fft.rfft` of x along its lines; overwritten.
        weight: (B, PE). Where it is Hermitian, the image stays real; if it is in every slice,
            one of the two inverse FFTs is spared.

    Returns:
        (B, RO, PE) float32.

    """
    real, imag = hermitian_parts(weight)
    re: Tensor = torch.fft.irfft(half * _on_lines(real, half), n=weight.shape[-1])
    stays_real = np.logical_not(imag.any(axis=1))
    if stays_real.all():
        return re.abs_()
    im = torch.fft.irfft(half.mul_(_on_lines(imag, half)), n=weight.shape[-1])
    if not stays_real.any():
        return re.square_().addcmul_(im, im).sqrt_()
    y = re.square().addcmul_(im, im).sqrt_()  # may underflow; a slice that stays real must not
    return torch.where(torch.from_numpy(stays_real).to(re.device)[:, None, None], re.abs_(), y)


def in_fft_order(factor: Factor) -> Factor:
    """Put DC first: (B, N)."""
    return np.fft.ifftshift(factor, axes=-1)


def hermitian_parts(weight: Factor) -> tuple[Factor, Factor]:
    """Split w into P + iQ, both Hermitian in k: (B, N // 2 + 1) each, of k = 0 .. N // 2.

    On the spectrum of a real image, P makes the real part and Q the imaginary one. Q is zero
    where w is Hermitian itself.
    """
    n_lines = weight.shape[1]
    dc = n_lines // 2
    ahead = np.concatenate([weight[:, dc:], weight[:, :1]], axis=1)[:, : dc + 1]
    behind = np.conj(weight[:, dc::-1])
    return (ahead + behind) / 2, (ahead - behind) / 2j


def on_device(factor: Factor, like: Tensor) -> Tensor:
    """Return the factor in single precision on a tensor's device."""
    dtype = np.complex64 if np.iscomplexobj(factor) else np.float32
    return torch.from_numpy(np.ascontiguousarray(factor, dtype=dtype)).to(like.device)


def _weighted(half: Tensor, weight: Factor) -> Tensor:
    """Half spectra of the real and the imaginary part: (2, B, RO, PE // 2 + 1)."""
    return half * _on_lines(np.stack(hermitian_parts(weight)), half)


def _on_lines(factor: Factor, like: Tensor) -> Tensor:
    """Put a factor of lines, (..., PE), beside the images' rows."""
    return on_device(factor, like)[..., None, :]

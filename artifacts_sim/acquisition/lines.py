"""Weights of whole phase-encode lines, by one-dimensional FFTs along the last axis.

`add_lines` and `weigh_lines` are the short ways from an image to the magnitude, where no gradient
is recorded.
"""

from collections.abc import Iterable
from functools import lru_cache, reduce
from operator import iadd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Factor = Tensor
"""A number for every sample of a k-space axis, (B, N), float64 or complex128 on the CPU, centred:
DC at N // 2."""


@lru_cache(maxsize=64)
def line_offsets(n_lines: int) -> Tensor:
    """Return k = l - N // 2 for the lines l = 0 .. N - 1 of a centred spectrum: (N,) float64.

    It is kept: leave it as it is.
    """
    return torch.arange(n_lines, dtype=torch.float64) - n_lines // 2


def add_lines(
    x: Tensor, errors: Iterable[tuple[Tensor, Factor]], out: Tensor | None = None
) -> Tensor:
    """Return |x + sum_s F^-1[w_s(k) F d_s]|: to every line, weighted lines of other images.

    The readout axis needs no transform, as a weight is the same along a line. A real image has a
    Hermitian spectrum, so two real inverse FFTs of half the lines give the real and the imaginary
    part; they cost less than one complex FFT of all lines.

    Args:
        x: (B, RO, PE) real.
        errors: Pairs d_s, w_s; d_s is like x. Taken one at a time, to save memory.
        out: Where to put the result; None: a new tensor.

    Returns:
        (B, RO, PE), like x.

    """
    spectra = (_weighted(torch.fft.rfft(image), weight) for image, weight in errors)
    real, imag = reduce(iadd, spectra)
    re: Tensor = torch.fft.irfft(real, n=x.shape[-1]).add_(x)
    im = torch.fft.irfft(imag, n=x.shape[-1])
    return torch.sqrt(re.square_().addcmul_(im, im), out=out)


def weigh_lines(half: Tensor, weight: Factor, out: Tensor | None = None) -> Tensor:
    """Return |F^-1[w(k) F x]| of a real image x, as `add_lines` does.

    Args:
        half: (B, RO, PE // 2 + 1) complex: `torch.fft.rfft` of x along its lines; overwritten.
        weight: (B, PE). Where it is Hermitian, the image stays real; if it is in every slice,
            one of the two inverse FFTs is spared.
        out: Where to put the result; None: a new tensor.

    Returns:
        (B, RO, PE) real.

    """
    real, imag = hermitian_parts(weight)
    re: Tensor = torch.fft.irfft(half * _on_lines(real, half), n=weight.shape[-1])
    stays_real = np.logical_not(imag.any(axis=1))
    if stays_real.all():
        return torch.abs(re, out=out)
    im = torch.fft.irfft(half.mul_(_on_lines(imag, half)), n=weight.shape[-1])
    if not stays_real.any():
        return torch.sqrt(re.square_().addcmul_(im, im), out=out)
    # Squares may underflow; a slice that stays real must not.
    power: Tensor = re.square().addcmul_(im, im)
    real_slices = torch.from_numpy(stays_real).to(re.device)[:, None, None]
    return torch.where(real_slices, re.abs_(), power.sqrt_(), out=out)


def in_fft_order(factor: Factor) -> Factor:
    """Put DC first: (B, N)."""
    shifted: Factor = torch.fft.ifftshift(factor, dim=-1)
    return shifted


def hermitian_parts(weight: Factor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Split w into P + iQ, both Hermitian in k: (B, N // 2 + 1) each, of k = 0 .. N // 2.

    On the spectrum of a real image, P makes the real part and Q the imaginary one. Q is zero
    where w is Hermitian itself.
    """
    w = weight.detach().numpy()
    dc = w.shape[1] // 2
    ahead = np.concatenate([w[:, dc:], w[:, :1]], axis=1)[:, : dc + 1]
    behind = np.conj(w[:, dc::-1])
    return (ahead + behind) / 2, (ahead - behind) / 2j


def on_device(factor: Factor, like: Tensor) -> Tensor:
    """Return the factor on a tensor's device, in its precision."""
    double = like.dtype in (torch.float64, torch.complex128)
    if factor.is_complex():
        return factor.to(like.device, torch.complex128 if double else torch.complex64)
    return factor.to(like.device, torch.float64 if double else torch.float32)


def _weighted(half: Tensor, weight: Factor) -> Tensor:
    """Half spectra of the real and the imaginary part: (2, B, RO, PE // 2 + 1)."""
    return half * _on_lines(np.stack(hermitian_parts(weight)), half)


def _on_lines(factor: NDArray[Any], like: Tensor) -> Tensor:
    """Put a factor of lines, (..., PE), beside the images' rows."""
    return on_device(torch.from_numpy(factor), like)[..., None, :]

"""How alike slices are in their detail, wherever a small shift has put it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 96  # pixels that a slice is averaged to
FINE, COARSE = 3, 9  # detail: what a mean over 3 x 3 of these pixels keeps and one over 9 x 9 loses
REACH = 3  # pixels, in each direction, of the shifts that are tried
SPECTRUM = (SIDE, SIDE // 2 + 1)  # of a real image, whose other frequencies follow from these

Spectra = NDArray[np.complex64]


def detail(image: NDArray[np.float32]) -> Spectra:
    """The detail of a slice, ready to be compared.

    Two heads, or two knees, have their coarse structure in common; only copies have the detail.

    Args:
        image: (H, W), finite, of more than one value.

    Returns:
        (*SPECTRUM,) Fourier transform of the detail, whose sum of squares is 1.

    """
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
    peak = max(small.max(), -small.min())
    found = _band(small / peak if peak else small)  # in any unit squares stay in float32
    found -= found.mean()
    length = np.linalg.norm(found)
    unit = found / length if length else found
    return np.fft.rfft2(unit).astype(np.complex64, copy=False)


def likeness(ones: Spectra, others: Spectra) -> NDArray[np.float32]:
    """Pearson correlations of details at the shift, up to ``REACH``, that suits each pair best.

    Args:
        ones: (P, *SPECTRUM), each as ``detail`` gives it.
        others: As many, each to be compared with the one at its place.

    Returns:
        (P,) up to 1, which only copies reach, up to brightness, contrast and a shift by whole
        pixels.

    """
    cross = ones * others.conj()
    by_column = cross.reshape(-1, cross.shape[-1]) @ _COLUMN_SHIFTS
    by_shift = _ROW_SHIFTS @ by_column.reshape(len(cross), SIDE, -1)
    return np.asarray(by_shift.real.max(axis=(1, 2)))


def _band(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """What means over FINE pixels keep and those over COARSE lose; the border is continued."""
    padded = small.take(_CONTINUED, axis=0).take(_CONTINUED, axis=1)
    fine = _sums_of_three(padded, 1)
    coarse = _sums_of_three(fine, FINE)
    inner = slice(FINE, FINE + SIDE)
    return fine[inner, inner] / np.float32(FINE**2) - coarse / np.float32(COARSE**2)


def _sums_of_three(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Sums of 3 x 3 pixels that lie a step apart, where all are there."""
    ahead, two = slice(step, -step), 2 * step
    rows = values[:-two] + values[ahead]
    rows += values[two:]
    both = rows[:, :-two] + rows[:, ahead]
    both += rows[:, two:]
    return both


def _inverse(frequencies: int) -> NDArray[np.complex128]:
    """The inverse Fourier transform of SIDE pixels at the shifts alone, (shift, frequency)."""
    shifts = np.arange(-REACH, REACH + 1)
    turns = shifts[:, None] * np.arange(frequencies) / SIDE
    return np.asarray(np.exp(2j * np.pi * turns) / SIDE)


def _column_shifts() -> Spectra:
    """Of a real image half the frequencies are kept: all but the first and last count twice."""
    kept = SPECTRUM[1]
    both = np.where(np.isin(np.arange(kept), (0, SIDE // 2)), 1, 2)
    return np.ascontiguousarray((_inverse(kept) * both).T, np.complex64)


_CONTINUED = np.arange(-(COARSE // 2), SIDE + COARSE // 2).clip(0, SIDE - 1)
_ROW_SHIFTS, _COLUMN_SHIFTS = _inverse(SIDE).astype(np.complex64), _column_shifts()
